package op

import (
	"math"
	"testing"

	"pare/graph"
	"pare/tensor"
)

// Every way in which exporters write Gelu becomes one node with the same value;
// what only looks like it stays.
func TestFuse(t *testing.T) {
	r2 := math.Sqrt2
	for name, c := range map[string]struct {
		f    func(b *Builder, x *graph.Value) *graph.Value
		want int
	}{
		"x times, then half": {func(b *Builder, x *graph.Value) *graph.Value {
			e := b.Op("Add", b.Op("Erf", b.Op("Div", x, b.Scalar(r2, x))), b.Scalar(1, x))
			return b.Op("Mul", b.Op("Mul", x, e), b.Scalar(.5, x))
		}, 1},
		"half x apart": {func(b *Builder, x *graph.Value) *graph.Value {
			e := b.Op("Add", b.Scalar(1, x), b.Op("Erf", b.Op("Mul", b.Scalar(1/r2, x), x)))
			return b.Op("Mul", e, b.Op("Mul", x, b.Scalar(.5, x)))
		}, 1},
		"half first": {func(b *Builder, x *graph.Value) *graph.Value {
			e := b.Op("Add", b.Op("Erf", b.Op("Mul", x, b.Scalar(1/r2, x))), b.Scalar(1, x))
			return b.Op("Mul", x, b.Op("Div", e, b.Scalar(2, x)))
		}, 1},
		"Swish": {func(b *Builder, x *graph.Value) *graph.Value { return b.Op("Mul", x, b.Op("Sigmoid", x)) }, 1},
		"Mish": {func(b *Builder, x *graph.Value) *graph.Value {
			return b.Op("Mul", b.Op("Tanh", b.Op("Softplus", x)), x)
		}, 1},
		"HardSwish": {func(b *Builder, x *graph.Value) *graph.Value {
			return b.Op("Mul", x, b.Attr("HardSigmoid", []graph.Attr{graph.MakeAttr("alpha", float32(1./6)), graph.MakeAttr("beta", .5)}, x))
		}, 1},
		"a steeper gate": {func(b *Builder, x *graph.Value) *graph.Value { return b.Op("Mul", x, b.Op("HardSigmoid", x)) }, 0},
		"another's gate": {func(b *Builder, x *graph.Value) *graph.Value {
			return b.Op("Mul", b.Op("Neg", x), b.Op("Sigmoid", x))
		}, 0},
		"the gate squared": {func(b *Builder, x *graph.Value) *graph.Value {
			s := b.Op("Sigmoid", x)
			return b.Op("Mul", s, s)
		}, 0},
		"another factor": {func(b *Builder, x *graph.Value) *graph.Value {
			e := b.Op("Add", b.Op("Erf", b.Op("Mul", x, b.Scalar(.7, x))), b.Scalar(1, x))
			return b.Op("Mul", b.Op("Mul", x, e), b.Scalar(.5, x))
		}, 0},
		"another variable": {func(b *Builder, x *graph.Value) *graph.Value {
			e := b.Op("Add", b.Op("Erf", b.Op("Mul", x, b.Scalar(1/r2, x))), b.Scalar(1, x))
			return b.Op("Mul", b.Op("Mul", b.Op("Neg", x), e), b.Scalar(.5, x))
		}, 0},
		"the sum is read twice": {func(b *Builder, x *graph.Value) *graph.Value {
			e := b.Op("Add", b.Op("Erf", b.Op("Mul", x, b.Scalar(1/r2, x))), b.Scalar(1, x))
			return b.Op("Add", b.Op("Mul", b.Op("Mul", x, e), b.Scalar(.5, x)), e)
		}, 0},
		"reciprocal": {func(b *Builder, x *graph.Value) *graph.Value {
			e := b.Op("Add", b.Op("Erf", b.Op("Div", b.Scalar(r2, x), x)), b.Scalar(1, x))
			return b.Op("Mul", b.Op("Mul", x, e), b.Scalar(.5, x))
		}, 0},
	} {
		g := graph.New("gelu", 17)
		x := &graph.Value{Name: "x", DType: tensor.Float64, Shape: graph.Dims(9)}
		g.Inputs = []*graph.Value{x}
		b := NewBuilder(g, "g")
		y := c.f(b, x)
		if b.Err() != nil {
			t.Fatal(name, b.Err())
		}
		y.Name = "y"
		g.Outputs = []*graph.Value{y}
		feed := map[string]*tensor.Tensor{"x": randn(3, 9)}
		want, err := Run(g, feed)
		if err != nil {
			t.Fatal(name, err)
		}
		if n := Fuse(g); n != c.want || c.want == 1 && len(g.Nodes) != 1 {
			t.Errorf("%s: %d fused, %d nodes are left", name, n, len(g.Nodes))
		}
		got, err := Run(g, feed)
		if err != nil {
			t.Fatal(name, err)
		}
		closeTo(t, name, got["y"], want["y"], 1e-7) // a sixth is a float32
	}
}

// The derivatives of Gelu up to the third, against finite differences.
func TestGeluGradients(t *testing.T) {
	x := randn(5, 7)
	g, feed := oneNode(t, 20, "", "Gelu", 1, []*tensor.Tensor{x})
	checkGrad(t, g, feed, "x0")
	checkGrad2(t, g, feed, "x0")
	g, feed = oneNode(t, 20, graph.Pare, "GeluGrad", 1, []*tensor.Tensor{randn(6, 7), x})
	checkGrad(t, g, feed, "x0", "x1")
	checkGrad2(t, g, feed, "x0", "x1")
}
