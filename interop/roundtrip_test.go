package interop

import (
	"fmt"
	"path/filepath"
	"testing"

	"pare/graph"
	"pare/onnx"
	"pare/prune"
	"pare/tensor"
)

// magnitude zeroes the share of the weights of least magnitude, over all layers
// together. One weight in twenty of every layer is kept whatever its rank, so
// that no layer is emptied.
func magnitude(t *testing.T, g *graph.Graph, share float64) {
	t.Helper()
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	score := make([][]float32, len(ws))
	floor := make([]int, len(ws))
	for l, w := range ws {
		floor[l] = w.Len() / 20
		score[l] = make([]float32, w.Len())
		for i, x := range w.Data() {
			score[l][i] = x * x
		}
	}
	n := prune.Total(ws)
	masks, err := prune.Global(score, n-int(share*float64(n)), floor)
	if err != nil {
		t.Fatal(err)
	}
	(&prune.Masks{Weights: ws, Mask: masks}).Apply()
}

// What is read and written again computes the same in ONNX Runtime as the
// original file: as it is, with its weights in a file of their own, and with
// sparse initialisers where most weights are zero.
func TestRoundTrip(t *testing.T) {
	py := python(t, "numpy", "onnx", "onnxruntime")
	r := &ortRuns{dir: t.TempDir()}
	type pair struct {
		what      string
		was, then int
		sparse    bool // the second has sparse initialisers
	}
	var pairs []pair
	again := func(path string, o onnx.Options, in map[string]*tensor.Tensor) int {
		g, err := onnx.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		return r.write(t, g, o, in)
	}
	for _, n := range networks(t) {
		g := n.graph(t)
		in := inputs(t, g, batch)
		path := n.File
		if path == "" {
			path = filepath.Join(r.dir, n.Name+".first.onnx")
			if err := onnx.Write(path, g, onnx.Options{}); err != nil {
				t.Fatal(err)
			}
		}
		was := r.add(t, path, in)
		pairs = append(pairs,
			pair{n.Name, was, again(path, onnx.Options{}, in), false},
			pair{n.Name + ", external", was, again(path, onnx.Options{External: true}, in), false})

		magnitude(t, g, .9)
		was = r.write(t, g, onnx.Options{}, in)
		sparse := r.write(t, g, onnx.Options{Sparse: true}, in)
		pairs = append(pairs,
			pair{n.Name + ", sparse", was, sparse, true},
			pair{n.Name + ", sparse and again dense", was, again(r.jobs[sparse].Model, onnx.Options{}, in), false})
	}
	r.run(t, py)
	for _, p := range pairs {
		was, err := r.outputs(t, p.was)
		if err != nil {
			t.Errorf("%s: the original: %v", p.what, err)
			continue
		}
		then, err := r.outputs(t, p.then)
		if err == nil {
			err = differ(then, was, 1e-6)
		}
		if n := r.answers[p.then].Sparse; err == nil && (n > 0) != p.sparse {
			err = fmt.Errorf("the file has %d sparse initialisers", n)
		}
		if err != nil {
			t.Errorf("%s: %v", p.what, err)
		}
	}
}
