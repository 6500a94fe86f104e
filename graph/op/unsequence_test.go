package op

import (
	"testing"

	"pare/graph"
	"pare/tensor"
)

// sequenced is x of 5 columns split into parts of 2, of which two are added up.
func sequenced(size *tensor.Tensor, first, second int64) *graph.Graph {
	g := graph.New("sequence", 18)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(5)}}
	g.Inputs = []*graph.Value{x}
	at := func(i int64) *graph.Value { return g.Const("at", tensor.Scalar(i), graph.Frozen) }
	s := g.Add("SplitToSequence", "", []*graph.Value{x, g.Const("size", size, graph.Frozen)}, []string{"parts"}, graph.MakeAttr("axis", -1))
	a := g.Add("SequenceAt", "", []*graph.Value{s.Outputs[0], at(first)}, []string{"a"})
	b := g.Add("SequenceAt", "", []*graph.Value{s.Outputs[0], at(second)}, []string{"b"})
	g.Outputs = g.Add("Add", "", []*graph.Value{a.Outputs[0], b.Outputs[0]}, []string{"y"}).Outputs
	return g
}

func TestUnsequence(t *testing.T) {
	sizes := tensor.New(tensor.Int64, 3)
	copy(tensor.Of[int64](sizes), []int64{2, 2, 1})
	for _, c := range []struct {
		what          string
		size          *tensor.Tensor
		first, second int64
		y0, y1        float32
	}{
		{"equal parts", tensor.Scalar(int64(2)), 0, 1, 0 + 2, 1 + 3},
		{"the short part", tensor.Scalar(int64(2)), 1, 2, 2 + 4, 3 + 4},
		{"sizes", sizes, 1, 0, 2 + 0, 3 + 1},
		{"from the end", tensor.Scalar(int64(2)), 0, -2, 0 + 2, 1 + 3},
	} {
		g := sequenced(c.size, c.first, c.second)
		Unsequence(g)
		if len(g.Nodes) != 2 || !g.Nodes[0].Is("Split") || len(g.Nodes[0].Outputs) != 3 {
			t.Fatalf("%s: %v", c.what, g)
		}
		if err := InferAll(g); err != nil {
			t.Fatal(c.what, err)
		}
		x := tensor.New(tensor.Float32, 1, 5)
		for i := range x.F32() {
			x.F32()[i] = float32(i)
		}
		y, err := Run(g, map[string]*tensor.Tensor{"x": x})
		if err != nil {
			t.Fatal(c.what, err)
		}
		if v := y[g.Outputs[0].Name].F32(); len(v) != 2 || v[0] != c.y0 || v[1] != c.y1 {
			t.Errorf("%s: %v", c.what, v)
		}
	}
	// a part that does not exist is left for the check of operators to name
	g := sequenced(tensor.Scalar(int64(2)), 0, 3)
	if Unsequence(g); !g.Nodes[0].Is("SplitToSequence") || len(g.Nodes) != 4 {
		t.Error("a part beyond the end was taken")
	}
}
