package op

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pare/graph"
	"pare/tensor"
)

// sub is a subgraph with typed inputs; build makes its nodes and gives its outputs.
func sub(opset int, inputs []*graph.Value, build func(b *Builder, in []*graph.Value) []*graph.Value) *graph.Graph {
	g := graph.New("body", opset)
	g.Inputs = inputs
	b := NewBuilder(g, "inner")
	g.Outputs = build(b, inputs)
	if b.Err() != nil {
		panic(b.Err())
	}
	return g
}

func val(name string, d tensor.DType, s ...int) *graph.Value {
	return &graph.Value{Name: name, DType: d, Shape: graph.Dims(s...)}
}

// ifGraph gives x+w or w*w by the sign of the sum of x, w being an initialiser.
func ifGraph() *graph.Graph {
	g := graph.New("if", 13)
	x := input(g, "x", tensor.Float32, graph.Dims(2))
	w := g.Const("w", f32(10, 20), graph.Auto)
	b := NewBuilder(g, "v")
	h := b.Op("Neg", x)
	cond := b.Op("Greater", b.Sum(x, false, 0), b.Scalar(0, x))
	yes := sub(13, nil, func(b *Builder, _ []*graph.Value) []*graph.Value { return []*graph.Value{b.Op("Sub", w, h)} })
	no := sub(13, nil, func(b *Builder, _ []*graph.Value) []*graph.Value { return []*graph.Value{b.Op("Mul", w, w)} })
	y := b.Node("", "If", 1, []*graph.Value{cond}, attr("then_branch", yes), attr("else_branch", no)).Out(0)
	if b.Err() != nil {
		panic(b.Err())
	}
	y.Name = "y"
	g.Outputs = []*graph.Value{y}
	return g
}

func TestIf(t *testing.T) {
	for _, c := range []struct{ x, want *tensor.Tensor }{{f32(1, 2), f32(11, 22)}, {f32(-1, 0), f32(100, 400)}} {
		g := ifGraph()
		if s := g.Outputs[0].Shape.String(); s != "[2]" {
			t.Errorf("inferred %s", s)
		}
		in := map[string]*tensor.Tensor{"x": c.x}
		got, err := Run(g, in)
		if err != nil {
			t.Fatal(err)
		}
		closeTo(t, "if", got["y"], c.want, 0)
		if _, err := Simplify(g); err != nil { // what branches capture must stay
			t.Fatal(err)
		}
		if got, err = Run(g, in); err != nil {
			t.Fatal(err)
		}
		closeTo(t, "if simplified", got["y"], c.want, 0)
		k, _ := g.Clone(true)
		if got, err = Run(k, in); err != nil {
			t.Fatal(err)
		}
		closeTo(t, "if copied", got["y"], c.want, 0)
	}
}

// A constant condition takes its branch, whatever the other one says.
func TestIfConstant(t *testing.T) {
	g := graph.New("if", 13)
	x := input(g, "x", tensor.Float32, graph.Dims(3, 1))
	b := NewBuilder(g, "v")
	one := b.Op("Equal", b.Op("Gather", b.Op("Shape", x), b.Const(tensor.Scalar(int64(0)))), b.Const(tensor.Scalar(int64(1))))
	branch := func(op string, axes ...int) *graph.Graph {
		s := graph.New(op, 13)
		n := s.Add(op, "", []*graph.Value{x}, []string{"r"})
		if axes != nil {
			n.Inputs = append(n.Inputs, b.Ints(axes...))
		}
		s.Outputs = n.Outputs
		return s
	}
	y := b.Node("", "If", 1, []*graph.Value{one}, attr("then_branch", branch("Squeeze", 0)), attr("else_branch", branch("Neg"))).Out(0)
	z := b.Node("", "If", 1, []*graph.Value{one}, attr("then_branch", branch("Squeeze", 0)), attr("else_branch", branch("Abs"))).Out(0)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.Outputs = []*graph.Value{y, z}
	names := []string{y.Name, z.Name}
	if _, err := Simplify(g); err != nil {
		t.Fatal(err)
	}
	if len(g.Nodes) != 2 || g.Outputs[0].Name != names[0] || g.Outputs[1].Name != names[1] {
		t.Fatalf("got %v", g)
	}
	got, err := Run(g, map[string]*tensor.Tensor{"x": f32(1, -2, 3).Reshape(3, 1)})
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "neg", got[names[0]], f32(-1, 2, -3).Reshape(3, 1), 0)
	closeTo(t, "abs", got[names[1]], f32(1, 2, 3).Reshape(3, 1), 0)
}

