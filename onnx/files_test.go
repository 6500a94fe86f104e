package onnx

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pare/graph"
	"pare/tensor"
)

// Files names the data file beside a network, once, and needs no weights to be there.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "net.onnx")
	g := graph.New("net", 17)
	if err := Write(path, g, Options{}); err != nil {
		t.Fatal(err)
	}
	if got, err := Files(path); err != nil || !slices.Equal(got, []string{path}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, name := range []string{"a", "b"} {
		v := g.Const(name, tensor.New(tensor.Float32, 4096), graph.Param)
		g.Outputs = append(g.Outputs, v)
	}
	if err := Write(path, g, Options{External: true}); err != nil {
		t.Fatal(err)
	}
	got, err := Files(path)
	if err != nil || len(got) != 2 || filepath.Dir(got[1]) != dir {
		t.Fatalf("%v, %v: the network and one file beside it were expected", got, err)
	}
	if st, err := os.Stat(got[1]); err != nil || st.Size() < 2*4*4096 {
		t.Errorf("%s: %v, %v", got[1], st, err)
	}
	if got, err := Files(filepath.Join(dir, "none.onnx")); got != nil || err != nil {
		t.Errorf("no file: %v, %v", got, err)
	}
	if err := os.WriteFile(path, []byte("something else"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := Files(path); err != nil || !slices.Equal(got, []string{path}) {
		t.Errorf("another form of file: %v, %v", got, err)
	}
}
