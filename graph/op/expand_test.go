package op

import (
	"testing"

	"pare/graph"
	"pare/tensor"
)

// checkExpand compares a node with its decomposition.
func checkExpand(t *testing.T, g *graph.Graph, in map[string]*tensor.Tensor) {
	t.Helper()
	want, err := Run(g, in)
	if err != nil {
		t.Fatalf("%s: %v", g.Name, err)
	}
	c, _ := g.Clone(false)
	if err := InferAll(c); err != nil {
		t.Fatalf("%s: %v", g.Name, err)
	}
	if err := Expand(c, c.Nodes[0]); err != nil {
		t.Fatalf("%s: %v", g.Name, err)
	}
	got, err := Run(c, in)
	if err != nil {
		t.Fatalf("%s: %v", g.Name, err)
	}
	for i, o := range g.Outputs {
		closeTo(t, g.Name+" written out", got[c.Outputs[i].Name], want[o.Name], 1e-9)
	}
}
