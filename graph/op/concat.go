package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

var _ = register(
	Def{Name: "Concat",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			var out graph.Shape
			a := 0
			for i := range c.Node.Inputs {
				s := c.Shape(i)
				if s == nil {
					c.Out(0, x.DType, nil)
					return nil
				}
				if i == 0 {
					if a, err = axis(c.Node.Int("axis", 0), len(s)); err != nil {
						return err
					}
					out = append(graph.Shape{}, s...)
					continue
				}
				if len(s) != len(out) {
					return fmt.Errorf("shapes %v and %v differ in rank", out, s)
				}
				for d := range s {
					switch {
					case d == a:
						out[d] = out[d].Plus(s[d])
					case out[d].Known() && s[d].Known() && out[d] != s[d]:
						return fmt.Errorf("shapes %v and %v differ on axis %d", x.Shape, s, d)
					case s[d].Known():
						out[d] = s[d]
					}
				}
			}
			c.Out(0, x.DType, out)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			a, err := axis(n.Int("axis", 0), in[0].Rank())
			if err != nil {
				return nil, err
			}
			shape := append([]int{}, in[0].Shape...)
			shape[a] = 0
			for _, x := range in {
				if len(x.Shape) != len(shape) {
					return nil, fmt.Errorf("shapes %v and %v differ in rank", in[0].Shape, x.Shape)
				}
				for d := range shape {
					if d != a && x.Shape[d] != shape[d] {
						return nil, fmt.Errorf("shapes %v and %v differ on axis %d", in[0].Shape, x.Shape, d)
					}
				}
				shape[a] += x.Shape[a]
			}
			out, err := alloc(in[0].DType, shape...)
			if err != nil {
				return nil, err
			}
			st := tensor.Strides(shape)
			base := 0
			for _, x := range in {
				cp := copier(out, x)
				odometer(x.Shape, st, func(i, off int) { cp(base+off, i) })
				base += x.Shape[a] * st[a]
			}
			return single(out, nil)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			a, err := axis(n.Int("axis", 0), len(n.Out(0).Shape))
			if err != nil {
				return nil, err
			}
			for _, x := range n.Inputs {
				if x.Shape == nil || !x.Shape[a].Known() {
					in := append([]*graph.Value{dy[0]}, n.Inputs...)
					return b.Node(graph.Pare, "ConcatGrad", len(n.Inputs), in, graph.MakeAttr("axis", a)).Outputs, nil
				}
			}
			out := make([]*graph.Value, len(n.Inputs))
			lo := 0
			for i, x := range n.Inputs {
				out[i] = slice(b, dy[0], a, lo, lo+x.Shape[a].Mul)
				lo += x.Shape[a].Mul
			}
			return out, nil
		}},

	// ConcatGrad(dy, x0, x1, …) cuts dy into parts of the shapes of x0, x1, …
	Def{Domain: graph.Pare, Name: "ConcatGrad",
		Infer: func(c *Infer) error {
			for i := range c.Node.Outputs {
				c.Out(i, c.DType(0), c.Shape(i+1))
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			a, err := axis(n.Int("axis", 0), in[0].Rank())
			if err != nil {
				return nil, err
			}
			st := tensor.Strides(in[0].Shape)
			base, out := 0, []*tensor.Tensor{}
			for _, x := range in[1:] {
				o := tensor.New(in[0].DType, x.Shape...)
				cp := copier(o, in[0])
				odometer(x.Shape, st, func(i, off int) { cp(i, base+off) })
				base += x.Shape[a] * st[a]
				out = append(out, o)
			}
			return out, nil
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			parts := make([]*graph.Value, len(dy))
			for i, d := range dy {
				if parts[i] = d; d == nil {
					parts[i] = b.Pare("ZerosLike", nil, n.In(i+1))
				}
			}
			d := b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", n.Int("axis", 0))}, parts...)
			return append([]*graph.Value{d}, make([]*graph.Value, len(dy))...), nil
		}},
)
