package dataset

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pare/npy"
	"pare/tensor"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// lay writes files into a new folder; those that end in .gz are gzipped.
func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if strings.HasSuffix(name, ".gz") {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			io.WriteString(z, text)
			z.Close()
			text = b.String()
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// contents reads a file, unpacked.
func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return string(b)
}

// keepOdd picks the samples of odd numbers of each set, without their first.
func keepOdd(t *testing.T, d *Data) (kept []*Set) {
	t.Helper()
	for _, s := range d.sets() {
		var odd []int32
		for i := range s.Len() {
			if s.at(i)%2 == 1 {
				odd = append(odd, int32(s.at(i)))
			}
		}
		k, err := s.Pick(odd)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, k)
	}
	return kept
}

// values are all that samples hold.
func values(t *testing.T, s *Set) string {
	t.Helper()
	var to []Buffer
	for k, f := range s.Fields {
		b := Buffer{Field: k, Raw: true}
		if f.Ints != nil {
			b.I = make([]int64, s.Len()*f.Size())
		} else {
			b.X = make([]float32, s.Len()*f.Size())
		}
		to = append(to, b)
	}
	l := &Loader{Set: s, Size: s.Len(), Norm: Raw}
	if _, err := l.FillContext(t.Context(), 0, 0, to); err != nil {
		t.Fatal(err)
	}
	text := ""
	for k, b := range to {
		text += fmt.Sprintln(s.Fields[k].Name, s.Fields[k].Shape, s.Fields[k].Names, b.I, b.X)
	}
	return text
}

// cutOdd writes half of the samples of a specification, in memory and streamed, and reads them back.
func cutOdd(t *testing.T, spec, to string) {
	t.Helper()
	for _, o := range []Options{{}, {Memory: 64}} {
		if err := os.RemoveAll(to); err != nil {
			t.Fatal(err)
		}
		d, err := o.Open(spec)
		for ; err != nil && o.Memory > 0 && o.Memory < 1<<20; o.Memory *= 2 { // the order of the samples needs some
			d, err = o.Open(spec)
		}
		if err != nil {
			t.Fatal(err)
		}
		kept := keepOdd(t, d)
		w, err := d.WriteKept(t.Context(), kept, to, Copies)
		if err != nil {
			t.Fatalf("%s, memory %d: %v", spec, o.Memory, err)
		}
		again, err := o.Open(w.Spec)
		if err != nil {
			t.Fatal(err)
		}
		if len(again.sets()) != len(kept) {
			t.Fatalf("%s: %d sets, not %d", w.Spec, len(again.sets()), len(kept))
		}
		for i, s := range again.sets() {
			if got, want := values(t, s), values(t, kept[i]); got != want {
				t.Errorf("%s, memory %d: the %s set is\n%s, not\n%s", w.Spec, o.Memory, s.Name, got, want)
			}
		}
	}
}

