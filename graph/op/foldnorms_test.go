package op

import (
	"math"
	"math/rand/v2"
	"testing"

	"pare/graph"
	"pare/tensor"
)

// What is folded computes the same with weights that are still weights; a
// convolution that something else reads too stays.
func TestFoldNorms(t *testing.T) {
	for _, shared := range []bool{false, true} {
		r := rand.New(rand.NewPCG(4, 5))
		random := func(least float32, shape ...int) *tensor.Tensor {
			x := tensor.New(tensor.Float32, shape...)
			for i := range x.F32() {
				x.F32()[i] = least + r.Float32()
			}
			return x
		}
		g := graph.New("g", 17)
		x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(2, 3, 5, 5)}
		g.Inputs = []*graph.Value{x}
		b := NewBuilder(g, "y")
		weight := func(name string, x *tensor.Tensor) *graph.Value { return g.Const(name, x, graph.Param) }
		c := b.Op("Conv", x, weight("w", random(-.5, 4, 3, 3, 3)))
		y := b.Op("BatchNormalization", c, weight("s", random(.5, 4)), weight("b", random(0, 4)),
			g.Const("m", random(0, 4), graph.Stat), g.Const("v", random(.5, 4), graph.Stat))
		if shared {
			y = b.Op("Add", y, c)
		}
		y.Name, g.Outputs = "y", []*graph.Value{b.Op("Relu", y)}
		g.Outputs[0].Name = "out"
		if err := InferAll(g); err != nil {
			t.Fatal(err)
		}
		in := map[string]*tensor.Tensor{"x": random(-.5, 2, 3, 5, 5)}
		want, err := Run(g, in)
		if err != nil {
			t.Fatal(err)
		}
		if err := FoldNorms(g); err != nil {
			t.Fatal(err)
		}
		got, err := Run(g, in)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range want["out"].F32() {
			if d := math.Abs(float64(v - got["out"].F32()[i])); d > 1e-5 {
				t.Fatalf("output %d differs by %v", i, d)
			}
		}
		if nodes, params := len(g.Nodes), len(g.Params()); !shared && (nodes != 2 || params != 2) || shared && (nodes != 4 || params != 3) {
			t.Errorf("%d nodes and %d weights are left (read elsewhere: %v)", nodes, params, shared)
		}
	}
}
