package structure_test

import (
	"fmt"
	"slices"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
	"pare/tensor"
)

// Affine is an operator of our own: every channel of x [N C] times a scale, plus a
// bias. It states the number of channels.
func init() {
	op.Register(op.Def{
		Domain: "example.com", Name: "Affine",
		Infer: func(c *op.Infer) error {
			if s, n := c.Shape(0), c.Node.Int("channels", 0); len(s) != 2 || s[1] != graph.N(n) {
				return fmt.Errorf("x is %v, want %d channels", s, n)
			}
			c.Out(0, c.DType(0), c.Shape(0))
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, scale, bias := in[0].F32(), in[1].F32(), in[2].F32()
			y := tensor.New(tensor.Float32, in[0].Shape...)
			for i := range x {
				c := i % len(scale)
				y.F32()[i] = x[i]*scale[c] + bias[c]
			}
			return []*tensor.Tensor{y}, nil
		},
		Params: func(*graph.Node) []op.Param {
			return []op.Param{{In: 1, Part: op.Scale}, {In: 2, Part: op.Bias}}
		},
	})
	structure.Register(structure.Rule{
		Domain: "example.com", Op: "Affine",
		Tie: func(r *structure.Relation, n *graph.Node) {
			x, scale, bias, y := n.In(0), n.In(1), n.In(2), n.Out(0)
			r.Same(x, 0, y, 0)
			for _, v := range []*graph.Value{x, scale, bias} {
				r.Same(v, len(v.Shape)-1, y, 1)
			}
		},
		Adapt: func(c *structure.Cutting) error {
			if k := c.Kept(c.Old.In(0), 1); k != nil {
				c.New.Set("channels", k.Count())
			}
			return nil
		},
		Zeros: structure.Zeros{Pass: structure.AllZero, Of: []int{1, 2}}, // 0*x + 0
	})
}

// A rule makes channels be followed through an operator of one's own, which stands
// between two linear layers here.
func ExampleRegister() {
	g := graph.New("own", 17)
	g.Opset["example.com"] = 1
	weight := func(name string, shape ...int) *graph.Value {
		t := tensor.New(tensor.Float32, shape...)
		for i := range t.F32() {
			t.F32()[i] = float32(i%5) - 1.5
		}
		return g.Const(name, t, graph.Param)
	}
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(2, 3)}
	g.Inputs = []*graph.Value{x}
	h := g.Add("MatMul", "", []*graph.Value{x, weight("first", 3, 4)}, []string{"h"})
	a := g.Add("Affine", "example.com", []*graph.Value{h.Out(0), weight("scale", 4), weight("bias", 4)}, []string{"a"}, graph.MakeAttr("channels", 4))
	y := g.Add("MatMul", "", []*graph.Value{a.Out(0), weight("second", 4, 2)}, []string{"y"})
	g.Outputs = y.Outputs
	if err := op.InferAll(g); err != nil {
		fmt.Println(err)
		return
	}

	groups, _ := structure.Groups(g)
	fmt.Println(groups[0])
	s := structure.All(groups)
	s[0].Set(1, false)
	cut, err := structure.Cut(g, groups, s)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cut.Value("scale").Shape, cut.Nodes[1].Int("channels", 0))
	fmt.Println(slices.Equal(outputs(cut), outputs(structure.Zero(g, groups, s))))
	// Output:
	// 4 channels of first: first[1] scale[0] bias[0] second[0]
	// [3] 3
	// true
}

// outputs runs a network on the numbers 0, 1, 2 ...
func outputs(g *graph.Graph) []float32 {
	p, err := engine.Compile(g, nil, engine.Options{Threads: 1})
	if err != nil {
		fmt.Println(err)
		return nil
	}
	defer p.Close()
	x := p.Input("x").F32()
	for i := range x {
		x[i] = float32(i)
	}
	if err := p.Run(); err != nil {
		fmt.Println(err)
	}
	return append([]float32{}, p.Output("y").F32()...)
}
