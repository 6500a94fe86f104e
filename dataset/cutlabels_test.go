package dataset

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/npy"
	"pare/tensor"

	"github.com/parquet-go/parquet-go"
)

// relabeledOdd are the samples of odd numbers of the training set, with other classes for some by
// stored number, and the other sets whole.
func relabeledOdd(t *testing.T, d *Data, to map[int]int32) []*Set {
	t.Helper()
	y := *d.Train.class()
	y.Ints = slices.Clone(y.Ints)
	for i, c := range to {
		y.Ints[i] = c
	}
	all := *d.Train
	all.Fields = slices.Clone(all.Fields)
	all.Fields[slices.IndexFunc(all.Fields, func(f *Field) bool { return f.Name == y.Name })] = &y
	odd, err := all.Pick([]int32{1, 3, 5, 7})
	if err != nil {
		t.Fatal(err)
	}
	kept := []*Set{odd}
	if d.Test != nil {
		kept = append(kept, d.Test)
	}
	return kept
}

// Labels change where they stand, in the words that the file has for classes; all else of a row
// has the bytes that it had.
func TestCutLabels(t *testing.T) {
	for name, c := range map[string]struct{ spec, in, want string }{
		// stored sample 1 becomes class 2, and sample 5 class 0
		"a.csv": {"", "x,\"class\",\n0,a,\n1 , b ,\n2,a,\n3,c,\n# a, b\n\n4,a,\r\n5,\"b\",\r\n6,b,\n7,c,",
			"x,\"class\",\n1 , c ,\n3,c,\n5,\"a\",\r\n7,c,"},
		"b.csv":    {"?label=first", "a;0\n\"b \";1\na;2\nc;3\na;4\nb;5\nb;6\n\"c\";7\n", "\"c\";1\nc;3\na;5\n\"c\";7\n"},
		"c.csv.gz": {"", "0,1\n1,02\n2,1\n3,3\n4,1\n5,2.0\n6,2\n7,3\n", "1,3\n3,3\n5,1\n7,3\n"},
		"e.csv":    {"?fields=columns", "class,v\na,0\nb,1\na,2\nc,3\na,4\nb,5\nb,6\nc,7\n", "class,v\nc,1\nc,3\na,5\nc,7\n"},
		"f.jsonl": {"?drop=n.label", "{\"x\":0,\"label\":\"a\"}\n{\"label\" : \"b\",\"n\":{\"label\":1},\"x\":1}\n{\"x\":2,\"label\":\"a\"}\n{\"x\":3,\"label\":\"c\"}\n{\"x\":4,\"label\":\"a\"}\n{\"x\":5,\"label\":\"\\u0062\"}\n{\"x\":6,\"label\":\"b\"}\n{\"x\":7,\"label\":\"c\"}\n",
			"{\"label\" : \"c\",\"n\":{\"label\":1},\"x\":1}\n{\"x\":3,\"label\":\"c\"}\n{\"x\":5,\"label\":\"a\"}\n{\"x\":7,\"label\":\"c\"}\n"},
		"g.json": {"", "[{\"x\":0,\"y\":0},{\"x\":1,\"y\":1},{\"x\":2,\"y\":0},{\"x\":3,\"y\":1},{\"x\":4,\"y\":0},{\"x\":5,\"y\":1},{\"x\":6,\"y\":1},{\"x\":7,\"y\":3}]",
			"[\n{\"x\":1,\"y\":2},\n{\"x\":3,\"y\":1},\n{\"x\":5,\"y\":0},\n{\"x\":7,\"y\":3}\n]\n"},
	} {
		kind := "csv:"
		if strings.Contains(name, "json") {
			kind = "jsonl:"
		}
		dir := lay(t, map[string]string{name: c.in})
		to := filepath.Join(dir, "to_"+name)
		for _, o := range []Options{{}, {Memory: 1 << 16}} {
			d, err := o.Open(kind + filepath.Join(dir, name) + c.spec)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			zero := int32(0)
			if name == "c.csv.gz" { // classes count from 1
				zero = d.Train.Label(0)
			}
			w, err := d.WriteKept(t.Context(), relabeledOdd(t, d, map[int]int32{1: zero + 2, 5: zero}), to, Copies)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := contents(t, to); got != c.want {
				t.Errorf("%s: %q, not %q", name, got, c.want)
			}
			if _, err := o.Open(w.Spec); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A row of several lines, and words that need quotes.
func TestCutLabelsQuoted(t *testing.T) {
	in := "t,class\n\"u\nv\",b\n\"u\n\nw\",b\nu,\"c, \"\"x\"\"\"\n\"q\nr\",  b\nu,b\nu,b\n"
	dir := lay(t, map[string]string{"a.csv": in})
	path := filepath.Join(dir, "a.csv")
	d, err := Open("csv:" + path + "?fields=columns&drop=t")
	if err != nil {
		t.Fatal(err)
	}
	f := d.Train.Field("class")
	k := &keeping{Origin: &Origin{Kind: "csv", Files: []string{path}, csv: csvOptions{label: "last", fields: true}}, keep: []bool{false, true, true, true, false, false}, names: f.Names, class: map[int]int32{1: 1 - f.Ints[1], 2: 1 - f.Ints[2], 3: 1 - f.Ints[3]}}
	k.field, k.was = f.Name, f.Ints
	k.change = k.relabeled()
	s, err := openLarge(path)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for range 2 {
		b.Reset()
		if err := k.rows(s, &b); err != nil {
			t.Fatal(err)
		}
		k.first, k.change.write = 0, true
	}
	if want := "t,class\n\"u\n\nw\",\"c, \"\"x\"\"\"\nu,\"b\"\n\"q\nr\",  \"c, \"\"x\"\"\"\n"; b.String() != want {
		t.Errorf("%q, not %q", b.String(), want)
	}
}

// In Parquet files the column of classes changes, whether it has words or numbers.
func TestCutLabelsParquet(t *testing.T) {
	type row struct {
		X     float64 `parquet:"x"`
		Label string  `parquet:"label,dict"`
	}
	type counted struct {
		X     float64 `parquet:"x"`
		Label *int32  `parquet:"label,optional"`
	}
	dir := t.TempDir()
	path, to := filepath.Join(dir, "a.parquet"), filepath.Join(dir, "b.parquet")
	var rows []row
	var whole []counted
	for i := range 8 {
		c := int32([]int{0, 1, 0, 2, 0, 1, 1, 2}[i])
		rows = append(rows, row{float64(i), "abc"[c : c+1]})
		whole = append(whole, counted{float64(i), &c})
	}
	check := func(want string) {
		t.Helper()
		d, err := Open("parquet:" + path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.WriteKept(t.Context(), relabeledOdd(t, d, map[int]int32{1: 2, 5: 0}), to, Copies); err != nil {
			t.Fatal(err)
		}
		f, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		r := parquet.NewReader(bytes.NewReader(f))
		for {
			v := map[string]any{}
			if err := r.Read(&v); err != nil {
				break
			}
			switch x := v["label"].(type) {
			case string:
				got += x
			case []byte:
				got += string(x)
			case int32:
				got += string(rune('0' + x))
			}
		}
		if got != want {
			t.Errorf("labels %q, not %q", got, want)
		}
	}
	if err := parquet.WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
	check("ccac")
	if err := parquet.WriteFile(path, whole); err != nil {
		t.Fatal(err)
	}
	check("2202")
}

// A column whose words do not say the class is not changed, nor a class whose word is not known.
func TestCutLabelsRefuses(t *testing.T) {
	k := &keeping{Origin: &Origin{Kind: "csv"}, keep: make([]bool, 3), class: map[int]int32{0: 1}}
	k.field, k.was = "y", []int32{0, 1, 0}
	k.change = k.relabeled()
	k.spelled(0, "a") //nolint:errcheck // it is the first
	if _, err := k.spelled(1, "a"); err == nil || !strings.Contains(err.Error(), "a is class 0 of one sample and class 1 of another") {
		t.Errorf("%v", err)
	}
	k.was = []int32{0, 2, 0}
	k.change = k.relabeled()
	k.spelled(0, "a") //nolint:errcheck // as well
	k.change.write = true
	if _, err := k.spelled(0, "a"); err == nil || !strings.Contains(err.Error(), "no sample has class 1") {
		t.Errorf("%v", err)
	}
	if _, _, err := jsonPlace([]byte(`{"y":1,"y":2}`), "y"); err == nil || !strings.Contains(err.Error(), "2 times") {
		t.Errorf("%v", err)
	}
	if from, to, err := jsonPlace([]byte(`{"a":{"b":1, "y" : "q" },"y":2}`), "a.y"); err != nil || `{"a":{"b":1, "y" : "q" },"y":2}`[from:to] != `"q"` {
		t.Errorf("%d to %d, %v", from, to, err)
	}
}

// numpyOf is an array of whole numbers or of rows with one 1.
func numpyOf(t *testing.T, of tensor.DType, hot int, classes ...int32) string {
	t.Helper()
	shape := []int{len(classes)}
	var b []byte
	for _, c := range classes {
		row := []int32{c}
		if hot > 0 {
			row = make([]int32, hot)
			row[c] = 1
		}
		for _, v := range row {
			is, ok := wholeIn(of, int64(v))
			if !ok {
				t.Fatalf("%d is no %v", v, of)
			}
			b = append(b, is...)
		}
	}
	if hot > 0 {
		shape = append(shape, hot)
	}
	x, err := tensor.FromRaw(b, of, shape...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := npy.Encode(x)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// In arrays the number of a class changes, in the type and order that the array has, or the place
// of the 1 in its row; what is read then is what was asked for.
func TestCutLabelsArrays(t *testing.T) {
	x := encoded(t, tensor.Uint8, 8, 1, 3, 3)
	classes, want := []int32{0, 1, 0, 2, 0, 1, 1, 2}, []int32{2, 2, 0, 2} // of those that stay
	big := numpyOf(t, tensor.Int16, 0, classes...)
	big = strings.Replace(big, "<i2", ">i2", 1)
	turned := []byte(big)
	for i := len(big) - 16; i < len(big); i += 2 {
		turned[i], turned[i+1] = big[i+1], big[i]
	}
	files := map[string]string{
		"int64": numpyOf(t, tensor.Int64, 0, classes...), "uint8": numpyOf(t, tensor.Uint8, 0, classes...), "half": numpyOf(t, tensor.Float16, 0, classes...),
		"float": numpyOf(t, tensor.Float64, 0, classes...), "hot": numpyOf(t, tensor.Float32, 3, classes...), "uint16": numpyOf(t, tensor.Uint16, 0, classes...), "big": string(turned),
	}
	for name, y := range files {
		dir := lay(t, map[string]string{
			"a.npz": archived("x_train.npy", x, "y_train.npy", y, "x_test.npy", x, "y_test.npy", y), "x.npy": x, "y.npy.gz": y,
			"r/other.npy": numpyOf(t, tensor.Int32, 0, 5, 5, 5, 5, 5, 5, 5, 5), "r/label.npy": y, "r/x.npy": x,
		})
		in := func(name string) string { return filepath.Join(dir, name) }
		for spec, to := range map[string]string{"npz:" + in("a.npz"): in("to.npz"), "npy:" + in("x.npy") + "," + in("y.npy.gz"): in("to"), "npy:" + in("r") + "?class=label": in("tor")} {
			for _, o := range []Options{{}, {Memory: 1 << 10}} {
				os.RemoveAll(to)
				d, err := o.Open(spec)
				if err != nil {
					t.Fatalf("%s, %s: %v", name, spec, err)
				}
				if d.Train.class() == nil {
					if name == "hot" && strings.Contains(spec, "class=") {
						continue // such rows are a field of their own there
					}
					t.Fatalf("%s, %s: no classes", name, spec)
				}
				w, err := d.WriteKept(t.Context(), relabeledOdd(t, d, map[int]int32{1: 2, 5: 0, 2: 1}), to, Copies)
				if err != nil {
					t.Errorf("%s, %s: %v", name, spec, err)
					continue
				}
				back, err := o.Open(w.Spec)
				if err != nil {
					t.Fatalf("%s, %s: %v", name, w.Spec, err)
				}
				for i, c := range want {
					if got := back.Train.Label(i); got != c {
						t.Errorf("%s, %s: sample %d is of class %d", name, spec, i, got)
					}
				}
				if back.Test != nil && (back.Test.Len() != 8 || back.Test.Label(1) != 1) {
					t.Errorf("%s, %s: the test set has changed", name, spec)
				}
			}
		}
	}
	two := func(y string) error {
		dir := lay(t, map[string]string{"x.npy": x, "y.npy": y})
		d, err := Open("npy:" + filepath.Join(dir, "x.npy") + "," + filepath.Join(dir, "y.npy"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.WriteKept(t.Context(), relabeledOdd(t, d, map[int]int32{1: 300, 5: 0}), filepath.Join(dir, "to"), Copies)
		return err
	}
	for y, want := range map[string]string{files["uint8"]: "class 300 is no uint8", files["hot"]: "class 300 has no place"} {
		if err := two(y); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}
