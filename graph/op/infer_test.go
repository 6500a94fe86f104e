package op

import (
	"errors"
	"strings"
	"testing"

	"pare/graph"
	"pare/tensor"
)

var symN, symT = graph.Sym("N"), graph.Sym("T")

// input adds an input of a shape to a graph.
func input(g *graph.Graph, name string, d tensor.DType, s graph.Shape) *graph.Value {
	v := &graph.Value{Name: name, DType: d, Shape: s}
	g.Inputs = append(g.Inputs, v)
	return v
}

// TestSymbolicShapes gives shapes with symbols and what becomes of them.
func TestSymbolicShapes(t *testing.T) {
	N, T, n := symN, symT, graph.N
	shape := func(d ...graph.Dim) graph.Shape { return append(graph.Shape{}, d...) }
	as := func(kv ...any) (out []graph.Attr) {
		for i := 0; i < len(kv); i += 2 {
			out = append(out, attr(kv[i].(string), kv[i+1]))
		}
		return out
	}
	for _, c := range []struct {
		op    string
		in    []any // shapes of float inputs, or int64 constants
		attrs []graph.Attr
		want  string
	}{
		{"Relu", []any{shape(N, n(3))}, nil, "[N 3]"},
		{"Add", []any{shape(N, T, n(8)), shape(n(8))}, nil, "[N T 8]"},
		{"Add", []any{shape(N, n(1), T), shape(n(4), n(1))}, nil, "[N 4 T]"},
		{"Reshape", []any{shape(N, n(4), n(4), n(4)), i64(0, -1)}, nil, "[N 64]"},
		{"Reshape", []any{shape(N, T, n(64)), i64(-1, 64)}, nil, "[N*T 64]"},
		{"Reshape", []any{shape(N, T, n(64)), i64(0, 0, 4, 16)}, nil, "[N T 4 16]"},
		{"Reshape", []any{shape(N, n(8)), i64(-1, 4)}, nil, "[2*N 4]"},
		{"Flatten", []any{shape(N, n(3), n(8), n(8))}, nil, "[N 192]"},
		{"Transpose", []any{shape(N, T, n(4), n(16))}, as("perm", []int{0, 2, 1, 3}), "[N 4 T 16]"},
		{"Concat", []any{shape(N, n(3)), shape(N, n(5))}, as("axis", 1), "[N 8]"},
		{"Concat", []any{shape(n(1), n(8)), shape(T, n(8))}, as("axis", 0), "[(1+T) 8]"},
		{"Concat", []any{shape(T, n(8)), shape(T, n(8))}, as("axis", 0), "[2*T 8]"},
		{"Slice", []any{shape(N, n(32)), i64(0), i64(1 << 62), i64(1), i64(2)}, nil, "[N 16]"},
		{"Slice", []any{shape(N, T), i64(0), i64(1<<31 - 1), i64(1)}, nil, "[N T]"},
		{"Slice", []any{shape(N, T), i64(0), i64(-1), i64(1)}, nil, "[N (T-1)]"},
		{"Slice", []any{shape(N, T), i64(1), i64(1<<63 - 1), i64(1)}, nil, "[N (T-1)]"},
		{"Pad", []any{shape(N, n(3), n(8), n(8)), i64(0, 0, 1, 1, 0, 0, 1, 1)}, nil, "[N 3 10 10]"},
		{"Gather", []any{shape(n(100), n(8)), shape(N, T)}, nil, "[N T 8]"},
		{"Gather", []any{shape(N, T, n(8)), tensor.Scalar[int64](0)}, as("axis", 1), "[N 8]"},
		{"Squeeze", []any{shape(N, n(1), T), i64(1)}, nil, "[N T]"},
		{"Unsqueeze", []any{shape(N, T), i64(1, -1)}, nil, "[N 1 T 1]"},
		{"Expand", []any{shape(N, n(1)), i64(1, 7)}, nil, "[N 7]"},
		{"Tile", []any{shape(N, n(2)), i64(3, 2)}, nil, "[3*N 4]"},
		{"ReduceMean", []any{shape(N, n(64), n(8), n(8)), i64(2, 3)}, as("keepdims", 0), "[N 64]"},
		{"ReduceSum", []any{shape(N, T), i64(-1)}, nil, "[N 1]"},
		{"ArgMax", []any{shape(N, n(10))}, as("axis", 1, "keepdims", 0), "[N]"},
		{"OneHot", []any{shape(N), tensor.Scalar[int64](10), shape(n(2))}, nil, "[N 10]"},
		{"Split", []any{shape(N, n(9)), i64(4, 5)}, as("axis", 1), "[N 4]"},
		{"TopK", []any{shape(N, n(10)), i64(5)}, nil, "[N 5]"},
		{"Where", []any{tensor.Vector(true, false), shape(N, n(2)), shape(n(1))}, nil, "[N 2]"},
		{"CumSum", []any{shape(N, T), tensor.Scalar[int64](1)}, nil, "[N T]"},
		{"DepthToSpace", []any{shape(N, n(8), T, n(4))}, as("blocksize", 2), "[N 2 2*T 8]"},
		{"SpaceToDepth", []any{shape(N, n(2), n(4), n(8))}, as("blocksize", 2), "[N 8 2 4]"},
		{"GatherND", []any{shape(N, T, n(8)), tensor.From([]int64{0, 0}, 1, 2)}, nil, "[1 8]"},
		{"GatherElements", []any{shape(N, T), shape(N, n(2))}, nil, "[N 2]"},
		{"Relu", []any{graph.Shape(nil)}, nil, "[?]"},
		{"Add", []any{graph.Shape(nil), shape(N)}, nil, "[?]"},
		{"Reshape", []any{graph.Shape(nil), i64(2, 3)}, nil, "[2 3]"},
		{"Transpose", []any{graph.Shape(nil)}, nil, "[?]"},
		{"Concat", []any{shape(N), graph.Shape(nil)}, as("axis", 0), "[?]"},
		{"ReduceSum", []any{graph.Shape(nil)}, nil, "[?]"},
	} {
		g := graph.New(c.op, 18)
		var in []*graph.Value
		for i, x := range c.in {
			switch x := x.(type) {
			case graph.Shape:
				d := tensor.Float32
				if strings.HasPrefix(c.op, "Gather") && i == 1 || c.op == "OneHot" && i == 0 {
					d = tensor.Int64
				}
				in = append(in, input(g, g.Fresh("x"), d, x))
			case *tensor.Tensor:
				in = append(in, g.Const("c", x, graph.Frozen))
			}
		}
		n := g.Add(c.op, "", in, []string{"y"}, c.attrs...)
		if c.op == "Split" {
			n.Outputs = append(n.Outputs, &graph.Value{Name: "z", From: n})
		}
		if err := InferAll(g); err != nil {
			t.Errorf("%s: %v", c.op, err)
		} else if got := n.Out(0).Shape.String(); got != c.want {
			t.Errorf("%s%v: shape %s, want %s", c.op, c.in, got, c.want)
		}
	}
}

