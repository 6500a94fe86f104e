package interop

import (
	"errors"
	"fmt"
	"testing"

	"pare/graph"
	"pare/onnx"
	"pare/prune/structure"
)

// uncut are networks without a channel that can be cut, and why.
var uncut = map[string]string{
	"magika-v3_3": "its normalisation is written as means over the channels, which change with their number",
}

// cutHalf cuts channels until half of the multiply-accumulates are left.
func cutHalf(g *graph.Graph) (*graph.Graph, error) {
	groups, _ := structure.Groups(g)
	if len(groups) == 0 {
		return nil, errors.New("no channels can be cut")
	}
	s, err := structure.Select(g, groups, structure.Score(groups, structure.Squares), structure.Target{MACs: .5, Least: .1})
	if err != nil {
		return nil, err
	}
	c, err := structure.Cut(g, groups, s)
	if err != nil {
		return nil, err
	}
	if was, now := structure.CostOf(g).MACs, structure.CostOf(c).MACs; 2*now > was {
		return nil, fmt.Errorf("%d of %d multiply-accumulates are left", now, was)
	}
	return c, nil
}

// Pare's engine and ONNX Runtime give the same outputs for the same network: as
// it comes, with nine tenths of its weights zero, and with half of its
// multiply-accumulates cut away.
func TestOutputs(t *testing.T) {
	py := python(t, "numpy", "onnx", "onnxruntime")
	const tol = 1e-4 // relative to the largest output
	r := &ortRuns{dir: t.TempDir()}
	type compared struct {
		what string
		got  [][]float32
		run  int
	}
	var all []compared
	add := func(what string, g *graph.Graph, o onnx.Options) {
		in := inputs(t, g, batch)
		got, err := pare(g, in, batch)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		all = append(all, compared{what, got, r.write(t, g, o, in)})
	}
	for _, n := range networks(t) {
		add(n.Name+", as it comes", n.graph(t), onnx.Options{})
		add(n.Name+", simplified", n.pared(t), onnx.Options{})

		g := n.pared(t)
		magnitude(t, g, .9)
		add(n.Name+", nine tenths zero", g, onnx.Options{Sparse: true})

		c, err := cutHalf(n.pared(t))
		if why := uncut[n.Name]; why != "" && err != nil {
			t.Logf("%s is not cut: %s (%v)", n.Name, why, err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", n.Name, err)
			continue
		}
		add(n.Name+", half cut", c, onnx.Options{})
	}
	r.run(t, py)
	for _, c := range all {
		want, err := r.outputs(t, c.run)
		if err == nil {
			err = differ(c.got, want, tol)
		}
		if err == nil && r.answers[c.run].Shapes[0][0] == batch {
			// Were the samples' outputs alike, their equality would say little.
			d := 0.0
			for _, y := range want {
				n := len(y) / batch
				d = max(d, apart(y[:n], y[n:2*n]))
			}
			if d < tol {
				err = fmt.Errorf("the outputs of two samples differ by only %.2g", d)
			}
		}
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}
