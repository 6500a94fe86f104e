package dataset

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// raw is numbers as bytes.
func raw(order binary.AppendByteOrder, v any) []byte {
	var b []byte
	switch v := v.(type) {
	case []int64:
		for _, x := range v {
			b = order.AppendUint64(b, uint64(x))
		}
	case []float32:
		for _, x := range v {
			b = order.AppendUint32(b, math.Float32bits(x))
		}
	}
	return b
}

// rehead changes a NumPy header.
func rehead(b []byte, from, to string) []byte {
	n := 10 + int(b[8])
	h := bytes.Replace(b[10:n], []byte(from), []byte(to), 1)
	out := append(bytes.Clone(b[:8]), byte(len(h)), byte(len(h)>>8))
	return append(append(out, h...), b[n:]...)
}

func TestNPZ(t *testing.T) {
	le := binary.LittleEndian
	x := npyBytes("<f4", "2, 3", raw(le, []float32{1, 2, 3, 4, 5, 6}))
	y := npyBytes("<i8", "2,", raw(le, []int64{1, 3}))
	z := npyBytes("<i8", "2,", raw(le, []int64{0, 2}))
	fortran := rehead(npyBytes("<f4", "2, 3", raw(le, []float32{1, 4, 2, 5, 3, 6})), "False", "True")
	values := []float32{1, 2, 3, 4, 5, 6}
	dir := t.TempDir()
	for name, c := range map[string]struct {
		in     []entry
		query  string
		values []float32
		labels []int32
		class  int
		note   string
		bad    string
	}{
		"x, y":          {in: []entry{{"x.npy", x}, {"y.npy", y}}, values: values, labels: []int32{1, 3}, class: 4, note: "array x, labels y"},
		"X, Y":          {in: []entry{{"X.npy", x}, {"Y.npy", y}}, values: values, labels: []int32{1, 3}, class: 4, note: "array X, labels Y"},
		"X_train":       {in: []entry{{"X_train.npy", x}, {"y_train.npy", y}, {"X_test.npy", x}, {"y_test.npy", z}}, values: values, labels: []int32{1, 3}, class: 4, note: "test set are array X_test"},
		"medmnist":      {in: []entry{{"train_images.npy", x}, {"train_labels.npy", y}, {"val_images.npy", x}, {"val_labels.npy", y}, {"test_images.npy", x}, {"test_labels.npy", y}}, values: values, labels: []int32{1, 3}, class: 4, note: "validation"},
		"arr":           {in: []entry{{"arr_0.npy", x}, {"arr_1.npy", y}}, values: values, labels: []int32{1, 3}, class: 4, note: "array arr_0, labels arr_1"},
		"data, target":  {in: []entry{{"data.npy", x}, {"target.npy", y}, {"ids.npy", y}}, values: values, labels: []int32{1, 3}, class: 4, note: "not used: ids"},
		"named":         {in: []entry{{"u.npy", x}, {"v.npy", y}}, query: "x=u&y=v", values: values, labels: []int32{1, 3}, class: 4},
		"with a slash":  {in: []entry{{"net/u.npy", x}, {"net/v.npy", y}}, query: "x=net/u&y=net/v", values: values, labels: []int32{1, 3}, class: 4},
		"column":        {in: []entry{{"x.npy", x}, {"y.npy", npyBytes("<i8", "2, 1", raw(le, []int64{1, 3}))}}, values: values, labels: []int32{1, 3}, class: 4, note: "one for each sample"},
		"one-hot":       {in: []entry{{"x.npy", x}, {"y.npy", npyBytes("|u1", "2, 3", []byte{0, 1, 0, 1, 0, 0})}}, values: values, labels: []int32{1, 0}, class: 3, note: "place of the class"},
		"one-hot float": {in: []entry{{"x.npy", x}, {"y.npy", npyBytes("<f4", "2, 2", raw(le, []float32{0, 1, 1, 0}))}}, values: values, labels: []int32{1, 0}, class: 2, note: "place of the class"},
		"whole floats":  {in: []entry{{"x.npy", x}, {"y.npy", npyBytes("<f4", "2,", raw(le, []float32{1, 3}))}}, values: values, labels: []int32{1, 3}, class: 4},
		"big-endian":    {in: []entry{{"x.npy", npyBytes(">f4", "2, 3", raw(binary.BigEndian, values))}, {"y.npy", npyBytes(">i8", "2,", raw(binary.BigEndian, []int64{1, 3}))}}, values: values, labels: []int32{1, 3}, class: 4},
		"fortran":       {in: []entry{{"x.npy", fortran}, {"y.npy", y}}, values: values, labels: []int32{1, 3}, class: 4},
		"python 2":      {in: []entry{{"x.npy", npyBytes("<f4", "2L, 3L", raw(le, values))}, {"y.npy", y}}, values: values, labels: []int32{1, 3}, class: 4},
		"whole numbers": {in: []entry{{"x.npy", npyBytes("<i8", "2, 1", raw(le, []int64{7, 9}))}, {"y.npy", y}}, values: []float32{7, 9}, labels: []int32{1, 3}, class: 4},
		"base":          {in: []entry{{"x.npy", x}, {"y.npy", y}}, query: "base=1", values: values, labels: []int32{0, 2}, class: 3},

		"x alone": {in: []entry{{"x.npy", x}, {"y.npy", y}}, query: "x=x", bad: "both are needed"},
		"absent":  {in: []entry{{"x.npy", x}, {"y.npy", y}}, query: "x=xx&y=y", bad: `no array "xx" (did you mean x?)`},
		"texts":   {in: []entry{{"x.npy", x}, {"y.npy", npyBytes("<U2", "2,", make([]byte, 16))}}, bad: "numpy.unique"},
		"objects": {in: []entry{{"x.npy", npyBytes("|O", "2, 3", nil)}, {"y.npy", y}}, bad: "Python's objects"},
		"fields": {in: []entry{{"x.npy", rehead(npyBytes("#", "2, 3", nil), "'#'", "[('a', '<f4'), ('b', '<f4')]")}, {"y.npy", y}},
			bad: "several fields"},
		"complex":       {in: []entry{{"x.npy", npyBytes("<c8", "2, 3", make([]byte, 48))}, {"y.npy", y}}, bad: "complex"},
		"large numbers": {in: []entry{{"x.npy", npyBytes("<i8", "2, 1", raw(le, []int64{7, 1<<24 + 1}))}, {"y.npy", y}}, bad: "too large"},
		"bytes and numbers": {in: []entry{{"x_train.npy", x}, {"y_train.npy", y}, {"x_test.npy", npyBytes("|u1", "2, 3", make([]byte, 6))}, {"y_test.npy", y}},
			bad: "holds bytes, the other numbers"},
		"shapes": {in: []entry{{"x_train.npy", x}, {"y_train.npy", y}, {"x_test.npy", npyBytes("<f4", "2, 1", make([]byte, 8))}, {"y_test.npy", y}}, bad: "one shape"},
		"layout": {in: []entry{{"x.npy", x}, {"y.npy", y}}, query: "layout=nhwc", bad: "three axes"},
	} {
		file := write(t, filepath.Join(dir, "a.npz"), zipped(zip.Deflate, c.in...))
		d, err := Open("npz:" + file + "?" + c.query)
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%s: %v, want something with %q", name, err, c.bad)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s := d.Train; !slices.Equal(s.X().Floats, c.values) || !slices.Equal(labelsOf(s), c.labels) || s.y().Classes != c.class {
			t.Errorf("%s: values %v, labels %v of %d classes", name, s.X().Floats, labelsOf(s), s.y().Classes)
		}
		if !noted(d, c.note) {
			t.Errorf("%s: no note with %q: %q", name, c.note, d.Notes)
		}
	}
}

