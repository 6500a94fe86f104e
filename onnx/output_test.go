package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// weighted is a network with large and small weights of the given value.
func weighted(v float32) *graph.Graph {
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(1, 64)}
	g.Inputs = []*graph.Value{x}
	full := func(n int, shape ...int) *graph.Value {
		d := make([]float32, n)
		for i := range d {
			d[i] = v
		}
		return g.Const("w", tensor.From(d, shape...), graph.Auto)
	}
	h := g.Add("MatMul", "", []*graph.Value{x, full(64*40, 64, 40)}, []string{"h"})
	h = g.Add("MatMul", "", []*graph.Value{h.Outputs[0], full(40*30, 40, 30)}, []string{"k"})
	y := g.Add("Add", "", []*graph.Value{h.Outputs[0], full(30, 30)}, []string{"y"})
	g.Outputs = y.Outputs
	return g
}

// valueIn says which network a file holds: the value of all its weights.
func valueIn(t *testing.T, path string) float32 {
	t.Helper()
	g, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	v := g.Consts()[0].Const.F32()[0]
	for _, c := range g.Consts() {
		if slices.ContainsFunc(c.Const.F32(), func(x float32) bool { return x != v }) {
			t.Fatalf("%s is a mixture of two networks", path)
		}
	}
	if _, err := op.Run(g, map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 1, 64)}); err != nil {
		t.Fatal(err)
	}
	return v
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range found {
		out = append(out, e.Name())
	}
	return out
}

// A process that ends at any step of writing leaves the old network whole or the new
// one, and the next write leaves nothing else.
func TestKilledWhileWriting(t *testing.T) {
	killed := errors.New("killed")
	defer func() { before = nil }()
	for _, from := range []Options{{External: true}, {}} {
		for _, to := range []Options{{External: true}, {}} {
			for at := 0; ; at++ {
				before = nil
				dir := t.TempDir()
				path := filepath.Join(dir, "net.onnx")
				if err := Write(path, weighted(1), from); err != nil {
					t.Fatal(err)
				}
				if v := valueIn(t, path); v != 1 {
					t.Fatalf("%v was written", v)
				}
				k, last := 0, ""
				before = func(step string) error {
					last = step
					if k++; k > at {
						return killed
					}
					return nil
				}
				err := Write(path, weighted(2), to)
				before = nil
				mine.Clear() // the process is gone
				v := valueIn(t, path)
				if err == nil {
					if at < 4 {
						t.Fatalf("only %d steps", at)
					}
					if v != 2 {
						t.Errorf("written, and %v is there", v)
					}
				} else if !errors.Is(err, killed) || v != 1 && v != 2 {
					t.Fatalf("before %s: %v, %v", last, v, err)
				}
				if err := Write(path, weighted(3), to); err != nil {
					t.Fatal(err)
				}
				want := 1
				if to.External {
					want = 2
				}
				if got := filesIn(t, dir); valueIn(t, path) != 3 || len(got) != want {
					t.Errorf("after it was killed before %s (%v to %v): %v", last, from, to, got)
				}
				if err == nil {
					break
				}
			}
		}
	}
}

// Files that nobody named stay; so do those of other models and of processes that live.
func TestWhatIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "net.onnx")
	put := func(name, what string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(what), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	theirs := []string{"net.onnx.data", "net.onnx.01234567.data", ".net.onnx.note.pare-tmp", tempPrefix(path) + fmt.Sprintf("%d-00000000", os.Getppid()) + tempEnding,
		".net.onnx.00000000-1-00000000.pare-tmp"}
	for _, name := range theirs {
		put(name, "theirs")
	}
	put(tempPrefix(path)+"999999999-00000000"+tempEnding, "left")
	put(".net.onnx.00000001-1-00000000.pare-tmp", "left long ago")
	long := time.Now().Add(-2 * abandoned)
	if err := os.Chtimes(filepath.Join(dir, ".net.onnx.00000001-1-00000000.pare-tmp"), long, long); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, weighted(1), Options{External: true}); err != nil {
		t.Fatal(err)
	}
	got := filesIn(t, dir)
	for _, name := range theirs {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != "theirs" {
			t.Errorf("%s: %q (%v)", name, b, err)
		}
	}
	if len(got) != len(theirs)+2 {
		t.Errorf("%v", got)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put("copy.onnx", string(b)) // it names the same weights
	if err := Write(path, weighted(2), Options{External: true}); err != nil {
		t.Fatal(err)
	}
	if valueIn(t, filepath.Join(dir, "copy.onnx")) != 1 || valueIn(t, path) != 2 {
		t.Error("the copy's weights are gone")
	}
}