// Rows, lines and objects stay as they stood.
func TestCutRows(t *testing.T) {
	for name, c := range map[string]struct{ spec, in, want string }{
		"a.csv":      {"", "x,\"the, class\"\n1.50,cat\n# a remark\n\n2,\"cat\"\n3e0,cat\n4,\"a\nb\"", "x,\"the, class\"\n# a remark\n\n2,\"cat\"\n4,\"a\nb\""},
		"b.csv":      {"", "1;2;0\r\n3;4;1\r\n5;6;0\r\n07;8;1\r\n", "3;4;1\r\n07;8;1\r\n"},
		"c.csv":      {"?label=none", "a,b\n1,2\n3,04\n5,6\n", "a,b\n3,04\n"},
		"d.csv":      {"", "\xef\xbb\xbfu,v\n1,0\n 2,1\n3,0\n4,1\n", "\xef\xbb\xbfu,v\n 2,1\n4,1\n"},
		"e.csv.gz":   {"", "1,0\n2,1\n3,0\n4,1\n", "2,1\n4,1\n"},
		"f.tsv":      {"", "u\tv\n1\t0\n2\t1\n3\t0\n4\t1", "u\tv\n2\t1\n4\t1"},
		"g.jsonl":    {"", "{\"x\": 1.0,\"y\":0}\n\n{\"y\":1,  \"x\":2.5,\"z\":[]}\n{\"x\":3,\"y\":0}\n {\"x\":4,\"y\":1}", "{\"y\":1,  \"x\":2.5,\"z\":[]}\n{\"x\":4,\"y\":1}\n"},
		"h.json":     {"", "[{\"x\":1}, {\"x\" :2},\n{\"x\":3}, {\"x\":4}]", "[\n{\"x\" :2},\n{\"x\":4}\n]\n"},
		"i.jsonl.gz": {"", "{\"x\":1}{\"x\":2}{\"x\":3}", "{\"x\":2}\n"},
	} {
		kind, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimSuffix(name[2:], ".gz"), "l"), ".")
		kind = map[string]string{"csv": "csv", "tsv": "csv", "json": "jsonl"}[kind]
		if name == "g.jsonl" {
			c.spec = "?drop=z"
		}
		dir := lay(t, map[string]string{name: c.in})
		to := filepath.Join(dir, "to_"+name)
		cutOdd(t, kind+":"+filepath.Join(dir, name)+c.spec, to)
		if got := contents(t, to); got != c.want {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

// Files of several parts, and splits of one, go to a folder by their names.
func TestCutSeveral(t *testing.T) {
	dir := lay(t, map[string]string{"p/train-0.csv": "1,0\n2,1\n3,0\n", "p/train-1.csv": "4,1\n5,0\n6,1\n", "p/test.csv": "7,0\n8,1\n9,1\n"})
	to := filepath.Join(dir, "to")
	cutOdd(t, "csv:"+filepath.Join(dir, "p"), to)
	if got := contents(t, filepath.Join(to, "train-0.csv")) + "|" + contents(t, filepath.Join(to, "train-1.csv")) + "|" + contents(t, filepath.Join(to, "test.csv")); got != "2,1\n|4,1\n6,1\n|8,1\n" {
		t.Errorf("%q", got)
	}
	cutOdd(t, "csv:"+filepath.Join(dir, "p/train-0.csv")+","+filepath.Join(dir, "p/test.csv"), to)

	rows := ""
	for i := range 40 {
		rows += fmt.Sprintf("%d,%d\n", i, i%2)
	}
	one := filepath.Join(lay(t, map[string]string{"a.csv": rows}), "a.csv")
	d, err := Open("csv:" + one + "?val=.25")
	if err != nil {
		t.Fatal(err)
	}
	kept := []*Set{d.Train.First(3), d.Val.First(2)}
	w, err := d.WriteKept(t.Context(), kept, filepath.Join(dir, "a.csv"), Copies)
	if err != nil || w.Files != 1 {
		t.Fatal(err)
	}
	want := append(kept[0].indices(), kept[1].indices()...)
	slices.Sort(want)
	text := ""
	for _, k := range want {
		text += fmt.Sprintf("%d,%d\n", k, k%2)
	}
	if got := contents(t, filepath.Join(dir, "a.csv")); got != text {
		t.Errorf("%q, not %q", got, text)
	}
}

type row struct {
	X     float64   `parquet:"x,snappy"`
	Name  string    `parquet:"name,dict,zstd"`
	List  []float32 `parquet:"list,list"`
	Maybe *int64    `parquet:"maybe,optional"`
	Small int32     `parquet:"small"`
	Label int64     `parquet:"label"`
}

func rowsOf(t *testing.T, path string) (*parquet.File, []row) {
	t.Helper()
	rows, err := parquet.ReadFile[row](path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return f, rows
}

func TestCutParquet(t *testing.T) {
	dir := t.TempDir()
	path, to := filepath.Join(dir, "a.parquet"), filepath.Join(dir, "b.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewGenericWriter[row](f, parquet.KeyValueMetadata("huggingface", "{}"))
	for i := range 700 {
		r := row{X: float64(i) + .1, Name: fmt.Sprint("n", i%7), List: []float32{float32(i), -1}, Small: int32(i), Label: int64(i % 3)}
		if i%4 == 1 {
			r.Maybe = &r.Label
		}
		if _, err := w.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
		if i == 299 {
			w.Flush()
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	cutOdd(t, "parquet:"+path+"?drop=maybe", to)
	was, all := rowsOf(t, path)
	is, kept := rowsOf(t, to)
	var want []row
	for i, r := range all {
		if i%2 == 1 {
			want = append(want, r)
		}
	}
	if !reflect.DeepEqual(kept, want) {
		t.Error("the rows are not those that stay")
	}
	if a, b := was.Schema().String(), is.Schema().String(); a != b {
		t.Errorf("the schema is %s, not %s", b, a)
	}
	if n := len(is.RowGroups()); n != 2 || is.RowGroups()[0].NumRows() != 150 {
		t.Errorf("%d groups of rows, the first of %d", n, is.RowGroups()[0].NumRows())
	}
	for i, c := range was.Metadata().RowGroups[0].Columns {
		if d := is.Metadata().RowGroups[0].Columns[i]; c.MetaData.Codec != d.MetaData.Codec || c.MetaData.Type != d.MetaData.Type {
			t.Errorf("column %d is compressed by %v, not %v", i, d.MetaData.Codec, c.MetaData.Codec)
		}
	}
	if v, ok := is.Lookup("huggingface"); !ok || v != "{}" {
		t.Error("what the file says of itself is lost")
	}
}

// A type that would become another is refused.
func TestCutParquetTypes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.parquet")
	var b bytes.Buffer
	schema := parquet.NewSchema("rows", parquet.Group{"h": halves{parquet.Leaf(parquet.FixedLenByteArrayType(2))}, "x": parquet.Leaf(parquet.DoubleType)})
	w := parquet.NewGenericWriter[any](&b, schema)
	for i := range 9 {
		if _, err := w.WriteRows([]parquet.Row{{parquet.FixedLenByteArrayValue([]byte{0, byte(i)}).Level(0, 0, 0), parquet.DoubleValue(float64(i)).Level(0, 0, 1)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := Open("parquet:" + path + "?only=x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.WriteKept(t.Context(), keepOdd(t, d), filepath.Join(dir, "b.parquet"), Copies); err == nil || !strings.Contains(err.Error(), `column "h" would be written as another type than it has (FLOAT16)`) {
		t.Errorf("%v", err)
	}
}

// halves is a column of numbers of 16 bits.
type halves struct{ parquet.Node }

func (h halves) Type() parquet.Type { return half{h.Node.Type()} }

type half struct{ parquet.Type }

func (half) LogicalType() *format.LogicalType {
	return &format.LogicalType{Value: &format.Float16Type{}}
}

// fortran is an array of float64 in Fortran order, big-endian.
func fortran(n, m int) string {
	h := fmt.Sprintf("{'descr': '>f8', 'fortran_order': True, 'shape': (%d, %d), }", n, m)
	for (10+len(h)+1)%64 != 0 {
		h += " "
	}
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(h)+1), byte((len(h)+1)>>8))
	b = append(append(b, h...), '\n')
	for j := range m {
		for i := range n {
			b = binary.BigEndian.AppendUint64(b, uint64(0x3ff0<<48+i<<40+j<<32))
		}
	}
	return string(b)
}

func encoded(t *testing.T, of tensor.DType, shape ...int) string {
	t.Helper()
	x := tensor.New(of, shape...)
	b := x.Raw()
	for i := range b {
		b[i] = byte(i*7) % 4
		if of == tensor.Float32 {
			b[i] = byte(i*7) % 60
		}
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

func archived(files ...string) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, _ := z.CreateHeader(&zip.FileHeader{Name: files[i], Method: []uint16{zip.Store, zip.Deflate}[i/2%2]})
		io.WriteString(w, files[i+1])
	}
	z.Close()
	return b.String()
}

// Arrays keep their type, the order of their bytes and of their axes.
func TestCutArrays(t *testing.T) {
	x, y := encoded(t, tensor.Uint8, 9, 1, 3, 3), encoded(t, tensor.Int64, 9)
	y = y[:len(y)-72]
	for i := range 9 {
		y += string(binary.LittleEndian.AppendUint64(nil, uint64(i%3)))
	}
	dir := lay(t, map[string]string{
		"a.npz": archived("x_train.npy", x, "y_train.npy", y, "x_test.npy", x, "y_test.npy", y, "other.npy", y),
		"x.npy": x, "y.npy": y, "x.npy.gz": x, "y.npy.gz": y,
		"dir/u.npy": fortran(9, 3), "dir/v.npy": x, "dir/y.npy": y,
		"p/train-0.npz": archived("x.npy", x, "y.npy", y), "p/train-1.npz": archived("x.npy", x, "y.npy", y), "p/test.npz": archived("x.npy", x, "y.npy", y),
	})
	in := func(names ...string) string {
		var out []string
		for _, n := range names {
			out = append(out, filepath.Join(dir, n))
		}
		return strings.Join(out, ",")
	}
	to := filepath.Join(dir, "to")
	cutOdd(t, "npz:"+in("a.npz"), to+".npz")
	z, err := zip.OpenReader(to + ".npz")
	if err != nil || len(z.File) != 4 || z.File[0].Method != zip.Store || z.File[1].Method != zip.Deflate {
		t.Errorf("%v", err)
	}
	z.Close()
	cutOdd(t, "npy:"+in("x.npy", "y.npy"), to)
	cutOdd(t, "npy:"+in("x.npy.gz", "y.npy.gz"), to)
	if !strings.HasPrefix(contents(t, filepath.Join(to, "x.npy.gz")), "\x93NUMPY") {
		t.Error("the array is not gzipped any more")
	}
	cutOdd(t, "npz:"+in("p"), to)
	cutOdd(t, "npy:"+in("dir"), to)
	b := contents(t, filepath.Join(to, "u.npy"))
	h, err := npy.HeaderOf([]byte(b), len(b))
	if err != nil || !h.Big || !h.Fortran || h.Shape[0] != 4 || h.DType != tensor.Float64 {
		t.Errorf("%+v: %v", h, err)
	}
}

// dot is a picture of one colour.
func dot(v uint8) string {
	m := image.NewGray(image.Rect(0, 0, 2, 2))
	for i := range m.Pix {
		m.Pix[i] = v
	}
	m.SetGray(0, 0, color.Gray{Y: 255})
	var b bytes.Buffer
	png.Encode(&b, m)
	return b.String()
}

func TestCutFolder(t *testing.T) {
	dir := lay(t, map[string]string{"in/set/train/cat/1.png": dot(1), "in/set/train/cat/2.png": dot(2), "in/set/train/cat/bad.png": "\x89PNG\r\n\x1a\nno", "in/set/train/dog/1.png": dot(3), "in/set/train/dog/deep/4.png": dot(4),
		"in/set/train/owl/5.png": dot(5), "in/set/test/cat/6.png": dot(6), "in/set/test/dog/7.png": dot(7), "in/set/test/owl/8.png": dot(8), "in/set/test/owl/9.png": dot(9)})
	spec, to := "folder:"+filepath.Join(dir, "in")+"?corrupt=skip", filepath.Join(dir, "to")
	cutOdd(t, spec, to) // 2 and 4 of training: 5, the only owl, is gone
	for name, there := range map[string]bool{"set/train/cat/2.png": true, "set/train/cat/1.png": false, "set/train/dog/deep/4.png": true, "set/train/dog/1.png": false, "set/train/owl": true, "set/train/owl/5.png": false, "set/test/dog/7.png": true} {
		if exists(to, name) != there {
			t.Errorf("%s: there %v", name, !there)
		}
	}
	d, err := Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	y := *d.Train.class()
	y.Ints = slices.Clone(y.Ints)
	moved := *d.Train
	moved.Fields = []*Field{d.Train.X(), &y}
	y.Ints[0] = 1 // cat/1.png is a dog, where there is a 1.png
	for _, how := range []Copying{HardLinks, Symlinks, Copies} {
		to := filepath.Join(dir, string(how))
		w, err := d.WriteKept(t.Context(), []*Set{&moved, d.Test}, to, how)
		if err != nil {
			t.Fatal(err)
		}
		if w.Files != 9 || !exists(to, "set/train/dog/1_cat.png") || exists(to, "set/train/cat/1.png") {
			t.Errorf("%s: %+v", how, w)
		}
		a, err := os.Lstat(filepath.Join(to, "set/test/dog/7.png"))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := os.Stat(filepath.Join(dir, "in/set/test/dog/7.png"))
		if link := a.Mode()&os.ModeSymlink != 0; link != (how == Symlinks) || os.SameFile(a, b) != (how == HardLinks) {
			t.Errorf("%s: mode %v", how, a.Mode())
		}
		again, err := Open(w.Spec)
		if err != nil || again.Train.Len() != 5 || again.Train.Label(0) != 0 {
			t.Errorf("%s: %v", how, err)
		}
	}

	// Classes that are left out lose their folders, and those that stay keep their names.
	var dogs []*Set
	for _, s := range d.sets() {
		only, err := s.Only([]int32{1})
		if err != nil {
			t.Fatal(err)
		}
		dogs = append(dogs, only)
	}
	alone := filepath.Join(dir, "dogs")
	if _, err := d.WriteKept(t.Context(), dogs, alone, Copies); err != nil {
		t.Fatal(err)
	}
	if !exists(alone, "set/train/dog/1.png") || !exists(alone, "set/test/dog/7.png") || exists(alone, "set/train/cat") || exists(alone, "set/test/owl") {
		t.Error("not the dogs alone are there")
	}

	z := filepath.Join(lay(t, map[string]string{"a.zip": archived("cat/1.png", dot(1), "cat/2.png", dot(2), "dog/3.png", dot(3), "dog/4.png", dot(4))}), "a.zip")
	cutOdd(t, "zip:"+z, to)
	if d, err = Open("zip:" + z); err != nil {
		t.Fatal(err)
	}
	if d, err := Open(spec); err != nil {
		t.Fatal(err)
	} else if _, err := d.WriteKept(t.Context(), keepOdd(t, d), filepath.Join(dir, "in", "part"), Copies); err == nil || !strings.Contains(err.Error(), "lies in the folder of the data") {
		t.Errorf("a folder in the data: %v", err)
	}
	if _, err := d.WriteKept(t.Context(), keepOdd(t, d), filepath.Join(dir, "z"), Symlinks); err == nil || !strings.Contains(err.Error(), "zip file") {
		t.Errorf("links into a zip file: %v", err)
	}
}

// Fixed records, whose labels can be changed.
func TestCutFixed(t *testing.T) {
	images, classes := "\x00\x00\x08\x03\x00\x00\x00\x05\x00\x00\x00\x02\x00\x00\x00\x02", "\x00\x00\x08\x01\x00\x00\x00\x05\x00\x01\x02\x01\x00"
	for i := range 20 {
		images += string(rune(i))
	}
	var batch string
	for i := range 4 {
		batch += string(rune(i)) + strings.Repeat(string(rune(65+i)), cifarImage)
	}
	dir := lay(t, map[string]string{"train-images-idx3-ubyte.gz": images, "train-labels-idx1-ubyte.gz": classes, "t10k-images-idx3-ubyte": images, "t10k-labels-idx1-ubyte": classes,
		"c/data_batch_1.bin": batch, "c/data_batch_2.bin": batch, "c/test_batch.bin": batch})
	in := func(name string) string { return filepath.Join(dir, name) }
	to := filepath.Join(t.TempDir(), "to")
	cutOdd(t, "mnist:"+dir, to)
	if got := contents(t, filepath.Join(to, "train-labels-idx1-ubyte.gz")); got != "\x00\x00\x08\x01\x00\x00\x00\x02\x01\x01" {
		t.Errorf("%q", got)
	}
	cutOdd(t, "idx:"+in("train-images-idx3-ubyte.gz")+","+in("train-labels-idx1-ubyte.gz"), to)
	cutOdd(t, "cifar10:"+in("c"), to)
	if got := contents(t, filepath.Join(to, "test_batch.bin")); got != batch[cifarImage+1:2*cifarImage+2]+batch[3*cifarImage+3:] {
		t.Error("records of CIFAR are others")
	}
	for _, spec := range []string{"mnist:" + dir, "cifar10:" + in("c")} {
		d, err := Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		os.RemoveAll(to)
		y := *d.Train.class()
		y.Ints = slices.Clone(y.Ints)
		y.Ints[3] = 2
		s, err := d.Train.Pick([]int32{1, 3})
		if err != nil {
			t.Fatal(err)
		}
		s.Fields = []*Field{s.X(), &y}
		w, err := d.WriteKept(t.Context(), []*Set{s, d.Test}, to, Copies)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Open(w.Spec)
		if err != nil || again.Train.Len() != 2 || again.Train.Label(0) != 1 || again.Train.Label(1) != 2 || values(t, again.Test) != values(t, d.Test) {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

func TestCutRefuses(t *testing.T) {
	dir := lay(t, map[string]string{"a.csv": "1,0\n2,1\n3,0\n", "b.csv": "1,0\n2,1\n3,0\n", "full/x": "", "file": "",
		"x.npy": string(npyBytes("|u1", "3, 2", []byte{1, 2, 3, 4, 5, 6})), "y.npy": string(npyBytes("|u1", "3,", []byte{0, 1, 0}))})
	in := func(name string) string { return filepath.Join(dir, name) }
	one, err := Open("csv:" + in("a.csv"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := Open("csv:" + in("a.csv") + "," + in("b.csv"))
	if err != nil {
		t.Fatal(err)
	}
	digits, err := Open("digits")
	if err != nil {
		t.Fatal(err)
	}
	arrays, err := Open("npy:" + in("x.npy") + "," + in("y.npy"))
	if err != nil {
		t.Fatal(err)
	}
	y := *arrays.Train.class()
	y.Ints = []int32{1, 300, 0}
	other := *arrays.Train
	other.Fields = []*Field{other.X(), &y}
	for _, c := range []struct {
		d    *Data
		kept []*Set
		to   string
		how  Copying
		says string
	}{
		{one, one.sets(), in("c.npz"), Copies, "ends in .csv"}, {one, one.sets(), in("c.csv.gz"), Copies, "ends in .csv"}, {one, one.sets(), in("c.csv"), Symlinks, "only pictures"},
		{two, two.sets(), in("full"), Copies, "not empty"}, {two, two.sets(), in("file"), Copies, "is a file"}, {digits, digits.sets(), in("d.csv"), Copies, "kind digits"},
		{arrays, []*Set{&other}, in("c"), Copies, "class 300 is no uint8"}, {one, nil, in("c.csv"), Copies, "no samples"},
	} {
		if _, err := c.d.WriteKept(t.Context(), c.kept, c.to, c.how); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, not %q", c.to, err, c.says)
		}
	}
	if err := os.WriteFile(in("a.csv"), []byte("1,0\n2,1\n3,0\n4,1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := one.WriteKept(t.Context(), one.sets(), in("c.csv"), Copies); err == nil || !strings.Contains(err.Error(), "4 samples, and 3 were read") {
		t.Errorf("a file that has grown: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := two.WriteKept(ctx, two.sets(), in("e"), Copies); err == nil {
		t.Error("it was stopped and went on")
	}
	left, _ := filepath.Glob(in(".*"))
	if exists(dir, "c.csv") || exists(dir, "e") || len(left) > 0 {
		t.Errorf("something was left: %v", left)
	}
}