// TestContents follows the chains by which exporters compute shapes.
func TestContents(t *testing.T) {
	g := graph.New("chains", 17)
	x := input(g, "x", tensor.Float32, graph.Shape{symN, symT, graph.N(64)})
	b := NewBuilder(g, "v")
	size := b.Op("Shape", x)
	dim := func(i int) *graph.Value { return b.Op("Gather", size, b.Const(tensor.Scalar(int64(i)))) }
	vec := func(v *graph.Value) *graph.Value { return b.Op("Unsqueeze", v, b.Ints(0)) }
	axis0 := []graph.Attr{attr("axis", 0)}
	scalar := func(v int64) *graph.Value { return b.Const(tensor.Scalar(v)) }
	check := func(name, want string, v *graph.Value) {
		t.Helper()
		if b.Err() != nil {
			t.Fatalf("%s: %v", name, b.Err())
		}
		if got := v.Shape.String(); got != want {
			t.Errorf("%s: shape %s, want %s", name, got, want)
		}
	}
	// view(N, T, 4, 64/4) of attention heads
	heads := b.Attr("Concat", axis0, vec(dim(0)), vec(dim(1)), b.Ints(4), vec(b.Op("Div", dim(2), scalar(4))))
	split := b.Op("Reshape", x, heads)
	check("heads", "[N T 4 16]", split)
	// and back: view(N*T, -1)
	check("rows", "[N*T 64]", b.Op("Reshape", split, b.Attr("Concat", axis0, vec(b.Op("Mul", dim(0), dim(1))), b.Ints(-1))))
	// flatten by a product of a slice of the shape
	prod := b.Attr("ReduceProd", []graph.Attr{attr("keepdims", 1)}, b.Op("Slice", size, b.Ints(1), b.Ints(3)))
	check("product", "[N 64*T]", b.Op("Reshape", x, b.Attr("Concat", axis0, b.Op("Slice", size, b.Ints(0), b.Ints(1)), prod)))
	// expand(-1, 5): where(shape == -1, ones, shape)
	want := b.Attr("Concat", axis0, vec(dim(0)), b.Ints(-1), b.Ints(64))
	ones := b.Attr("ConstantOfShape", []graph.Attr{attr("value", i64(1))}, b.Ints(3))
	minus := b.Op("Mul", ones, scalar(-1))
	pick := b.Op("Where", b.Op("Equal", want, minus), ones, want)
	check("expand", "[N T 64]", b.Op("Expand", x, pick))
	// positions: range(T), sliced from a table
	check("range", "[T]", b.Op("Range", scalar(0), dim(1), scalar(1)))
	table := b.Const(tensor.New(tensor.Float32, 1, 128, 64))
	check("positions", "[1 T 64]", b.Op("Slice", table, b.Ints(0), vec(dim(1)), b.Ints(1)))
	// upsampling by two through floats
	twice := b.Op("Floor", b.Op("Mul", b.Attr("Cast", []graph.Attr{attr("to", tensor.Float32)}, dim(1)), b.Const(tensor.Scalar[float32](2))))
	check("twice", "[2*T]", b.Attr("ConstantOfShape", nil, vec(b.Attr("Cast", []graph.Attr{attr("to", tensor.Int64)}, twice))))
	// split of a shape, min and max, squeeze
	parts := b.Node("", "Split", 3, []*graph.Value{size}, attr("axis", 0))
	check("split", "[T]", b.Attr("ConstantOfShape", nil, b.Op("Max", parts.Out(1), parts.Out(1))))
	check("squeeze", "[64]", b.Attr("ConstantOfShape", nil, vec(b.Op("Squeeze", parts.Out(2), b.Ints(0)))))
	// the same holds when the whole graph is inferred anew
	if err := InferAll(g); err != nil {
		t.Fatal(err)
	}
	check("again", "[N T 4 16]", split)
}

