package dataset

import (
	"archive/zip"
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

func write(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// idx makes an idx file of bytes.
func idx(dims []int, data ...byte) []byte {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = append(b, byte(d>>24), byte(d>>16), byte(d>>8), byte(d))
	}
	return append(b, data...)
}

func picture(w, h int, c color.Color) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		m.Set(i%w, i/w, c)
	}
	return m
}

func pngOf(m image.Image) []byte {
	var b bytes.Buffer
	png.Encode(&b, m) //nolint:errcheck // a buffer takes all
	return b.Bytes()
}

func open(t *testing.T, spec string) *Data {
	t.Helper()
	d, err := Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestReaders(t *testing.T) {
	dir := t.TempDir()
	rec := append([]byte{3}, make([]byte, 3072)...)
	rec[1], rec[1+1024] = 10, 20
	write(t, filepath.Join(dir, "cifar", "data_batch_1.bin"), append(rec, rec...))
	write(t, filepath.Join(dir, "cifar", "test_batch.bin"), rec)
	write(t, filepath.Join(dir, "mnist", "train-images-idx3-ubyte"), idx([]int{2, 2, 2}, 1, 2, 3, 4, 5, 6, 7, 8))
	write(t, filepath.Join(dir, "mnist", "train-labels-idx1-ubyte"), idx([]int{2}, 1, 0))
	red, blue := color.NRGBA{200, 0, 0, 255}, color.NRGBA{0, 0, 100, 255}
	write(t, filepath.Join(dir, "img", "train", "a", "1.png"), pngOf(picture(4, 4, red)))
	var j bytes.Buffer
	jpeg.Encode(&j, picture(4, 4, blue), nil) //nolint:errcheck // a buffer takes all
	write(t, filepath.Join(dir, "img", "train", "b", "1.jpg"), j.Bytes())
	write(t, filepath.Join(dir, "img", "test", "b", "1.png"), pngOf(picture(4, 4, blue)))
	var z bytes.Buffer
	zw := zip.NewWriter(&z)
	for _, n := range []string{"x/cat/1.png", "x/dog/2.png"} {
		w, _ := zw.Create(n)
		w.Write(pngOf(picture(3, 2, red))) //nolint:errcheck // a buffer takes all
	}
	zw.Close()
	write(t, filepath.Join(dir, "a.zip"), z.Bytes())
	m := image.NewNRGBA(image.Rect(0, 0, 8, 4))
	m.Set(5, 1, red)
	write(t, filepath.Join(dir, "tiles", "test.png"), pngOf(m))
	write(t, filepath.Join(dir, "tiles", "test.labels"), []byte{4, 1})
	write(t, filepath.Join(dir, "a.csv"), []byte("u,v,class\n1,2,b\n3,4,a\n"))
	write(t, filepath.Join(dir, "a.txt"), bytes.Repeat([]byte("abcdefgh"), 20))
	z.Reset()
	zw = zip.NewWriter(&z)
	npy := func(name, head string, data []byte) {
		w, _ := zw.Create(name + ".npy")
		w.Write(append([]byte("\x93NUMPY\x01\x00"+string([]byte{byte(len(head)), 0})+head), data...)) //nolint:errcheck // a buffer takes all
	}
	npy("x", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 2, 3), }", slices.Repeat([]byte{1, 2, 3}, 8))
	npy("y", "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	zw.Close()
	write(t, filepath.Join(dir, "a.npz"), z.Bytes())
	array := func(name, head string, data []byte) string {
		return write(t, filepath.Join(dir, name), append([]byte("\x93NUMPY\x01\x00"+string([]byte{byte(len(head)), 0})+head), data...))
	}
	xs := array("x.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }", []byte{0, 0, 128, 63, 0, 0, 0, 64})
	ys := array("y.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", []byte{1, 0})
	write(t, filepath.Join(dir, "t.csv"), []byte("u,v,class\n5,6,a\n1,2,b\n"))
	image3 := filepath.Join(dir, "mnist", "train-images-idx3-ubyte") + "," + filepath.Join(dir, "mnist", "train-labels-idx1-ubyte")
	type row struct {
		Image struct {
			Bytes []byte `parquet:"bytes"`
			Path  string `parquet:"path"`
		} `parquet:"image"`
		Label int64 `parquet:"label"`
	}
	rows := make([]row, 3)
	for i := range rows {
		rows[i].Image.Bytes, rows[i].Label = pngOf(picture(2, 2, red)), int64(i)
	}
	if err := parquet.WriteFile(filepath.Join(dir, "a.parquet"), rows); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		spec        string
		train, test int
		shape       []int
		classes     int
		labels      []int32
	}{
		{filepath.Join(dir, "cifar"), 2, 1, []int{3, 32, 32}, 10, []int32{3, 3}},
		{filepath.Join(dir, "mnist"), 2, 0, []int{1, 2, 2}, 2, []int32{1, 0}},
		{filepath.Join(dir, "img"), 2, 1, []int{3, 4, 4}, 2, []int32{0, 1}},
		{filepath.Join(dir, "a.zip"), 2, 0, []int{3, 2, 3}, 2, []int32{0, 1}},
		{"tiles:" + filepath.Join(dir, "tiles") + "?size=4", 0, 2, []int{3, 4, 4}, 5, nil},
		{filepath.Join(dir, "a.csv"), 2, 0, []int{2}, 2, []int32{1, 0}},
		{"csv:" + filepath.Join(dir, "a.csv") + "?label=class", 2, 0, []int{2}, 2, []int32{1, 0}},
		{filepath.Join(dir, "a.txt") + "?seq=4", 35, 4, []int{4}, 256, nil},
		{filepath.Join(dir, "a.npz"), 2, 0, []int{3, 2, 2}, 2, []int32{1, 0}},
		{"npy:" + xs + "," + ys, 2, 0, []int{1}, 2, []int32{1, 0}},
		{"npy:" + xs + "," + ys + "," + xs + "," + ys, 2, 2, []int{1}, 2, []int32{1, 0}},
		{"idx:" + image3 + "," + image3, 2, 2, []int{1, 2, 2}, 2, []int32{1, 0}},
		{"csv:" + filepath.Join(dir, "a.csv") + "," + filepath.Join(dir, "t.csv"), 2, 2, []int{2}, 2, []int32{1, 0}},
		{filepath.Join(dir, "a.parquet"), 3, 0, []int{3, 2, 2}, 3, []int32{0, 1, 2}},
		{"digits", 1438, 359, []int{1, 8, 8}, 10, nil},
		{"glyph?n=30&test=20", 30, 20, []int{1, 8, 8}, 10, nil},
		{"digits?val=0.1&n=100&test_n=5", 100, 5, []int{1, 8, 8}, 10, nil},
	} {
		d := open(t, c.spec)
		s := d.Train
		if s == nil {
			s = d.Test
		}
		if d.Train.Len() != c.train || d.Test.Len() != c.test || !slices.Equal(s.X().Shape, c.shape) || s.y().Classes != c.classes {
			t.Errorf("%s: %d and %d samples of %v in %d classes", c.spec, d.Train.Len(), d.Test.Len(), s.X().Shape, s.y().Classes)
		}
		for i, l := range c.labels {
			if s.Label(i) != l {
				t.Errorf("%s: label %d is %d, want %d", c.spec, i, s.Label(i), l)
			}
		}
	}
	d := open(t, "cifar10:"+filepath.Join(dir, "cifar")+"?norm=raw")
	x, y := make([]float32, 2*3072), make([]int64, 2)
	l := &Loader{Set: d.Train, Size: 2, Norm: d.Norm}
	if filled(l, 0, 0, x, nil, y) != 2 || x[0] != 10 || x[1024] != 20 || y[1] != 3 {
		t.Errorf("batch begins %v %v, labels %v", x[0], x[1024], y)
	}
	d = open(t, "tiles:"+filepath.Join(dir, "tiles")+"?size=4&norm=raw")
	if i := 48 + 5; d.Test.X().Bytes[i] != 200 {
		t.Errorf("the second tile's pixel (1,1) is %d", d.Test.X().Bytes[i])
	}
	d = open(t, filepath.Join(dir, "a.npz")+"?norm=raw")
	if b := d.Train.X().Bytes[:12]; !slices.Equal(b, []byte{1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3}) {
		t.Errorf("channels last became %v", b)
	}
}