// Where the channels are is said, and can be said.
func TestLayout(t *testing.T) {
	dir := t.TempDir()
	y := write(t, filepath.Join(dir, "y.npy"), npyBytes("|u1", "1,", []byte{0}))
	for _, c := range []struct {
		shape, query string
		want         []int
		first        []byte
		note         string
	}{
		{"1, 2, 2, 3", "", []int{3, 2, 2}, []byte{0, 3, 6, 9}, "became [3 2 2]"},
		{"1, 2, 2, 3", "layout=nchw", []int{2, 2, 3}, []byte{0, 1, 2, 3}, ""},
		{"1, 2, 2, 4", "", []int{2, 2, 4}, []byte{0, 1, 2, 3}, "left so"},
		{"1, 2, 2, 4", "layout=nhwc", []int{4, 2, 2}, []byte{0, 4, 8, 12}, ""},
		{"1, 3, 2, 3", "", []int{3, 2, 3}, []byte{0, 1, 2, 3}, "left so"},
		{"1, 4, 2", "", []int{1, 4, 2}, []byte{0, 1, 2, 3}, "one channel"},
	} {
		n := 1
		for _, w := range strings.Split(c.shape, ", ") {
			n *= int(w[0] - '0')
		}
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(i)
		}
		x := write(t, filepath.Join(dir, "x.npy"), npyBytes("|u1", c.shape, data))
		d := open(t, "npy:"+x+","+y+"?"+c.query)
		if !slices.Equal(d.Train.X().Shape, c.want) || !slices.Equal(d.Train.X().Bytes[:4], c.first) || !noted(d, c.note) {
			t.Errorf("%s %s: shape %v, %v, notes %q", c.shape, c.query, d.Train.X().Shape, d.Train.X().Bytes, d.Notes)
		}
	}
}

