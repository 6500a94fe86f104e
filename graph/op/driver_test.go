package op

import (
	"math"
	"strings"
	"testing"

	"pare/graph"
	"pare/tensor"
)

// padChain is what PyTorch's exporter writes for F.pad(x[:, :, ::2, ::2],
// (0, 0, 0, 0, 8, 8)) on an input of [N 16 32 32].
func padChain(t *testing.T) *graph.Graph {
	t.Helper()
	g := graph.New("pad chain", 13)
	x := input(g, "x", tensor.Float32, graph.Shape{symN, graph.N(16), graph.N(32), graph.N(32)})
	b := NewBuilder(g, "/shortcut")
	constant := func(v *tensor.Tensor) *graph.Value { return b.Attr("Constant", []graph.Attr{attr("value", v)}) }
	toInt := []graph.Attr{attr("to", tensor.Int64)}
	cut := b.Op("Slice", x, constant(i64(0)), constant(i64(1<<63-1)), constant(i64(2)), constant(i64(2)))
	cut = b.Op("Slice", cut, constant(i64(0)), constant(i64(1<<63-1)), constant(i64(3)), constant(i64(2)))
	pads := constant(i64(0, 0, 0, 0, 8, 8))
	given := b.Attr("Gather", []graph.Attr{attr("axis", 0)}, b.Op("Shape", pads), constant(tensor.Scalar[int64](0)))
	missing := b.Op("Sub", b.Op("Mul", constant(tensor.Scalar[int64](4)), constant(tensor.Scalar[int64](2))), given)
	zeros := b.Attr("ConstantOfShape", []graph.Attr{attr("value", i64(0))}, b.Op("Unsqueeze", missing, constant(i64(0))))
	all := b.Attr("Concat", []graph.Attr{attr("axis", 0)}, b.Attr("Cast", toInt, pads), zeros)
	pairs := b.Op("Reshape", all, constant(i64(-1, 2)))
	pairs = b.Op("Slice", pairs, constant(i64(-1)), constant(i64(-1<<63+1)), constant(i64(0)), constant(i64(-1)))
	flat := b.Op("Reshape", b.Attr("Transpose", []graph.Attr{attr("perm", []int{1, 0})}, pairs), constant(i64(-1)))
	y := b.Attr("Pad", []graph.Attr{attr("mode", "constant")}, cut, b.Attr("Cast", toInt, flat), constant(tensor.Scalar[float32](0)))
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	y.Name = "y"
	g.Outputs = []*graph.Value{y}
	return g
}

func TestFoldPadChain(t *testing.T) {
	g := padChain(t)
	x := randn(1, 2, 16, 32, 32)
	x, _ = Convert(x, tensor.Float32)
	in := map[string]*tensor.Tensor{"x": x}
	before, err := Run(g, in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Simplify(g); err != nil {
		t.Fatal(err)
	}
	if len(g.Nodes) != 3 {
		t.Fatalf("%d nodes are left, want Slice, Slice and Pad:\n%v", len(g.Nodes), g)
	}
	pad := g.Nodes[2]
	got, _ := intsOf(pad.In(1).Const)
	if !pad.Is("Pad") || !equalInts(got, []int{0, 8, 0, 0, 0, 8, 0, 0}) {
		t.Errorf("pads are %v", got)
	}
	if s := pad.Out(0).Shape.String(); s != "[N 32 16 16]" {
		t.Errorf("shape %s", s)
	}
	after, err := Run(g, in)
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "folded", after["y"], before["y"], 0)
}

// TestFoldKeeps checks what folding leaves alone.
func TestFoldKeeps(t *testing.T) {
	g := graph.New("keep", 13)
	x := input(g, "x", tensor.Float32, graph.Shape{symN, graph.N(2)})
	w := g.Const("w", tensor.From([]float32{1, 2, 3, 4}, 2, 2), graph.Param)
	c := g.Const("c", f32(1, 2), graph.Frozen)
	b := NewBuilder(g, "v")
	wt := b.Op("Transpose", w)
	cc := b.Op("Mul", c, c)
	y := b.Op("Add", b.Op("MatMul", x, wt), cc)
	split := b.Node("", "Split", 2, []*graph.Value{b.Op("Neg", c)}, attr("axis", 0)) // one output is the graph's
	g.Outputs = []*graph.Value{b.Op("Add", y, split.Out(0)), split.Out(1), b.Op("Identity", c)}
	if _, err := Fold(g); err != nil {
		t.Fatal(err)
	}
	ops := []string{}
	for _, n := range g.Nodes {
		ops = append(ops, n.Op)
	}
	got := strings.Join(ops, " ")
	for _, want := range []string{"Transpose", "MatMul", "Split", "Identity"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s has gone from %s", want, got)
		}
	}
	if strings.Contains(" "+got, " Mul") {
		t.Errorf("Mul has not been folded: %s", got)
	}
	if add := y.From.In(1); !add.IsConst() || add.Role != graph.Frozen || !sameData(add.Const, f32(1, 4)) {
		t.Errorf("c*c has become %v", add.Const)
	}
	if _, err := Fold(g); err != nil { // and folding again changes nothing
		t.Fatal(err)
	}
	if len(g.Nodes) != len(ops) {
		t.Errorf("folding twice leaves %d nodes, once %d", len(g.Nodes), len(ops))
	}
}