// A part that lacks a class numbers the others as the whole does.
func TestSameClasses(t *testing.T) {
	dir := t.TempDir()
	for i, f := range []string{"train/a/1", "train/b/1", "train/c/1", "test/c/1", "test/a/1"} {
		write(t, filepath.Join(dir, "img", f+".png"), pngOf(picture(1, 1, color.NRGBA{uint8(i), 0, 0, 255})))
	}
	var z bytes.Buffer
	zw := zip.NewWriter(&z)
	for _, f := range []string{"train/a/1", "train/b/1", "train/c/1", "test/c/1", "test/a/1"} {
		w, _ := zw.Create(f + ".png")
		w.Write(pngOf(picture(1, 1, color.White))) //nolint:errcheck // a buffer takes all
	}
	zw.Close()
	write(t, filepath.Join(dir, "a.zip"), z.Bytes())
	write(t, filepath.Join(dir, "r.csv"), []byte("1,b\n1,d\n1,c\n"))
	write(t, filepath.Join(dir, "s.csv"), []byte("1,d\n1,b\n"))
	for _, spec := range []string{filepath.Join(dir, "img"), filepath.Join(dir, "a.zip"), "csv:" + filepath.Join(dir, "r.csv") + "," + filepath.Join(dir, "s.csv")} {
		d := open(t, spec)
		if d.Test.Len() != 2 || d.Test.Class().Classes != 3 {
			t.Fatalf("%s: %d test samples in %d classes", spec, d.Test.Len(), d.Test.Class().Classes)
		}
		got := []int32{d.Test.Label(0), d.Test.Label(1)}
		slices.Sort(got)
		if !slices.Equal(got, []int32{0, 2}) {
			t.Errorf("%s: test labels %v, want 0 and 2", spec, got)
		}
	}
}

