package dataset

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// told is what the fields of a set are: name, shape, type or number of classes, and
// the first values.
func told(s *Set) string {
	if s == nil {
		return "nil"
	}
	var out []string
	for _, f := range s.Fields {
		kind := "bytes"
		switch {
		case f.Classes > 0:
			kind = fmt.Sprint("of ", f.Classes)
		case f.Floats != nil:
			kind = "floats"
		case f.Ints != nil:
			kind = "ints"
		}
		var v []string
		for i := range min(6, s.Len()*f.Size()) {
			v = append(v, fmt.Sprint(f.number(s.at(i/f.Size())*f.Size()+i%f.Size())))
		}
		out = append(out, fmt.Sprintf("%s %v %s: %s", f.Name, f.Shape, kind, strings.Join(v, " ")))
	}
	return strings.Join(out, "; ")
}

// reads opens a specification and compares what it gives, or refuses.
type reads struct {
	name             string
	train, val, test string // as told; empty: not compared
	note, bad        string
}

func (c reads) check(t *testing.T, spec string) {
	t.Helper()
	d, err := Open(spec)
	if c.bad != "" {
		if err == nil || !strings.Contains(err.Error(), c.bad) {
			t.Errorf("%s: %v, want something with %q", c.name, err, c.bad)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", c.name, err)
		return
	}
	for _, p := range []struct {
		set  *Set
		want string
	}{{d.Train, c.train}, {d.Val, c.val}, {d.Test, c.test}} {
		if p.want != "" && told(p.set) != p.want {
			t.Errorf("%s: %s\nwant %s", c.name, told(p.set), p.want)
		}
		if p.set != nil {
			if err := p.set.Sound(); err != nil && p.want != "" {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
	if c.note != "" && !noted(d, c.note) {
		t.Errorf("%s: no note with %q: %q", c.name, c.note, d.Notes)
	}
}

func f4(shape string, v ...float32) []byte {
	return npyBytes("<f4", shape, raw(binary.LittleEndian, v))
}
func i8(shape string, v ...int64) []byte {
	return npyBytes("<i8", shape, raw(binary.LittleEndian, v))
}
func u1(shape string, v ...byte) []byte { return npyBytes("|u1", shape, v) }

// Arrays become fields of their names where samples and labels are not what they are.
func TestArrays(t *testing.T) {
	x, x2 := f4("2, 3", 1, 2, 3, 4, 5, 6), f4("1, 3", 7, 8, 9)
	for _, c := range []struct {
		reads
		in    []entry
		query string
	}{
		{reads{name: "two inputs", train: "photo [2] bytes: 1 2 3 4; vitals [] floats: .5 2; label [] of 4: 3 0"},
			[]entry{{"photo.npy", u1("2, 2", 1, 2, 3, 4)}, {"vitals.npy", f4("2,", .5, 2)}, {"label.npy", i8("2,", 3, 0)}}, ""},
		{reads{name: "numbers as labels", train: "x [3] floats: 1 2 3 4 5 6; y [] floats: 1 2.5", note: "label 2.5 of sample 1"},
			[]entry{{"x.npy", x}, {"y.npy", f4("2,", 1, 2.5)}}, ""},
		{reads{name: "several classes", train: "image [3] floats: 1 2 3 4 5 6; labels [3] bytes: 0 1 1 0 0 0"},
			[]entry{{"image.npy", x}, {"labels.npy", u1("2, 3", 0, 1, 1, 0, 0, 0)}}, ""},
		{reads{name: "negative labels", train: "x [3] floats: 1 2 3 4 5 6; y [] ints: -1 1", note: "not for classes"},
			[]entry{{"x.npy", x}, {"y.npy", i8("2,", -1, 1)}}, ""},
		{reads{name: "one array", train: "x [3] floats: 1 2 3 4 5 6"}, []entry{{"x.npy", x}}, ""},
		{reads{name: "padded", train: "true_labels [2] ints: 0 -1 1 2"}, []entry{{"true_labels.npy", i8("2, 2", 0, -1, 1, 2)}}, ""},
		{reads{name: "parts by ends", train: "u [3] floats: 1 2 3 4 5 6; v [] ints: 3 4", val: "nil", test: "u [3] floats: 7 8 9; v [] ints: 5"},
			[]entry{{"u.npy", x}, {"v.npy", i8("2,", 3, 4)}, {"u_test.npy", x2}, {"v_test.npy", i8("1,", 5)}}, ""},
		{reads{name: "parts by beginnings", train: "u [3] floats: 1 2 3 4 5 6", val: "u [3] floats: 7 8 9", test: "nil", note: "left out: mean"},
			[]entry{{"train_u.npy", x}, {"valid-u.npy", x2}, {"mean.npy", f4("3,", 1, 2, 3)}}, ""},
		{reads{name: "large", train: "u [] floats: 1.099511627776e+12 1"}, []entry{{"u.npy", i8("2,", 1<<40, 1)}}, ""},
		{reads{name: "too large", bad: "value 1099511627777 of sample 1"}, []entry{{"u.npy", i8("2,", 1, 1<<40+1)}}, ""},
		{reads{name: "lengths", bad: `array "v" has 1 samples`}, []entry{{"u.npy", x}, {"v.npy", f4("1,", 1)}}, ""},
		{reads{name: "dropped", train: "u [3] floats: 1 2 3 4 5 6"}, []entry{{"u.npy", x}, {"v.npy", f4("1,", 1)}}, "drop=v"},
		{reads{name: "only", train: "u [3] floats: 1 2 3 4 5 6"}, []entry{{"u.npy", x}, {"v.npy", f4("1,", 1)}}, "only=u"},
		{reads{name: "drop what is not there", bad: `no field "w" (did you mean u?): the fields are u [3]`}, []entry{{"u.npy", x}}, "drop=w"},
		{reads{name: "single number", train: "u [3] floats: 1 2 3 4 5 6", note: `"seed" is left out`}, []entry{{"u.npy", x}, {"seed.npy", i8("", 1)}}, ""},
		{reads{name: "class", train: "u [] of 4: 1 3"}, []entry{{"u.npy", f4("2,", 1, 3)}}, "class=u"},
		{reads{name: "no class", bad: "value 2.5 of sample 1 of the training set is not a class"}, []entry{{"u.npy", f4("2,", 1, 2.5)}}, "class=u"},
		{reads{name: "plain", train: "u [] floats: 1 3; label [] ints: 0 1"}, []entry{{"u.npy", f4("2,", 1, 3)}, {"label.npy", i8("2,", 0, 1)}}, "plain=label"},
		{reads{name: "all", train: "x [3] floats: 1 2 3 4 5 6; w [] floats: 2 3; y [] of 2: 0 1"}, []entry{{"x.npy", x}, {"y.npy", i8("2,", 0, 1)}, {"w.npy", f4("2,", 2, 3)}}, "fields=all"},
		{reads{name: "bound", train: "x [3] floats: 1 2 3 4 5 6; w [] floats: 2 3; y [] of 2: 0 1"}, []entry{{"x.npy", x}, {"y.npy", i8("2,", 0, 1)}, {"w.npy", f4("2,", 2, 3)}}, "bind=in=w"},
		{reads{name: "not bound", bad: `bind=in=ww: there is no field "ww" (did you mean w?)`}, []entry{{"u.npy", x}, {"w.npy", f4("2,", 2, 3)}}, "bind=in=ww"},
		{reads{name: "channels last", train: "u [1 2 2] bytes: 1 2 3 4", note: "channels last"}, []entry{{"u.npy", u1("1, 2, 2, 1", 1, 2, 3, 4)}}, ""},
		{reads{name: "mask", train: "u [3 1 2] bytes: 1 2 3 4 5 6; mask [1 2] of 3: 2 -1", note: `no sample has class 0, 1`},
			[]entry{{"u.npy", u1("1, 3, 1, 2", 1, 2, 3, 4, 5, 6)}, {"mask.npy", u1("1, 1, 2", 2, 255)}}, "ignore=255"},
		{reads{name: "values", train: "u [3 1 2] bytes: 1 2 3 4 5 6; mask [1 2] of 2: 1 0"},
			[]entry{{"u.npy", u1("1, 3, 1, 2", 1, 2, 3, 4, 5, 6)}, {"mask.npy", u1("1, 1, 1, 2", 255, 0)}}, "values=0,255"},
		{reads{name: "other values", bad: "value 7, which is not among"},
			[]entry{{"u.npy", u1("1, 3, 1, 2", 1, 2, 3, 4, 5, 6)}, {"mask.npy", u1("1, 1, 2", 7, 0)}}, "values=0,255"},
		{reads{name: "agreed", train: "u [] floats: 1 2", test: "u [] floats: 1.5"}, []entry{{"u_train.npy", i8("2,", 1, 2)}, {"u_test.npy", f4("1,", 1.5)}}, ""},
		{reads{name: "texts", train: "u [3] floats: 1 2 3 4 5 6", note: "numpy.unique"}, []entry{{"u.npy", x}, {"names.npy", npyBytes("<U2", "2,", make([]byte, 16))}}, ""},
	} {
		c.train, c.test = strings.ReplaceAll(c.train, ": .", ": 0."), strings.ReplaceAll(c.test, ": .", ": 0.")
		file := write(t, filepath.Join(t.TempDir(), "a.npz"), zipped(zip.Deflate, c.in...))
		c.check(t, "npz:"+file+"?"+c.query)
		if c.name == "lengths" || strings.Contains(c.query, "fields") || strings.HasPrefix(c.train, "x") {
			continue
		}
		dir := t.TempDir()
		for _, e := range c.in {
			write(t, filepath.Join(dir, e.name), e.data)
		}
		c.name += ", folder"
		c.note = strings.ReplaceAll(c.note, `"seed"`, "seed.npy")
		if c.note != "" && strings.Contains(c.note, ".npy") {
			c.note = "seed.npy is left out"
		}
		c.check(t, "npy:"+dir+"?"+c.query)
	}
}

// Files and folders of parts are told apart by their names.
func TestFilesOfParts(t *testing.T) {
	dir := t.TempDir()
	two := func(a, b float32) []byte {
		return zipped(zip.Deflate, entry{"u.npy", f4("2, 1", a, b)}, entry{"v.npy", i8("2,", int64(a), int64(b))})
	}
	a := write(t, filepath.Join(dir, "one", "train-00000-of-00002.npz"), two(1, 2))
	write(t, filepath.Join(dir, "one", "train-00001-of-00002.npz"), two(3, 4))
	b := write(t, filepath.Join(dir, "one", "validation.npz"), two(5, 6))
	c := write(t, filepath.Join(dir, "one", "x_test.npz"), two(7, 8))
	write(t, filepath.Join(dir, "two", "data", "test", "a.npz"), two(7, 8))
	write(t, filepath.Join(dir, "two", "data", "train", "b.npz"), two(1, 2))
	write(t, filepath.Join(dir, "two", "data", "train", "readme.txt"), nil)
	write(t, filepath.Join(dir, "three", "a", "train.npz"), two(1, 2))
	write(t, filepath.Join(dir, "three", "b", "train.npz"), two(1, 2))
	write(t, filepath.Join(dir, "four", "x.npz"), two(1, 2))
	write(t, filepath.Join(dir, "four", "y.npz"), zipped(zip.Deflate, entry{"u.npy", f4("2, 1", 1, 2)}))
	first, both := "u [1] floats: 1 2; v [] ints: 1 2", "u [1] floats: 1 2 3 4; v [] ints: 1 2 3 4"
	val, last := "u [1] floats: 5 6; v [] ints: 5 6", "u [1] floats: 7 8; v [] ints: 7 8"
	reads{name: "two files", train: first, val: "nil", test: last}.check(t, "npz:"+a+","+c)
	reads{name: "three files", train: first, val: val, test: last}.check(t, "npz:"+a+","+b+","+c)
	reads{name: "folder", train: both, val: val, test: last}.check(t, "npz:"+filepath.Join(dir, "one"))
	reads{name: "pattern", train: both, val: "nil", test: "nil"}.check(t, "npz:"+filepath.Join(dir, "one", "train-*"))
	reads{name: "folders", train: first, val: "nil", test: last}.check(t, "npz:"+filepath.Join(dir, "two"))
	reads{name: "two sets", bad: "both hold files of one part"}.check(t, "npz:"+filepath.Join(dir, "three"))
	reads{name: "unlike", bad: "has the fields u [1]"}.check(t, "npz:"+filepath.Join(dir, "four"))
	reads{name: "four files", bad: "is not FILE"}.check(t, "npz:"+strings.Join([]string{a, b, c, "d"}, ","))
	reads{name: "none", bad: "no file is named like"}.check(t, "npz:"+filepath.Join(dir, "five", "*.npz"))
}