func TestSimplify(t *testing.T) {
	g := graph.New("noisy", 13)
	x := input(g, "x", tensor.Float32, graph.Shape{symN, graph.N(3), graph.N(4), graph.N(4)})
	b := NewBuilder(g, "v")
	w := g.Const("w", tensor.New(tensor.Float32, 5, 48), graph.Auto)
	perm := func(p ...int) []graph.Attr { return []graph.Attr{attr("perm", p)} }
	v := b.Op("Identity", x)
	v = b.Attr("Transpose", perm(0, 2, 3, 1), v)
	v = b.Attr("Transpose", perm(0, 3, 1, 2), v)
	v = b.Attr("Cast", []graph.Attr{attr("to", tensor.Float32)}, v)
	v = b.Op("Pad", v, b.Ints(0, 0, 0, 0, 0, 0, 0, 0))
	v = b.Op("Slice", v, b.Ints(0), b.Ints(1<<31-1), b.Ints(2))
	if Lookup("", "Dropout") != nil {
		v = b.Node("", "Dropout", 1, []*graph.Value{v}).Out(0)
	}
	v = b.Op("Expand", v, b.Ints(1, 3, 4, 4))
	v = b.Op("Reshape", v, b.Ints(-1, 3, 16))
	v = b.Op("Reshape", v, b.Ints(-1, 48))
	v = b.Op("MatMul", v, b.Op("Transpose", w))
	v = b.Op("Unsqueeze", v, b.Ints(0))
	v = b.Op("Squeeze", v, b.Ints(0))
	v = b.Op("Identity", v)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	v.Name = "logits"
	g.Outputs = []*graph.Value{v}
	if _, err := Simplify(g); err != nil {
		t.Fatal(err)
	}
	if len(g.Nodes) != 2 || !g.Nodes[0].Is("Reshape") || !g.Nodes[1].Is("MatMul") {
		t.Fatalf("got %v", g)
	}
	k := g.Nodes[1].In(1)
	if k.Name != "w" || k.Role != graph.Param || k.Shape.String() != "[48 5]" {
		t.Errorf("the weight is %s %v, role %d", k.Name, k.Shape, k.Role)
	}
	if g.Outputs[0].Name != "logits" || g.Outputs[0].From != g.Nodes[1] {
		t.Errorf("the output is %q", g.Outputs[0].Name)
	}
	// a network that only passes its input on keeps its node
	g = graph.New("pass", 13)
	x = input(g, "x", tensor.Float32, graph.Shape{symN})
	g.Outputs = []*graph.Value{NewBuilder(g, "y").Op("Identity", x)}
	if _, err := Simplify(g); err != nil || len(g.Nodes) != 1 || g.Outputs[0].Name != "y" {
		t.Errorf("got %v %v", g, err)
	}
	// shifting pads and a flip keep the shape, but do something
	g = graph.New("shift", 13)
	x = input(g, "x", tensor.Float32, graph.Shape{graph.N(4)})
	b = NewBuilder(g, "y")
	g.Outputs = []*graph.Value{b.Op("Slice", b.Op("Pad", x, b.Ints(1, -1)), b.Ints(-1), b.Ints(-9), b.Ints(0), b.Ints(-1))}
	if _, err := Simplify(g); err != nil || len(g.Nodes) != 2 {
		t.Errorf("got %v %v", g, err)
	}
}

