package op

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/tensor"
)

var _ = register(
	Def{Name: "Transpose",
		Infer: func(c *Infer) error {
			x, err := c.ranked()
			if x == nil {
				return err
			}
			p, err := permutation(c.Node, len(x.Shape))
			if err != nil {
				return err
			}
			out := make(graph.Shape, len(p))
			for i, s := range p {
				out[i] = x.Shape[s]
			}
			c.Out(0, x.DType, out)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			p, err := permutation(n, in[0].Rank())
			if err != nil {
				return nil, err
			}
			shape, st, src := make([]int, len(p)), make([]int, len(p)), tensor.Strides(in[0].Shape)
			for i, s := range p {
				shape[i], st[i] = in[0].Shape[s], src[s]
			}
			out := tensor.New(in[0].DType, shape...)
			odometer(shape, st, copier(out, in[0]))
			return single(out, nil)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			p, err := permutation(n, len(n.Out(0).Shape))
			if err != nil {
				return nil, err
			}
			inv := make([]int, len(p))
			for i, s := range p {
				inv[s] = i
			}
			return []*graph.Value{b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", inv)}, dy[0])}, nil
		}},
	Def{Name: "Expand",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			d, ok := c.Contents(1)
			if !ok || x.Shape == nil {
				c.Out(0, x.DType, nil)
				return nil
			}
			s, err := broadcast(x.Shape, graph.Shape(d))
			if err != nil {
				return err
			}
			c.Out(0, x.DType, s)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			want, err := intsOf(in[1])
			if err != nil {
				return nil, err
			}
			shape, err := broadcastInts(in[0].Shape, want)
			if err != nil {
				return nil, err
			}
			out, err := alloc(in[0].DType, shape...)
			if err != nil {
				return nil, err
			}
			odometer(shape, broadcastStrides(in[0].Shape, shape), copier(out, in[0]))
			return single(out, nil)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{sumTo(b, dy[0], n.In(0)), nil}, nil
		}},
)

func permutation(n *graph.Node, rank int) ([]int, error) {
	p := n.Ints("perm")
	if p == nil {
		for i := rank - 1; i >= 0; i-- {
			p = append(p, i)
		}
	}
	if len(p) != rank || slices.ContainsFunc(p, func(a int) bool { return a < 0 }) {
		return nil, fmt.Errorf("permutation %v does not fit rank %d", p, rank)
	}
	return axes(p, rank)
}
