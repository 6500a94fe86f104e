package engine_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// sub is a subgraph whose nodes f adds.
func sub(t *testing.T, name string, in []*graph.Value, f func(b *op.Builder) []*graph.Value) *graph.Graph {
	t.Helper()
	g := graph.New(name, 17)
	g.Inputs = in
	b := op.NewBuilder(g, name)
	g.Outputs = f(b)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	return g
}

func value(name string, d tensor.DType, shape ...int) *graph.Value {
	return &graph.Value{Name: name, DType: d, Shape: graph.Dims(shape...)}
}

// Branches and bodies are planned, read what is around them anew at every run, and give
// what the definitions say.
func TestBodies(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 1))
	for name, c := range map[string]struct {
		f       func(g *graph.Graph, b *op.Builder, x *graph.Value) []*graph.Value
		planned bool
		grads   bool
	}{
		"If": {func(g *graph.Graph, b *op.Builder, x *graph.Value) []*graph.Value {
			w := g.Const("w", noise(r, 0, 5, 5), graph.Param)
			h := b.Op("Tanh", x)
			branch := func(name, f string) *graph.Graph {
				return sub(t, name, nil, func(k *op.Builder) []*graph.Value { return []*graph.Value{k.Op(f, k.Op("MatMul", h, w))} })
			}
			cond := b.Op("Greater", b.Attr("ReduceMean", []graph.Attr{graph.MakeAttr("keepdims", 0)}, x), b.Scalar(0, x))
			return []*graph.Value{b.Attr("If", []graph.Attr{graph.MakeAttr("then_branch", branch("yes", "Sigmoid")), graph.MakeAttr("else_branch", branch("no", "Relu"))}, cond)}
		}, true, true},
		"If that gives what is around it": {func(g *graph.Graph, b *op.Builder, x *graph.Value) []*graph.Value {
			h := b.Op("Tanh", x)
			yes := sub(t, "yes", nil, func(k *op.Builder) []*graph.Value { return []*graph.Value{h} })
			no := sub(t, "no", nil, func(k *op.Builder) []*graph.Value { return []*graph.Value{k.Op("Neg", x)} })
			cond := b.Op("Greater", b.Attr("ReduceMean", []graph.Attr{graph.MakeAttr("keepdims", 0)}, x), b.Scalar(0, x))
			return []*graph.Value{b.Attr("If", []graph.Attr{graph.MakeAttr("then_branch", yes), graph.MakeAttr("else_branch", no)}, cond)}
		}, true, false},
		"Loop": {func(g *graph.Graph, b *op.Builder, x *graph.Value) []*graph.Value {
			w := g.Const("w", noise(r, .9, 5, 5), graph.Param)
			in := []*graph.Value{value("i", tensor.Int64), value("go", tensor.Bool), value("h", tensor.Float32, 3, 5)}
			around := b.Op("Relu", x)
			body := sub(t, "body", in, func(k *op.Builder) []*graph.Value {
				h := k.Op("Tanh", k.Op("Add", k.Op("MatMul", in[2], w), around))
				inner := sub(t, "inner", nil, func(k *op.Builder) []*graph.Value { return []*graph.Value{k.Op("Neg", h)} })
				other := sub(t, "other", nil, func(k *op.Builder) []*graph.Value { return []*graph.Value{k.Op("Exp", h)} })
				odd := k.Attr("Cast", []graph.Attr{graph.MakeAttr("to", tensor.Bool)}, k.Op("Mod", in[0], k.Const(tensor.Scalar(int64(2)))))
				s := k.Attr("If", []graph.Attr{graph.MakeAttr("then_branch", inner), graph.MakeAttr("else_branch", other)}, odd)
				return []*graph.Value{k.Op("Less", in[0], k.Const(tensor.Scalar(int64(3)))), h, s}
			})
			return b.Node("", "Loop", 2, []*graph.Value{b.Const(tensor.Scalar(int64(9))), nil, x}, graph.MakeAttr("body", body)).Outputs
		}, true, false},
		"Loop that grows": {func(g *graph.Graph, b *op.Builder, x *graph.Value) []*graph.Value {
			in := []*graph.Value{value("i", tensor.Int64), value("go", tensor.Bool), {Name: "h", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("n"), graph.N(5)}}}
			body := sub(t, "body", in, func(k *op.Builder) []*graph.Value {
				return []*graph.Value{k.Op("Identity", in[1]), k.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 0)}, in[2], x)}
			})
			return b.Node("", "Loop", 1, []*graph.Value{b.Const(tensor.Scalar(int64(3))), nil, x}, graph.MakeAttr("body", body)).Outputs
		}, false, false},
		"Scan": {func(g *graph.Graph, b *op.Builder, x *graph.Value) []*graph.Value {
			w := g.Const("w", noise(r, 0, 5, 5), graph.Param)
			in := []*graph.Value{value("h", tensor.Float32, 1, 5), value("u", tensor.Float32, 5)}
			body := sub(t, "body", in, func(k *op.Builder) []*graph.Value {
				h := k.Op("Tanh", k.Op("Add", k.Op("MatMul", in[0], w), in[1]))
				return []*graph.Value{h, k.Op("Identity", h)}
			})
			return b.Node("", "Scan", 2, []*graph.Value{b.Const(tensor.New(tensor.Float32, 1, 5)), x}, graph.MakeAttr("body", body), graph.MakeAttr("num_scan_inputs", 1)).Outputs
		}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			for range 4 {
				g := graph.New("bodies", 17)
				g.Inputs = []*graph.Value{value("x", tensor.Float32, 3, 5)}
				b := op.NewBuilder(g, "v")
				g.Outputs = c.f(g, b, g.Inputs[0])
				if b.Err() != nil {
					t.Fatal(b.Err())
				}
				lines := strings.Join(against(t, g, map[string]*tensor.Tensor{"x": noise(r, 0, 3, 5)}, c.grads), "\n")
				if strings.Contains(lines, "planned bodies") != c.planned {
					t.Fatal(lines)
				}
			}
		})
	}
}