// TestSimplifyShapes checks that shapes computed while running become constants.
func TestSimplifyShapes(t *testing.T) {
	g := graph.New("heads", 17)
	x := input(g, "x", tensor.Float32, graph.Shape{symN, symT, graph.N(64)})
	b := NewBuilder(g, "v")
	axis0 := []graph.Attr{attr("axis", 0)}
	two := b.Op("Slice", b.Op("Shape", x), b.Ints(0), b.Ints(2))
	heads := b.Op("Reshape", x, b.Attr("Concat", axis0, two, b.Ints(4, 16)))
	rows := b.Op("Reshape", b.Op("Relu", heads), b.Attr("Concat", axis0, b.Attr("ReduceProd", nil, two), b.Ints(64)))
	back := b.Op("Expand", b.Op("Reshape", b.Op("Relu", x), b.Attr("Concat", axis0, two, b.Ints(1, 64))), b.Attr("Concat", axis0, two, b.Ints(2, 64)))
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.Outputs = []*graph.Value{back, rows}
	in := map[string]*tensor.Tensor{"x": f32(make([]float32, 2*3*64)...).Reshape(2, 3, 64)}
	for i := range in["x"].F32() {
		in["x"].F32()[i] = float32(i)
	}
	want, err := Run(g, in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Simplify(g); err != nil {
		t.Fatal(err)
	}
	for _, n := range g.Nodes {
		if !n.Is("Reshape", "Relu", "Expand") {
			t.Errorf("%s is left", n.Op)
		}
	}
	got, err := Run(g, in)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range g.Outputs {
		closeTo(t, o.Name, got[o.Name], want[o.Name], 0)
	}
	if s := g.Outputs[0].Shape.String(); s != "[N T 2 64]" {
		t.Errorf("shape %s", s)
	}
}

func TestClassify(t *testing.T) {
	g := graph.New("roles", 13)
	x := input(g, "x", tensor.Float32, graph.Shape{symN, graph.N(2), graph.N(4), graph.N(4)})
	ids := input(g, "ids", tensor.Int64, graph.Shape{symN})
	want := map[*graph.Value]graph.Role{}
	weight := func(r graph.Role, shape ...int) *graph.Value {
		v := g.Const("w", tensor.New(tensor.Float32, shape...), graph.Auto)
		want[v] = r
		return v
	}
	b := NewBuilder(g, "v")
	P, S, F := graph.Param, graph.Stat, graph.Frozen
	v := b.Op("Conv", x, weight(P, 2, 2, 1, 1), weight(P, 2))
	v = b.Op("BatchNormalization", v, weight(P, 2), weight(P, 2), weight(S, 2), weight(S, 2))
	v = b.Op("PRelu", v, weight(P, 2, 1, 1))
	v = b.Op("Div", b.Op("Sub", v, weight(F, 1, 2, 1, 1)), weight(F, 1, 2, 1, 1)) // a normalisation of the input
	v = b.Op("Mul", v, weight(F))
	shape := g.Const("shape", i64(0, 32), graph.Auto)
	want[shape] = F
	v = b.Op("Reshape", v, shape)
	v = b.Op("MatMul", v, b.Op("Mul", b.Op("Transpose", weight(P, 3, 32)), weight(F)))
	v = b.Op("Add", v, weight(P, 3))
	mask := weight(F, 1, 3)
	tensor.Of[float32](mask.Const)[1] = float32(math.Inf(-1))
	v = b.Op("Add", v, mask)
	v = b.Op("Gemm", v, weight(P, 3, 3), weight(P, 3))
	v = b.Op("Mul", v, weight(P, 3))
	v = b.Op("Add", v, b.Op("Gather", weight(P, 10, 3), ids))
	given := g.Const("given", f32(1, 2, 3), graph.Frozen)
	want[given] = F
	v = b.Op("Add", v, given)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.Outputs = []*graph.Value{v}
	Classify(g)
	for v, r := range want {
		if v.Role != r {
			t.Errorf("%s %v: role %d, want %d", v.Name, v.Shape, v.Role, r)
		}
	}
}

// TestExpand checks that values keep their identity when their producer is
// replaced, y and wrt of a gradient among them.
func TestExpand(t *testing.T) {
	const name = "TestTwice"
	register(Def{Name: name, Infer: sameAs,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			s := in[0].Clone()
			for i, v := range tensor.Of[float64](in[0]) {
				tensor.Of[float64](s)[i] = v * v
			}
			return []*tensor.Tensor{s, s, in[0]}, nil
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			s := b.Op("Mul", n.In(0), n.In(0))
			return []*graph.Value{s, s, n.In(0)}, nil
		}})
	t.Cleanup(func() { delete(defs, key{"", name}) })
	g := graph.New("twice", 13)
	x := input(g, "x", tensor.Float64, graph.Dims(2))
	n := g.Add(name, "", []*graph.Value{x}, []string{"a", "b", "c"})
	for _, o := range n.Outputs {
		o.DType, o.Shape = tensor.Float64, graph.Dims(2)
	}
	a, c := n.Out(0), n.Out(2)
	b := NewBuilder(g, "v")
	y := b.Op("Add", b.Op("Mul", a, n.Out(1)), c) // x^4 + x
	g.Outputs = []*graph.Value{y, a}
	d, err := Gradient(g, y, nil, []*graph.Value{x, a})
	if err != nil {
		t.Fatal(err)
	}
	if g.Outputs[1] != a || a.Name != "a" || a.From == n {
		t.Errorf("output a is %q of %v", a.Name, a.From.Op)
	}
	res, err := Run(g, map[string]*tensor.Tensor{"x": f64(2, 3)}, d...)
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "dx", res[d[0].Name], f64(33, 109), 1e-12)
	closeTo(t, "a", res["a"], f64(4, 9), 0)
	// y itself may be what is expanded
	g = graph.New("y", 13)
	x = input(g, "x", tensor.Float64, graph.Dims(1))
	y = g.Add(name, "", []*graph.Value{x}, []string{"a"}).Out(0)
	y.DType, y.Shape = tensor.Float64, graph.Dims(1)
	g.Outputs = []*graph.Value{y}
	checkGrad(t, g, map[string]*tensor.Tensor{"x": f64(3)})
	d, err = Gradient(g, y, nil, []*graph.Value{x, y})
	if err != nil || d[0] == nil || d[1] == nil {
		t.Errorf("gradients %v, %v", d, err)
	}
}