// filler is a loader, or one that reads ahead.
type filler interface {
	Fill(epoch, i int, to []Buffer) (int, error)
}

// filled fills a batch of samples and classes.
func filled(l filler, epoch, i int, x []float32, tokens, y []int64) int {
	n, err := l.Fill(epoch, i, []Buffer{{X: x, I: tokens}, {Field: 1, I: y}})
	if err != nil {
		panic(err)
	}
	return n
}

// Order and augmentation are functions of seed, epoch and sample alone.
func TestOrder(t *testing.T) {
	tr, _ := Glyph(2, .5, 50, 10, 1)
	get := func(epochs ...int) []float32 {
		l := &Loader{Set: tr, Size: 7, Norm: Raw, Shuffle: true, Seed: 5, Augment: Augment{Crop: 2, Flip: true}}
		x, y := make([]float32, 7*64), make([]int64, 7)
		for _, e := range epochs {
			filled(l, e, 3, x, nil, y)
		}
		return x
	}
	if !slices.Equal(get(4), get(0, 1, 9, 4)) {
		t.Error("epoch 4 depends on what came before")
	}
	if slices.Equal(get(4), get(5)) {
		t.Error("epochs 4 and 5 are alike")
	}
	l := &Loader{Set: tr, Size: 50, Norm: Raw, Shuffle: true}
	x, y := make([]float32, 50*64), make([]int64, 50)
	to := []Buffer{{X: x}, {Field: 1, I: y}}
	l.Fill(1, 0, to)
	if a := testing.AllocsPerRun(5, func() { l.Fill(1, 0, to) }); a != 0 {
		t.Errorf("%v allocations a batch", a)
	}
	var per [10]int
	for _, c := range y {
		per[c]++
	}
	if per != [10]int{5, 5, 5, 5, 5, 5, 5, 5, 5, 5} {
		t.Errorf("an epoch has %v of each class", per)
	}
}