// A network may take whole numbers where a file has numbers, and numbers where
// it has text.
func TestWholeInputs(t *testing.T) {
	s := New("", &Field{Shape: []int{3}, Floats: []float32{5, 6, 7, 8, 9, 10}}, &Field{Classes: 2, Ints: []int32{1, 0}})
	if err := s.CheckWhole(s.X()); err != nil {
		t.Error(err)
	}
	want := []int64{5, 6, 7, 8, 9, 10}
	tokens, y := make([]int64, 6), make([]int64, 2)
	l := &Loader{Set: s, Size: 2, Norm: Unit}
	if filled(l, 0, 0, nil, tokens, y); !slices.Equal(tokens, want) || !slices.Equal(y, []int64{1, 0}) {
		t.Errorf("tokens %v, labels %v", tokens, y)
	}
	a := NewAhead(&Loader{Set: s, Size: 2, Norm: Raw})
	x := make([]float32, 6)
	for range 2 {
		clear(tokens)
		if filled(a, 0, 0, nil, tokens, y); !slices.Equal(tokens, want) {
			t.Errorf("tokens ahead %v", tokens)
		}
		if filled(a, 1, 0, x, nil, y); !slices.Equal(x, s.X().Floats) {
			t.Errorf("numbers ahead %v", x)
		}
	}
	text := New("", &Field{Shape: []int{3}, Ints: []int32{5, 6, 7, 8, 9, 10}}, &Field{Shape: []int{3}, Classes: 256, Ints: make([]int32, 6)})
	l = &Loader{Set: text, Size: 2, Norm: Raw}
	if filled(l, 0, 0, x, nil, make([]int64, 6)); !slices.Equal(x, s.X().Floats) {
		t.Errorf("numbers of text %v", x)
	}
	a.Close() // it reads ahead until then
	s.X().Floats[4] = .5
	if err := s.CheckWhole(s.X()); err == nil || !strings.Contains(err.Error(), "sample 1") {
		t.Error(err)
	}
}

// Columns by their usual names or by option; classes by number, by the names
// that the file gives them, or as texts.
func TestParquetColumns(t *testing.T) {
	img := pngOf(grayPicture(1, 1, 7))
	type texts struct {
		Image []byte `parquet:"image"`
		Label string `parquet:"label,dict"`
	}
	type two struct {
		Img    []byte `parquet:"img"`
		Fine   int64  `parquet:"fine_label"`
		Coarse int64  `parquet:"coarse_label"`
	}
	names := parquet.KeyValueMetadata("huggingface", `{"info": {"features": {"fine_label": {"names": ["ant", "bee", "cat", "dog", "elk"], "_type": "ClassLabel"}}}}`)
	few := parquet.KeyValueMetadata("huggingface", `{"info": {"features": {"fine_label": {"names": ["ant"], "_type": "ClassLabel"}}}}`)
	dir := t.TempDir()
	for name, c := range map[string]struct {
		file   []byte
		query  string
		labels []int32
		class  int
		note   string
		bad    string
	}{
		"texts":  {file: parquetOf(t, 3, func(i int) texts { return texts{img, []string{"dog", "cat", "dog"}[i]} }), labels: []int32{1, 0, 1}, class: 2, note: "0 cat, 1 dog"},
		"digits": {file: parquetOf(t, 2, func(i int) texts { return texts{img, []string{"3", "1"}[i]} }), labels: []int32{3, 1}, class: 4},
		"fine":   {file: parquetOf(t, 2, func(i int) two { return two{img, int64(3 - i), 1} }), labels: []int32{3, 2}, class: 4, note: "not coarse_label"},
		"coarse": {file: parquetOf(t, 2, func(i int) two { return two{img, int64(3 - i), 1} }), query: "label=coarse_label", labels: []int32{1, 1}, class: 2},
		"named":  {file: parquetOf(t, 2, func(i int) two { return two{img, int64(3 - i), 1} }, names), labels: []int32{3, 2}, class: 5, note: "4 elk"},
		"fewer":  {file: parquetOf(t, 2, func(i int) two { return two{img, int64(3 - i), 1} }, few), bad: "names 1 classes"},
		"hidden": {file: parquetOf(t, 2, func(i int) two { return two{img, -1, 1} }), bad: "row 0: label -1"},
		"number": {file: parquetOf(t, 2, func(i int) two { return two{img, 0, 1} }), query: "image=fine_label", bad: "no bytes of images"},
		"bad":    {file: parquetOf(t, 2, func(i int) texts { return texts{img[:30+10*(1-i)], "a"} }), bad: "row 0"},
	} {
		file := write(t, filepath.Join(dir, "a.parquet"), c.file)
		d, err := Open("parquet:" + file + "?" + c.query)
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%s: %v, want something with %q", name, err, c.bad)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s := d.Train; !slices.Equal(labelsOf(s), c.labels) || s.y().Classes != c.class || !noted(d, c.note) || s.X().Shape[0] != 1 {
			t.Errorf("%s: labels %v of %d classes, shape %v, notes %q", name, labelsOf(s), s.y().Classes, s.X().Shape, d.Notes)
		}
	}
}