// An output is a regular file of a known ending, or what a link to one leads to.
func TestOutputs(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	if err := syscall.Mkfifo(file("pipe.onnx"), 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.Mkdir(file("folder.onnx"), 0o700); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"dangling.onnx": "nosuch", "link.onnx": "real.onnx", "link.pare": "real.pare"} {
		if err := os.Symlink(to, file(link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"x.tflite", "x", "x.pt", "pipe.onnx", "folder.onnx", "dangling.onnx", "nosuch/x.onnx"} {
		if err := Save(file(name), weighted(1), Options{}); err == nil {
			t.Errorf("%s was written", name)
		}
		if err := CheckOutput(file(name)); err == nil {
			t.Errorf("%s is said to be writable", name)
		}
	}
	if err := CheckOutput("/dev/null.onnx"); os.Getuid() != 0 && err == nil {
		t.Error("a file in /dev is said to be writable")
	}
	if err := CheckWritable("/dev/null"); err == nil {
		t.Error("a device is said to be writable")
	}
	for _, ending := range []string{"onnx", "pare"} {
		if err := os.WriteFile(file("real."+ending), nil, 0o640); err != nil {
			t.Fatal(err)
		}
		if err := Save(file("link."+ending), weighted(4), Options{}); err != nil {
			t.Fatal(err)
		}
		st, err := os.Lstat(file("link." + ending))
		if err != nil || st.Mode()&os.ModeSymlink == 0 {
			t.Errorf("the link was replaced (%v)", err)
		}
		if st, err = os.Stat(file("real." + ending)); err != nil || st.Mode().Perm() != 0o640 {
			t.Errorf("%v (%v)", st.Mode(), err)
		}
		if v := valueIn(t, file("real."+ending)); v != 4 {
			t.Errorf("%v is there", v)
		}
	}
	if err := Save(file("link.onnx"), weighted(4), Options{External: true}); err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("weights beside a link: %v", err)
	}
}

// What is written in pieces is what the message says as a whole, and its size is known.
func TestLayout(t *testing.T) {
	for _, g := range []*graph.Graph{all(), weighted(1)} {
		for _, o := range []Options{{}, {Sparse: true}} {
			b, err := Encode(g, o)
			if err != nil {
				t.Fatal(err)
			}
			w := &writer{opt: o}
			m, err := w.model(g)
			if err != nil {
				t.Fatal(err)
			}
			for p, x := range w.raw {
				p.RawData = x.Raw()
			}
			whole := marshal(t, m)
			if !bytes.Equal(b, whole) {
				t.Errorf("%d bytes in pieces, %d as a whole, or others", len(b), len(whole))
			}
			if n, err := Size(g, o); err != nil || n != int64(len(b)) {
				t.Errorf("the size is said to be %d, it is %d (%v)", n, len(b), err)
			}
		}
		for _, half := range []bool{false, true} {
			b, err := EncodeSparse(g, half)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := SparseSize(t.Context(), g, half); err != nil || n != int64(len(b)) {
				t.Errorf("the sparse size is said to be %d, it is %d (%v)", n, len(b), err)
			}
		}
	}
}
