package structure_test

import (
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/prune/structure"
	"pare/tensor"
)

// Dense is a MatMul of another domain.
func init() {
	matMul := op.Lookup("", "MatMul")
	op.Register(op.Def{
		Domain: "example.com", Name: "Dense", Infer: matMul.Infer, Eval: matMul.Eval, MACs: matMul.MACs,
		Params: func(*graph.Node) []op.Param { return []op.Param{{In: 1, Part: op.Matrix, Out: 1}} },
	})
	structure.Register(structure.Rule{
		Domain: "example.com", Op: "Dense",
		Tie: func(r *structure.Relation, n *graph.Node) {
			x, w, y := n.In(0), n.In(1), n.Out(0)
			r.Same(x, 0, y, 0)
			r.Contract(x, 1, w, 0)
			r.Same(w, 1, y, 1)
		},
		Zeros: structure.Zeros{Pass: structure.AnyZero},
	})
}

// A layer of another domain makes channels, and its weight may be pruned, as soon
// as its definition says which input that is.
func TestOwnLayer(t *testing.T) {
	g := graph.New("own", 17)
	g.Opset["example.com"] = 1
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(6)}}
	g.Inputs = []*graph.Value{x}
	b, w := op.NewBuilder(g, "n"), weights(g, 1)
	for len(g.Nodes) < 6 {
		name := []string{"a", "b", "c"}[len(g.Nodes)/2]
		x = b.Node("example.com", "Dense", 1, []*graph.Value{x, w(name, 6, 6)}).Outputs[0]
		x = b.Op("Relu", x)
	}
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.Outputs = []*graph.Value{x}
	if ws, err := prune.Weights(g, prune.Scope{}); err != nil || len(ws) != 3 || ws[0].Kind != prune.Linear || ws[0].Out != 1 {
		t.Errorf("weights %v, %v", ws, err)
	}
	if c := structure.CostOf(g); c != (structure.Cost{MACs: 3 * 36, Params: 3 * 36}) {
		t.Errorf("cost %+v", c)
	}
	if groups := zeroedIsCut(t, "own layer", g); len(groups) != 2 {
		t.Errorf("%d groups", len(groups))
	}
}