func TestGlyph(t *testing.T) {
	a, _ := Glyph(1, 0, 10, 10, 3)
	s := 0.0
	for _, v := range a.X().Floats[:64] {
		s += float64(v) * float64(v)
	}
	if math.Abs(s/64-1) > 1e-5 {
		t.Errorf("mean square of a prototype is %v", s/64)
	}
	b, _ := Glyph(1, 0, 10, 10, 3)
	if a.Digest() != b.Digest() {
		t.Error("one seed gives two sets")
	}
}

func TestBadData(t *testing.T) {
	dir := t.TempDir()
	f := func(name string, b []byte) string { return write(t, filepath.Join(dir, name), b) }
	lab := f("lab", idx([]int{2}, 0, 1))
	for spec, want := range map[string]string{
		"nosuch:x":                   "no kind",
		filepath.Join(dir, "absent"): "no such file",
		"digits?n=x":                 "not a number",
		"digits?n=-3":                "at least 1",
		"digits?colour=red":          "no option",
		"digits?norm=nosuch":         "no normalisation",
		"digits?mean=0&std=0":        "not positive",
		"digits?val=1.5":             "between",
		"digits?val=0.0001":          "validation set is empty",
		"npy:x.npy":                  "X.npy,Y.npy",
		"idx:a,b,c":                  "IMAGES,LABELS",
		"cifar10:" + filepath.Dir(f("c/test_batch.bin", make([]byte, 100))):                            "cut short",
		"cifar10:" + filepath.Dir(f("d/test_batch.bin", append([]byte{77}, make([]byte, 3072)...))):    "label 77",
		"idx:" + f("i1", idx([]int{2, 2, 2}, 1)) + "," + lab:                                           "fit",
		"idx:" + f("i2", idx([]int{1 << 30, 1 << 30}, 1)) + "," + lab:                                  "fit",
		"idx:" + f("i3", idx([]int{3, 1}, 1, 2, 3)) + "," + lab:                                        "labels",
		"idx:" + f("i4", []byte("hello")) + "," + lab:                                                  "idx",
		f("a.csv", []byte("1,2\n3,x\n4,5,6\n")):                                                        "wrong number of fields",
		f("b.csv", []byte("1,0\nNaN,1\n")):                                                             "not a number",
		f("c.csv", nil):                                                                                "no samples",
		f("a.zip", []byte("PK hello")):                                                                 "zip",
		f("a.npz", []byte("PK hello")):                                                                 "zip",
		f("a.parquet", []byte("PAR1 hello PAR1")):                                                      "a.parquet",
		"tiles:" + f("t.png", []byte("\x89PNG\r\n\x1a\n")) + "," + lab:                                 "t.png",
		"folder:" + filepath.Dir(filepath.Dir(f("e/a/1.png", pngOf(picture(2, 2, color.White))[:30]))): "1.png",
		"text:" + f("a.txt", []byte("ab")):                                                             "less than one",
	} {
		if _, err := Open(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", spec, err, want)
		}
	}
	tr, _ := Glyph(1, .1, 20, 20, 1)
	if err := tr.First(0).Sound(); err == nil {
		t.Error("an empty set was accepted")
	}
	if err := tr.Sound(); err != nil {
		t.Error(err)
	}
	tr.y().Ints[3] = 12
	if tr.Sound() == nil {
		t.Error("a label out of range was accepted")
	}
}

// What is filled ahead is what would be filled at once, in any order.
func TestAhead(t *testing.T) {
	tr, _ := Glyph(2, .5, 50, 10, 1)
	mk := func() *Loader {
		return &Loader{Set: tr, Size: 8, Norm: Raw, Shuffle: true, Seed: 5, Augment: Augment{Crop: 2}}
	}
	l, a := mk(), NewAhead(mk())
	defer a.Close()
	x, z, y, w := make([]float32, 8*64), make([]float32, 8*64), make([]int64, 8), make([]int64, 8)
	for _, at := range [][2]int{{0, 0}, {0, 1}, {0, 2}, {0, 5}, {1, 0}, {0, 1}, {7, 3}} {
		if filled(l, at[0], at[1], x, nil, y) != filled(a, at[0], at[1], z, nil, w) || !slices.Equal(x, z) || !slices.Equal(y, w) {
			t.Errorf("batch %v differs", at)
		}
	}
}
