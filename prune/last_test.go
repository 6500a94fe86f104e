package prune

import (
	"slices"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Each output has its layer, through what has no weight; layers before are none.
func TestLast(t *testing.T) {
	b := op.NewBuilder(graph.New("g", 17), "v")
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(4)}}
	b.G.Inputs = []*graph.Value{x}
	layer := func(name string, x *graph.Value) *graph.Value {
		w := tensor.New(tensor.Float32, 4, 4)
		return b.Op("MatMul", x, b.G.Const(name, w, graph.Param))
	}
	h := b.Op("Relu", layer("first", x))
	one := b.Op("Softmax", b.Op("Add", layer("a", h), b.Op("Neg", layer("b", h))))
	two := layer("c", b.Op("Relu", layer("before c", h)))
	b.G.Outputs = []*graph.Value{one, two, h}
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	op.Classify(b.G)
	all, err := Weights(b.G, Scope{})
	if err != nil {
		t.Fatal(err)
	}
	last := Last(b.G, all)
	var names []string
	for _, w := range all {
		if last[w.Value] {
			names = append(names, w.Name)
		}
	}
	slices.Sort(names)
	if want := []string{"a", "b", "c", "first"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}