// fibonacci carries two numbers and a growing list, and stacks the first.
func fibonacci(m, cond *graph.Value) *graph.Graph {
	g := graph.New("loop", 13)
	if m != nil && m.Const == nil {
		g.Inputs = append(g.Inputs, m)
	}
	carried := []*graph.Value{val("i", tensor.Int64), val("c", tensor.Bool), val("p", tensor.Int64), val("q", tensor.Int64), val("list", tensor.Int64, 1)}
	limit := g.Const("limit", tensor.Scalar(int64(100)), graph.Frozen)
	body := sub(13, carried, func(b *Builder, in []*graph.Value) []*graph.Value {
		sum := b.Op("Add", in[2], in[3])
		grown := b.Attr("Concat", []graph.Attr{attr("axis", 0)}, in[4], b.Unsqueeze(sum, 0))
		grown.Shape = nil
		return []*graph.Value{b.Op("Less", sum, limit), b.Op("Identity", in[3]), sum, grown, b.Op("Identity", in[2])}
	})
	one := func(n string) *graph.Value { return g.Const(n, tensor.Scalar(int64(1)), graph.Frozen) }
	n := g.Add("Loop", "", []*graph.Value{m, cond, one("a"), one("b"), g.Const("l", i64(1), graph.Frozen)},
		[]string{"p", "q", "list", "all"}, attr("body", body))
	g.Outputs = n.Outputs
	return g
}

func TestLoop(t *testing.T) {
	m := val("m", tensor.Int64)
	for _, c := range []struct {
		m         *graph.Value
		count     int64
		list, all []int64
	}{
		{m, 4, []int64{1, 2, 3, 5, 8}, []int64{1, 1, 2, 3}},
		{m, 0, []int64{1}, []int64{}},
		{m, 1000, []int64{1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144}, []int64{1, 1, 2, 3, 5, 8, 13, 21, 34, 55}},
		{nil, 0, []int64{1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144}, []int64{1, 1, 2, 3, 5, 8, 13, 21, 34, 55}},
	} {
		g := fibonacci(c.m, nil)
		if err := InferAll(g); err != nil {
			t.Fatal(err)
		}
		if s := g.Outputs[2].Shape; len(s) != 1 || s[0].Known() {
			t.Errorf("the list that grows has shape %v", s)
		}
		got, err := Run(g, map[string]*tensor.Tensor{"m": tensor.Scalar(c.count)})
		if err != nil {
			t.Fatal(err)
		}
		closeTo(t, "list", got[g.Outputs[2].Name], i64(c.list...), 0)
		closeTo(t, "all", got[g.Outputs[3].Name], i64(c.all...), 0)
	}
	g := fibonacci(graph.New("", 13).Const("five", tensor.Scalar(int64(5)), graph.Frozen), nil)
	g.Nodes[0].Attr("body").G.Outputs[0] = g.Nodes[0].Attr("body").G.Inputs[1] // the condition goes through
	if err := InferAll(g); err != nil {
		t.Fatal(err)
	}
	if s := g.Outputs[3].Shape.String(); s != "[5]" {
		t.Errorf("five rounds stack to %s", s)
	}
}

