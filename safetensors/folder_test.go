package safetensors

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pare/internal/hostile"
	"pare/tensor"
)

// same compares what a reader gives with a file in memory.
func same(t *testing.T, r *Reader, f *File) {
	t.Helper()
	names := r.Names()
	slices.Sort(names)
	want := slices.Sorted(slices.Values(f.Names))
	if !slices.Equal(names, want) {
		t.Fatalf("names %v, want %v", names, want)
	}
	for _, name := range names {
		x, err := r.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		y := f.Tensors[name]
		d, shape, ok := r.Info(name)
		if !ok || d != y.DType || !slices.Equal(shape, y.Shape) || x.DType != d || !reflect.DeepEqual(x.Raw(), y.Raw()) {
			t.Errorf("%s: %v of %v %v, want %v", name, x, d, shape, y)
		}
	}
	if _, err := r.Read("none"); err == nil || !strings.Contains(err.Error(), `"none"`) {
		t.Errorf("a name that there is not: %v", err)
	}
	if _, _, ok := r.Info("none"); ok {
		t.Error("a name that there is not has type and shape")
	}
}

// put writes a file into a folder, in shards of at most shard bytes, last tensor first.
func put(t *testing.T, dir string, f *File, shard int) {
	t.Helper()
	infos, err := f.infos()
	if err != nil {
		t.Fatal(err)
	}
	w, err := CreateFolder(dir, infos, shard, f.Meta)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, name := range slices.Backward(f.Names) {
		if err := w.Write(name, f.Tensors[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range es {
		out = append(out, e.Name())
	}
	return out
}

// A folder is written in one file or in several and read as one set; what was in it
// before is replaced, and nothing else in it is touched.
func TestFolder(t *testing.T) {
	f := every(t)
	dir := filepath.Join(t.TempDir(), "new", "folder")
	total := 0
	for _, x := range f.Tensors {
		total += x.Bytes()
	}
	for _, c := range []struct {
		shard int
		files []string
	}{
		{0, []string{single}},
		{total, []string{single}},
		{total - 1, []string{shardName(0, 2), shardName(1, 2), index}},
		{60, nil},
		{total - 1, []string{shardName(0, 2), shardName(1, 2), index}},
		{total, []string{single}},
	} {
		put(t, dir, f, c.shard)
		files := list(t, dir)
		if c.files != nil && !slices.Equal(slices.DeleteFunc(files, func(s string) bool { return s == "config.json" }), slices.Sorted(slices.Values(c.files))) {
			t.Errorf("shards of %d bytes: %v", c.shard, files)
		}
		r, err := OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		same(t, r, f)
		if !reflect.DeepEqual(r.Meta, f.Meta) {
			t.Errorf("metadata %v", r.Meta)
		}
		r.Close()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if files := list(t, dir); !slices.Contains(files, "config.json") {
		t.Errorf("config.json has gone: %v", files)
	}
}

// Shards are filled in order, as transformers fills them: no more than fit, and one that
// is too large alone.
func TestSplit(t *testing.T) {
	var in []Info
	for _, n := range []int{4, 4, 2, 30, 1, 9, 0, 1} {
		in = append(in, Info{Name: "x", DType: tensor.Uint8, Shape: []int{n}})
	}
	parts, total, err := split(in, 10)
	if err != nil || total != 51 {
		t.Fatal(total, err)
	}
	var sizes [][]int
	for _, p := range parts {
		var s []int
		for _, x := range p {
			s = append(s, x.Shape[0])
		}
		sizes = append(sizes, s)
	}
	if want := [][]int{{4, 4, 2}, {30}, {1, 9, 0}, {1}}; !reflect.DeepEqual(sizes, want) {
		t.Errorf("%v, want %v", sizes, want)
	}
}

// Folders that are not whole are refused with what is missing.
func TestBadFolders(t *testing.T) {
	f := &File{Names: []string{"a", "b", "c"}, Tensors: map[string]*tensor.Tensor{}}
	for _, name := range f.Names {
		f.Tensors[name] = tensor.Vector[float32](1, 2)
	}
	change := func(dir string, to func(where map[string]string)) {
		path := filepath.Join(dir, index)
		where, err := readIndex(path)
		if err != nil {
			t.Fatal(err)
		}
		to(where)
		b, err := encodeIndex(where, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for want, spoil := range map[string]func(dir string){
		"neither":                    func(dir string) { os.Remove(filepath.Join(dir, index)) },
		"which is missing: fetch it": func(dir string) { os.Remove(filepath.Join(dir, shardName(1, 3))) },
		"no file holds it":           func(dir string) { change(dir, func(w map[string]string) { w["d"] = shardName(1, 3) }) },
		`which the index does not`: func(dir string) {
			if err := Write(filepath.Join(dir, shardName(1, 3)), &File{Names: []string{"b", "more"}, Tensors: map[string]*tensor.Tensor{"b": f.Tensors["b"], "more": f.Tensors["b"]}}); err != nil {
				t.Fatal(err)
			}
		},
		"is in " + shardName(0, 3): func(dir string) { change(dir, func(w map[string]string) { w["a"], w["c"] = w["c"], w["a"] }) },
		"is both in": func(dir string) {
			if err := Write(filepath.Join(dir, shardName(1, 3)), &File{Names: []string{"a"}, Tensors: f.Tensors}); err != nil {
				t.Fatal(err)
			}
		},
		"cannot have": func(dir string) { os.Truncate(filepath.Join(dir, shardName(2, 3)), 100) },
	} {
		dir := t.TempDir()
		put(t, dir, f, 8)
		spoil(dir)
		if _, err := OpenFolder(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}

func TestBadIndexes(t *testing.T) {
	for b, want := range map[string]string{
		``:                                 "EOF",
		`{}`:                               "no weight_map",
		`{"weight_map":{"a":"x","a":"y"}}`: "twice",
		`{"weight_map":{"a":"x"},"weight_map":{}}`:                                    "twice",
		`{"weight_map":{"a":"../x"}}`:                                                 "no file's name",
		`{"weight_map":{"a":"/x"}}`:                                                   "no file's name",
		`{"weight_map":{"a":".."}}`:                                                   "no file's name",
		`{"weight_map":{"a":1}}`:                                                      "in the place of a string",
		`{"weight_map":{"a":"x"}} {}`:                                                 "follows",
		`{"metadata":` + strings.Repeat(`[`, 100_000):                                 "depth",
		`{"metadata":{"total_size":1.5,"more":[{}]},"weight_map":{"a":"x"},"b":` + "": "EOF",
	} {
		err := hostile.Read(t, len(b), func() error { _, err := decodeIndex([]byte(b)); return err })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want something with %q", b, err, want)
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":1.5,"more":[{}]},"weight_map":{"a":"x","b":"x"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		hostile.Read(t, len(b), func() error { //nolint:errcheck // that it ends is the test
			where, err := decodeIndex(b)
			for name, file := range where {
				if !json.Valid(b) || filepath.Base(file) != file {
					t.Errorf("%q is in %q", name, file)
				}
			}
			return err
		})
	})
}

// A writer takes what was announced, in any order and any floating-point type, and leaves
// nothing behind where it does not end well.
func TestWriter(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "w.safetensors")
	infos := []Info{{"a", tensor.Float16, []int{2}}, {"b", tensor.BFloat16, nil}, {"c", tensor.Int8, []int{1, 2}}}
	w, err := Create(path, infos, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := tensor.From([]int8{3, 4}, 1, 2)
	if err := w.Write("c", c); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		x    *tensor.Tensor
		want string
	}{
		{"d", c, "not announced"},
		{"a", c, "has shape"},
		{"c", c, "already"},
		{"b", tensor.Scalar[int8](1), "floating-point"},
		{"a", tensor.Vector[float32](1, 1e6), "too large"},
	} {
		if err := w.Write(c.name, c.x); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want something with %q", err, c.want)
		}
	}
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), `"a" was announced and not`) {
		t.Errorf("closed without a: %v", err)
	}
	if files := list(t, dir); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
	if w, err = Create(path, infos, nil); err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]*tensor.Tensor{"c": c, "b": tensor.Scalar[float64](-2), "a": tensor.Vector[float32](1, 0.5)} {
		if err := w.Write(name, x); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Tensors["a"].Data, []uint16{0x3c00, 0x3800}) || !reflect.DeepEqual(f.Tensors["b"].Data, []uint16{0xc000}) || !slices.Equal(f.Names, []string{"a", "b", "c"}) {
		t.Errorf("%v: %x %x", f.Names, f.Tensors["a"].Data, f.Tensors["b"].Data)
	}
	for want, infos := range map[string][]Info{
		"twice":    {infos[0], infos[0]},
		"reserved": {{metadata, tensor.Int8, nil}},
		"lacks":    {{"s", tensor.String, nil}},
		"UTF-8":    {{"\xff", tensor.Int8, nil}},
		"shape":    {{"a", tensor.Int8, []int{-1}}},
	} {
		if _, err := Create(path, infos, nil); err == nil || !(strings.Contains(err.Error(), want) || want == "lacks") {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	if _, err := CreateFolder(dir, []Info{infos[0], infos[1], infos[0]}, 4, nil); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a name in two shards: %v", err)
	}
	if files := list(t, dir); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
}

// A view is of the file that was opened; it ends with Close, and a file that was changed is
// not read any more.
func TestReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := Write(path, every(t)); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, r, every(t))
	x, err := r.Read("layer.float32")
	if err != nil {
		t.Fatal(err)
	}
	x.F32()[0] = 42 // changes no file
	y := x.Clone()
	if f, err := Read(path); err != nil || f.Tensors["layer.float32"].F32()[0] == 42 {
		t.Errorf("the file was changed, or does not read: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if y.F32()[0] != 42 {
		t.Error("a clone is gone")
	}
	if _, err := r.Read("layer.float32"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if r, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := os.Truncate(path, 500); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read("layer.float32"); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("cut short: %v", err)
	}
}