// TestConflicts wants both shapes in the error.
func TestConflicts(t *testing.T) {
	g := graph.New("conflict", 13)
	a := input(g, "a", tensor.Float32, graph.Shape{symN, graph.N(3)})
	c := input(g, "b", tensor.Float32, graph.Shape{symN, graph.N(4)})
	g.Add("Add", "", []*graph.Value{a, c}, []string{"y"})
	err := InferAll(g)
	if err == nil || !strings.Contains(err.Error(), "[N 3]") || !strings.Contains(err.Error(), "[N 4]") || !strings.Contains(err.Error(), "Add") {
		t.Errorf("got %v", err)
	}
	g = graph.New("unknown", 13)
	g.Add("Frobnicate", "", nil, []string{"y"})
	if err := errors.Join(InferAll(g), Check(g)); err == nil || !strings.Contains(err.Error(), "Frobnicate") {
		t.Errorf("got %v", err)
	}
}

// TestOddNodes gives every operator no inputs, inputs of unknown rank and
// inputs of odd types and ranks: no definition may panic beyond the drivers.
func TestOddNodes(t *testing.T) {
	odd := []func(g *graph.Graph) *graph.Value{
		func(g *graph.Graph) *graph.Value { return input(g, g.Fresh("u"), tensor.Float32, nil) },
		func(g *graph.Graph) *graph.Value { return input(g, g.Fresh("s"), tensor.Float32, graph.Shape{}) },
		func(g *graph.Graph) *graph.Value { return input(g, g.Fresh("i"), tensor.Int64, graph.Shape{symN}) },
		func(g *graph.Graph) *graph.Value { return g.Const("e", tensor.New(tensor.Int64, 0), graph.Frozen) },
		func(g *graph.Graph) *graph.Value { return g.Const("t", tensor.Vector("x"), graph.Frozen) },
		func(g *graph.Graph) *graph.Value { return g.Const("n", i64(-1<<63, 1<<62), graph.Frozen) },
	}
	for _, domain := range []string{"", graph.Pare} {
		for _, name := range Names(domain) {
			for ins := range 4 {
				for k := range odd {
					g := graph.New(name, 18)
					var in []*graph.Value
					for i := range ins {
						in = append(in, odd[(k+i*(k+1))%len(odd)](g))
					}
					n := g.Add(name, domain, in, []string{"y"})
					g.Outputs = n.Outputs
					if InferAll(g) == nil {
						_, _ = Fold(g)
					}
				}
			}
		}
	}
}