// A loop without an end is refused where it can be told, and can be
// interrupted where not.
func TestLoopEndless(t *testing.T) {
	g := fibonacci(nil, nil)
	body := g.Nodes[0].Attr("body").G
	body.Outputs[0] = body.Inputs[1]
	if err := InferAll(g); err == nil || !strings.Contains(err.Error(), "never ends") {
		t.Errorf("got %v", err)
	}
	m := val("m", tensor.Int64)
	g = fibonacci(m, nil)
	body = g.Nodes[0].Attr("body").G
	body.Outputs[0] = body.Inputs[1]
	g.Nodes[0].Inputs, g.Nodes[0].Outputs = g.Nodes[0].Inputs[:4], g.Nodes[0].Outputs[:2]
	body.Inputs, body.Outputs = body.Inputs[:4], body.Outputs[:3]
	body.Nodes = nil
	body.Outputs = body.Inputs[1:]
	g.Outputs = g.Nodes[0].Outputs
	if err := InferAll(g); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer stop()
	_, err := RunWithin(ctx, 0, g, map[string]*tensor.Tensor{"m": tensor.Scalar(int64(1<<63 - 1))})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// A loop whose state doubles is ended by the bound on memory, not by the machine.
func TestLoopGrows(t *testing.T) {
	m := val("m", tensor.Int64)
	g := graph.New("loop", 13)
	g.Inputs = []*graph.Value{m}
	body := sub(13, []*graph.Value{val("i", tensor.Int64), val("c", tensor.Bool), val("list", tensor.Int64, 1)}, func(b *Builder, in []*graph.Value) []*graph.Value {
		grown := b.Attr("Concat", []graph.Attr{attr("axis", 0)}, in[2], in[2])
		grown.Shape = nil
		return []*graph.Value{b.Op("Identity", in[1]), grown}
	})
	n := g.Add("Loop", "", []*graph.Value{m, nil, g.Const("l", i64(1), graph.Frozen)}, []string{"list"}, attr("body", body))
	g.Outputs = n.Outputs
	if err := InferAll(g); err != nil {
		t.Fatal(err)
	}
	run := func(rounds int64) error {
		_, err := RunWithin(context.Background(), 1<<16, g, map[string]*tensor.Tensor{"m": tensor.Scalar(rounds)})
		return err
	}
	if err := run(8); err != nil {
		t.Error(err)
	}
	if err := run(60); err == nil || !strings.Contains(err.Error(), "allowed") {
		t.Errorf("2^60 numbers: %v", err)
	}
}

// The gradients of what the branches capture are those of the branch taken.
func TestControlGradient(t *testing.T) {
	for _, c := range []struct{ x, dx, dw *tensor.Tensor }{{f32(1, 2), f32(1, 1), f32(1, 1)}, {f32(-1, 0), f32(0, 0), f32(20, 40)}} {
		g := ifGraph()
		w := g.Value("w")
		d, err := Gradient(g, g.Outputs[0], nil, []*graph.Value{g.Inputs[0], w})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Run(g, map[string]*tensor.Tensor{"x": c.x}, d...)
		if err != nil {
			t.Fatal(err)
		}
		closeTo(t, "dx", got[d[0].Name], c.dx, 0)
		closeTo(t, "dw", got[d[1].Name], c.dw, 0)
	}
	// a loop without a known end has no gradient, and says so
	g := graph.New("loop", 13)
	m, x := input(g, "m", tensor.Int64, graph.Dims()), input(g, "x", tensor.Float32, graph.Dims(2))
	body := sub(13, []*graph.Value{val("i", tensor.Int64), val("going", tensor.Bool), val("h", tensor.Float32, 2)}, func(b *Builder, in []*graph.Value) []*graph.Value {
		return []*graph.Value{b.Op("Identity", in[1]), b.Op("Tanh", in[2])}
	})
	g.Outputs = g.Add("Loop", "", []*graph.Value{m, nil, x}, []string{"y"}, attr("body", body)).Outputs
	if err := InferAll(g); err != nil {
		t.Fatal(err)
	}
	if _, err := Gradient(g, g.Outputs[0], nil, []*graph.Value{x}); err == nil || !strings.Contains(err.Error(), "rounds") {
		t.Errorf("got %v", err)
	}
}

// TestScan sums backwards along the second axis and writes along the last.
func TestScan(t *testing.T) {
	g := graph.New("scan", 13)
	x := input(g, "x", tensor.Float32, graph.Dims(2, 3))
	body := sub(13, []*graph.Value{val("s", tensor.Float32, 2), val("e", tensor.Float32, 2)}, func(b *Builder, in []*graph.Value) []*graph.Value {
		s := b.Op("Add", in[0], in[1])
		return []*graph.Value{s, b.Op("Identity", s)}
	})
	n := g.Add("Scan", "", []*graph.Value{g.Const("zero", f32(0, 0), graph.Frozen), x}, []string{"last", "all"}, attr("body", body),
		attr("num_scan_inputs", 1), attr("scan_input_axes", []int{1}), attr("scan_input_directions", []int{1}), attr("scan_output_axes", []int{-1}))
	g.Outputs = n.Outputs
	if err := InferAll(g); err != nil {
		t.Fatal(err)
	}
	if a, b := n.Out(0).Shape.String(), n.Out(1).Shape.String(); a != "[2]" || b != "[2 3]" {
		t.Errorf("inferred %s and %s", a, b)
	}
	got, err := Run(g, map[string]*tensor.Tensor{"x": f32(1, 2, 3, 10, 20, 30).Reshape(2, 3)})
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "last", got[n.Out(0).Name], f32(6, 60), 0)
	closeTo(t, "all", got[n.Out(1).Name], f32(3, 5, 6, 30, 50, 60).Reshape(2, 3), 0)
}
