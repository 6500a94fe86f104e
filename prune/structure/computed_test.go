package structure_test

import (
	"math/rand/v2"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// cropped is a network that crops to a size that is only known when it runs, as
// decoders do to the size of what they are joined with.
type cropped struct {
	*op.Builder
	r       *rand.Rand
	x, size *graph.Value // [N 4 H W], and its height
}

func newCropped() *cropped {
	g := graph.New("cropped", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(4), graph.Sym("H"), graph.Sym("W")}}
	small := &graph.Value{Name: "small", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(4), graph.Sym("h"), graph.Sym("w")}}
	g.Inputs = []*graph.Value{x, small}
	c := &cropped{Builder: op.NewBuilder(g, "n"), r: rand.New(rand.NewPCG(1, 2)), x: x}
	c.size = c.Op("Gather", c.Op("Shape", small), c.Ints(2))
	return c
}

func (c *cropped) conv(x *graph.Value, in, out int) *graph.Value {
	w := tensor.New(tensor.Float32, out, in, 3, 3)
	for i := range w.F32() {
		w.F32()[i] = float32(c.r.NormFloat64())
	}
	return c.Attr("Conv", []graph.Attr{graph.MakeAttr("pads", []int{1, 1, 1, 1})}, x, c.G.Const("w", w, graph.Param))
}

func (c *cropped) join(v ...*graph.Value) *graph.Value {
	return c.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 0)}, v...)
}

// What is computed leaves alone the axes that it is not about: what is cut and
// what is zeroed compute the same, at sizes that no constant tells.
func TestComputedSizes(t *testing.T) {
	for name, middle := range map[string]func(c *cropped, y *graph.Value) *graph.Value{
		"end of rows": func(c *cropped, y *graph.Value) *graph.Value {
			return c.Op("Slice", y, c.Ints(0), c.size, c.Ints(2))
		},
		"begin of rows": func(c *cropped, y *graph.Value) *graph.Value {
			return c.Op("Slice", y, c.size, c.Ints(1<<40), c.Ints(2))
		},
		"channels and rows": func(c *cropped, y *graph.Value) *graph.Value {
			return c.Op("Slice", y, c.Ints(1, 0), c.join(c.Ints(7), c.size), c.Ints(1, 2))
		},
		"every other channel, and rows": func(c *cropped, y *graph.Value) *graph.Value {
			return c.Op("Slice", y, c.join(c.size, c.Ints(1)), c.Ints(1<<40, 1<<40), c.Ints(2, 1), c.Ints(1, 2))
		},
		"all channels, and rows": func(c *cropped, y *graph.Value) *graph.Value {
			return c.Op("Slice", y, c.Ints(0, 0), c.join(c.Ints(8), c.size), c.Ints(1, 2))
		},
		"pads of rows": func(c *cropped, y *graph.Value) *graph.Value {
			return c.Op("Pad", y, c.join(c.Ints(0, 0), c.size, c.Ints(0, 0, 0, 0, 0)))
		},
		"pads of channels and rows": func(c *cropped, y *graph.Value) *graph.Value {
			return c.Op("Pad", y, c.join(c.Ints(0, 2), c.size, c.Ints(0, 0, 1, 0, 0)))
		},
		"wanted rows": func(c *cropped, y *graph.Value) *graph.Value {
			shape := c.Op("Shape", y)
			size := c.join(c.Op("Gather", shape, c.Ints(0, 1)), c.size, c.Op("Gather", shape, c.Ints(3)))
			return c.Node("", "Resize", 1, []*graph.Value{y, nil, nil, size}).Outputs[0]
		},
		"wanted channels and rows": func(c *cropped, y *graph.Value) *graph.Value {
			shape := c.Op("Shape", y)
			size := c.join(c.Op("Gather", shape, c.Ints(0)), c.Ints(8), c.size, c.Op("Gather", shape, c.Ints(3)))
			return c.Node("", "Resize", 1, []*graph.Value{y, nil, nil, size}).Outputs[0]
		},
		"copies of rows": func(c *cropped, y *graph.Value) *graph.Value {
			y = c.Attr("ReduceMax", []graph.Attr{graph.MakeAttr("axes", []int{2})}, y)
			return c.Op("Expand", y, c.join(c.Ints(8), c.size, c.Ints(1)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCropped()
			y := middle(c, c.conv(c.x, 4, 8))
			c.G.Outputs = []*graph.Value{c.conv(y, y.Shape[1].Mul, 2)}
			if err := c.Err(); err != nil {
				t.Fatal(err)
			}
			in := map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 1, 4, 6, 5), "small": tensor.New(tensor.Float32, 1, 4, 3, 2)}
			for i := range in["x"].F32() {
				in["x"].F32()[i] = float32(c.r.NormFloat64())
			}
			if !maskedIsCut(t, c.G, in) {
				t.Error("nothing can be cut")
			}
		})
	}
}
