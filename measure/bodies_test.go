package measure_test

import (
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/measure"
	"pare/tensor"
)

// What runs in a body counts as often as the body runs, and its weights are listed.
func TestCountBodies(t *testing.T) {
	g := graph.New("bodies", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(6)}}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "n")
	product := func(g *graph.Graph, x *graph.Value, w string, out int) *graph.Value {
		v := g.Const(w, tensor.New(tensor.Float32, 6, out), graph.Auto)
		v.Const.F32()[0] = 1
		return g.Add("MatMul", "", []*graph.Value{x, v}, []string{w + "/y"}).Outputs[0]
	}
	body := graph.New("body", 17)
	body.Inputs = []*graph.Value{{Name: "i"}, {Name: "on"}, {Name: "state"}}
	on := body.Add("Identity", "", body.Inputs[1:2], []string{"still"}).Outputs[0]
	body.Outputs = []*graph.Value{on, product(body, body.Inputs[2], "loop", 6)}
	y := b.Node("", "Loop", 1, []*graph.Value{b.Const(tensor.Scalar[int64](5)), nil, x}, graph.MakeAttr("body", body)).Outputs[0]
	branch := func(name string, out int) *graph.Graph {
		s := graph.New(name, 17)
		h := product(s, y, name, out)
		s.Outputs = s.Add("ReduceMax", "", []*graph.Value{h}, []string{name + "/top"}, graph.MakeAttr("axes", []int{1})).Outputs
		return s
	}
	top := b.Attr("ReduceMax", []graph.Attr{graph.MakeAttr("keepdims", 0)}, x)
	y = b.Node("", "If", 1, []*graph.Value{b.Op("Greater", top, b.Scalar(0, top))},
		graph.MakeAttr("then_branch", branch("yes", 2)), graph.MakeAttr("else_branch", branch("no", 3))).Outputs[0]
	g.Outputs = []*graph.Value{y}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := op.Simplify(g); err != nil {
		t.Fatal(err)
	}
	s, layers := measure.Count(g)
	if s.Params != 36+12+18 || s.NonZero != 3 || s.MACs != 5*36+18 || s.Effective != 5*1+1 {
		t.Errorf("%+v", s)
	}
	if len(layers) != 3 || layers[0].Name != "loop" || layers[0].MACs != 5*36 || layers[1].MACs != 12 || layers[2].MACs != 18 {
		t.Errorf("%+v", layers)
	}
}