// A plan keeps what its branches read up to date: two runs with other inputs, each
// against the definition.
func TestBodiesAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	g, b := graph.New("again", 17), (*op.Builder)(nil)
	x := value("x", tensor.Float32, 2, 3)
	g.Inputs = []*graph.Value{x}
	b = op.NewBuilder(g, "v")
	h := b.Op("Neg", x)
	in := []*graph.Value{value("i", tensor.Int64), value("go", tensor.Bool), value("s", tensor.Float32, 2, 3)}
	body := sub(t, "body", in, func(k *op.Builder) []*graph.Value {
		return []*graph.Value{k.Op("Identity", in[1]), k.Op("Add", in[2], h)}
	})
	g.Outputs = b.Node("", "Loop", 1, []*graph.Value{b.Const(tensor.Scalar(int64(4))), nil, x}, graph.MakeAttr("body", body)).Outputs
	p, err := engine.Compile(g, nil, engine.Options{Threads: 1, Freeze: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range 3 {
		in := map[string]*tensor.Tensor{"x": noise(r, 0, 2, 3)}
		if err := p.Input("x").Copy(in["x"]); err != nil {
			t.Fatal(err)
		}
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
		want, err := op.Run(g, in)
		if err != nil {
			t.Fatal(err)
		}
		if d := distance(p.Value(g.Outputs[0]), want[g.Outputs[0].Name]); d > 1e-6 {
			t.Fatal(d)
		}
	}
}

// What stands in front of sizes that depend on data is planned; what is behind them too,
// for each size that comes, where it is work.
func TestSizesOfData(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 3))
	for _, work := range []bool{false, true} {
		g := graph.New("late", 17)
		x := value("x", tensor.Float32, 2, 3, 6, 6)
		g.Inputs = []*graph.Value{x}
		b := op.NewBuilder(g, "v")
		h := b.Op("Relu", b.Attr("Conv", []graph.Attr{graph.MakeAttr("pads", []int{1, 1, 1, 1})}, x, g.Const("w", noise(r, 0, 4, 3, 3, 3), graph.Param)))
		flat := b.Op("Reshape", h, b.Ints(-1))
		at := b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{1, 0})}, b.Op("NonZero", flat)) // [k 1]
		found := b.Op("GatherND", flat, at)                                                                 // [k]
		y := b.Op("Unsqueeze", found, b.Ints(1))
		if work {
			y = b.Op("MatMul", y, g.Const("m", noise(r, 0, 1, 5), graph.Param))
		}
		again := b.Op("Compress", b.Op("Reshape", y, b.Ints(-1)), b.Op("Greater", b.Op("Reshape", y, b.Ints(-1)), b.Scalar(.2, y))) // late once more
		g.Outputs = []*graph.Value{y, h, b.Op("Neg", again), at}
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
		p, err := engine.Compile(g, nil, engine.Options{Threads: 2, Freeze: true})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if p.Value(y) != nil {
			t.Error("there is a result before there was a run")
		}
		lines := strings.Join(p.Explain(), "\n")
		if !strings.Contains(lines, "direct convolution") || strings.Contains(lines, "planned once sizes") != work {
			t.Error(lines)
		}
		sizes := map[int]bool{}
		for range 12 {
			in := map[string]*tensor.Tensor{"x": noise(r, r.Float64(), 2, 3, 6, 6)}
			if err := p.Input("x").Copy(in["x"]); err != nil {
				t.Fatal(err)
			}
			want, err := op.Run(g, in)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := p.Run(); err != nil {
					t.Fatal(err)
				}
				for _, v := range g.Outputs {
					if got := p.Value(v); !slices.Equal(got.Shape, want[v.Name].Shape) || distance(got, want[v.Name]) > 1e-5 {
						t.Fatalf("%q is %v, want %v", v.Name, got, want[v.Name])
					}
				}
			}
			sizes[p.Value(y).Shape[0]] = true
		}
		if len(sizes) < 3 {
			t.Error("the sizes hardly differ:", sizes)
		}
	}
}
