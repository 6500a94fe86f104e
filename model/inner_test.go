package model

import (
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Inside a network sums of branches are matched; what stands behind activations only
// where it is asked for, and there are no sums.
func TestInner(t *testing.T) {
	image := graph.Shape{graph.Sym("N"), graph.N(2), graph.N(4), graph.N(4)}
	net := func(sums int) *graph.Graph {
		g := graph.New("g", 17)
		g.Inputs = []*graph.Value{{Name: "x", DType: tensor.Float32, Shape: image}}
		b := op.NewBuilder(g, "g")
		x := b.Op("Relu", g.Inputs[0])
		for range sums {
			x = b.Op("Add", b.Op("Relu", x), x)
		}
		g.Outputs = []*graph.Value{b.Op("Tanh", x)}
		if err := b.Err(); err != nil {
			t.Fatal(err)
		}
		return g
	}
	for _, c := range []struct {
		sums        int
		activations bool
		want        int
		of          string
	}{{0, false, 0, ""}, {0, true, 1, "Relu"}, {1, false, 0, ""}, {1, true, 2, "Relu"}, {2, false, 2, "Add"}, {2, true, 2, "Add"}, {20, false, mostInner, "Add"}} {
		g := net(c.sums)
		got := inner(g, g, nil, c.activations)
		if len(got) != c.want {
			t.Errorf("%+v: %d values are matched", c, len(got))
		}
		for _, in := range got {
			if n := g.Value(in.Name).From; !n.Is(c.of) {
				t.Errorf("%+v: what %s gives is matched", c, n.Op)
			}
		}
	}
}
