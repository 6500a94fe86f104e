package dataset

import (
	"image"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Official files as they are found: with dots, in raw/, packed and unpacked, in
// folders of their own names, with either label of CIFAR-100.
func TestOfficial(t *testing.T) {
	img, lab := idx([]int{2, 1, 1}, 5, 6), idx([]int{2}, 1, 3)
	two := append([]byte{4, 77}, make([]byte, 3072)...)
	one := append([]byte{4}, make([]byte, 3072)...)
	for name, c := range map[string]struct {
		files       map[string][]byte
		kind, query string
		labels      []int32
		classes     int
		note, bad   string
	}{
		"dots":      {files: map[string][]byte{"train-images.idx3-ubyte": img, "train-labels.idx1-ubyte": lab}, kind: "mnist", labels: []int32{1, 3}, classes: 4, note: "no sample has class 0, 2"},
		"raw":       {files: map[string][]byte{"MNIST/raw/t10k-images-idx3-ubyte.gz": gzipped(img), "MNIST/raw/t10k-images-idx3-ubyte": img, "MNIST/raw/t10k-labels-idx1-ubyte": lab}, kind: "mnist", labels: []int32{1, 3}, classes: 4, note: "not t10k-images-idx3-ubyte.gz"},
		"folders":   {files: map[string][]byte{"train-images-idx3-ubyte/train-images-idx3-ubyte": img, "train-labels-idx1-ubyte/train-labels-idx1-ubyte": lab}, kind: "mnist", labels: []int32{1, 3}, classes: 4},
		"prefix":    {files: map[string][]byte{"emnist-letters-train-images-idx3-ubyte": img}, kind: "mnist", bad: "idx:IMAGES,LABELS"},
		"labels":    {files: map[string][]byte{"train-images-idx3-ubyte": img}, kind: "mnist", bad: "one each"},
		"fine":      {files: map[string][]byte{"train.bin": two, "test.bin": two}, kind: "cifar100", labels: []int32{77}, classes: 100, note: "100 fine"},
		"coarse":    {files: map[string][]byte{"train.bin": two, "test.bin": two}, kind: "cifar100", query: "label=coarse", labels: []int32{4}, classes: 20},
		"neither":   {files: map[string][]byte{"train.bin": two}, kind: "cifar100", query: "label=course", bad: "did you mean coarse"},
		"pickles":   {files: map[string][]byte{"data_batch_1": two, "test_batch": two}, kind: "cifar10", bad: "pickles"},
		"inside":    {files: map[string][]byte{"cifar-10-batches-bin/data_batch_1.bin": one}, kind: "cifar10", labels: []int32{4}, classes: 10, note: "1 of the 5 files"},
		"some tile": {files: map[string][]byte{"train.png": pngOf(image.NewGray(image.Rect(0, 0, 3, 1))), "train.labels": {1, 3}, "more.png": nil}, kind: "tiles", query: "size=1", labels: []int32{1, 3}, classes: 4, note: "1 tiles after"},
		"as text":   {files: map[string][]byte{"train.png": pngOf(image.NewGray(image.Rect(0, 0, 4, 1))), "train.labels": []byte("1\n3\n")}, kind: "tiles", query: "size=1", bad: "written as text"},
	} {
		dir := t.TempDir()
		for f, b := range c.files {
			write(t, filepath.Join(dir, filepath.FromSlash(f)), b)
		}
		d, err := Open(c.kind + ":" + dir + "?" + c.query)
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
		s := d.Train
		if s == nil {
			s = d.Test
		}
		if !slices.Equal(labelsOf(s), c.labels) || s.y().Classes != c.classes || !noted(d, c.note) || !noted(d, "is assumed") {
			t.Errorf("%s: labels %v of %d classes, notes %q", name, labelsOf(s), s.y().Classes, d.Notes)
		}
	}
}

// What text holds beside its letters is said.
func TestText(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"some\r\ntext\r\n": "carriage returns", "\ufeffsome text": "byte-order mark", "\xff\xfes\x00o\x00m\x00e\x00": "UTF-16", "some text": "",
	} {
		d := open(t, "text:"+write(t, filepath.Join(dir, "a.txt"), []byte(strings.Repeat(text, 4)))+"?seq=2")
		if !noted(d, want) && want != "" || want == "" && len(d.Notes) > 0 {
			t.Errorf("%q: notes %q", text, d.Notes)
		}
	}
}

// Samples and classes that do not fit a network say which option makes them.
func TestHints(t *testing.T) {
	images := func(shape ...int) *Field { return &Field{Shape: shape, Bytes: []uint8{1}} }
	for want, is := range map[string]string{
		"channels=3": images(1, 8, 8).ShapeHint([]int{3, 8, 8}), "channels=1": images(3, 8, 8).ShapeHint([]int{1, 8, 8}),
		"resize=4x5": images(3, 8, 8).ShapeHint([]int{3, 4, 5}), "length=9": (&Field{Shape: []int{8}, Tokens: 3}).ShapeHint([]int{9}),
		"base=1":     (&Field{Classes: 3, Ints: []int32{1, 2}}).ClassHint(2),
		"ignore=255": (&Field{Shape: []int{2}, Classes: 256, Ints: []int32{0, 255, 1, 255}}).ClassHint(2),
	} {
		if !strings.Contains(is, want) {
			t.Errorf("%q, want something with %q", is, want)
		}
	}
	for name, is := range map[string]string{
		"numbers": (&Field{Shape: []int{3, 8, 8}, Floats: []float32{1}}).ShapeHint([]int{3, 4, 4}), "flat": images(3, 8, 8).ShapeHint([]int{9}),
		"class 0 is there": (&Field{Classes: 3, Ints: []int32{0, 2}}).ClassHint(2), "too many": (&Field{Classes: 9, Ints: []int32{1, 8}}).ClassHint(2),
		"two classes over": (&Field{Shape: []int{2}, Classes: 9, Ints: []int32{0, 7, 8, 1}}).ClassHint(2),
	} {
		if is != "" {
			t.Errorf("%s: %q", name, is)
		}
	}
	s := New("test", &Field{Shape: []int{1}, Floats: []float32{1, 2}}, &Field{Classes: 3, Ints: []int32{1, 2}})
	b, err := s.Balanced(1, 1)
	if err != nil || b.Len() != 2 {
		t.Errorf("%v, %d samples", err, b.Len())
	}
}

// The built-in sets assume nothing.
func TestNoNotes(t *testing.T) {
	for _, spec := range []string{"digits?n=40", "glyph?n=40&test=10"} {
		if d := open(t, spec); len(d.Notes) > 0 {
			t.Errorf("%s: %q", spec, d.Notes)
		}
	}
}

// Bare paths whose kind can be seen.
func TestDetect(t *testing.T) {
	for file, want := range map[string]string{
		"cifar-10-batches-bin/test_batch.bin": "cifar10", "MNIST/raw/t10k-images-idx3-ubyte": "mnist", "train-images.idx3-ubyte": "mnist",
		"a/b/c/d/1.PNG": "folder", "a.TSV": "", "a.csv.gz": "",
	} {
		dir := t.TempDir()
		p := write(t, filepath.Join(dir, filepath.FromSlash(file)), nil)
		if want == "" {
			dir, want = p, "csv"
		}
		if got, _, err := detect(dir); got != want {
			t.Errorf("%s: %q (%v), want %q", file, got, err, want)
		}
	}
}