func TestGradientDrivers(t *testing.T) {
	g := graph.New("drivers", 13)
	x := input(g, "x", tensor.Float64, graph.Dims(2))
	z := input(g, "z", tensor.Float64, graph.Dims(2))
	b := NewBuilder(g, "v")
	picked := b.Op("Gather", x, b.Attr("ArgMax", []graph.Attr{attr("axis", 0)}, x)) // through integers nothing flows
	y := b.Op("Mul", picked, picked)
	g.Outputs = []*graph.Value{y}
	d, err := Gradient(g, y, nil, []*graph.Value{x, z})
	if err != nil {
		t.Fatal(err)
	}
	if d[1] != nil {
		t.Errorf("y does not depend on z, but the gradient is %v", d[1].Name)
	}
	res, err := Run(g, map[string]*tensor.Tensor{"x": f64(1, 5), "z": f64(0, 0)}, d[0])
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "dx", res[d[0].Name], f64(0, 10), 0)
	// an operator without a gradient is named
	g = graph.New("none", 13)
	x = input(g, "x", tensor.Float64, graph.Dims(2))
	register(Def{Name: "Opaque", Infer: sameAs})
	defer delete(defs, key{"", "Opaque"})
	u := NewBuilder(g, "u").Node("", "Opaque", 1, []*graph.Value{x})
	g.Outputs = u.Outputs
	if _, err := Gradient(g, u.Out(0), nil, []*graph.Value{x}); err == nil || !strings.Contains(err.Error(), "Opaque") {
		t.Errorf("got %v", err)
	}
}

// TestHigherDerivatives goes to the third order through a small network.
func TestHigherDerivatives(t *testing.T) {
	g := graph.New("third", 13)
	x := input(g, "x", tensor.Float64, graph.Dims(2, 3))
	w := input(g, "w", tensor.Float64, graph.Dims(3))
	b := NewBuilder(g, "v")
	h := b.Op("Tanh", b.Op("Mul", x, w))
	mean := b.Attr("ReduceMean", []graph.Attr{attr("axes", []int{1}), attr("keepdims", 1)}, h)
	h = b.Op("Div", b.Op("Sub", h, mean), b.Op("Sqrt", b.Op("Add", b.Op("Mul", mean, mean), b.Scalar(1, x))))
	y := b.Attr("ReduceLogSumExp", []graph.Attr{attr("axes", []int{0}), attr("keepdims", 0)}, h)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.Outputs = []*graph.Value{y}
	in := map[string]*tensor.Tensor{"x": randn(1, 2, 3), "w": randn(2, 3)}
	checkGrad2(t, g, in)
	g1, _, _, in1 := withGradient(t, g, 0, in, nil)
	g2, _, _, in2 := withGradient(t, g1, 0, in1, nil)
	checkGrad(t, g2, in2, "x", "w")
}
