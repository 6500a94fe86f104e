package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// Where chooses elementwise between two inputs by a condition; all three
// broadcast.
var _ = register(Def{Name: "Where",
	Infer: func(c *Infer) error {
		x, err := c.In(1)
		if err != nil {
			return err
		}
		y, err := c.In(2)
		if err != nil {
			return err
		}
		if d := c.DType(0); d != tensor.Bool && d != tensor.Undefined {
			return fmt.Errorf("the condition is %v, not bool", d)
		}
		if x.DType != y.DType && x.DType != tensor.Undefined && y.DType != tensor.Undefined {
			return fmt.Errorf("inputs are %v and %v: types must agree", x.DType, y.DType)
		}
		s, err := broadcast(c.Shape(0), x.Shape)
		if err != nil {
			return err
		}
		if s, err = broadcast(s, y.Shape); err != nil {
			return err
		}
		c.Out(0, x.DType, s)
		return nil
	},
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		s, err := broadcastInts(in[0].Shape, in[1].Shape)
		if err != nil {
			return nil, err
		}
		if s, err = broadcastInts(s, in[2].Shape); err != nil {
			return nil, err
		}
		out, err := alloc(in[1].DType, s...)
		if err != nil {
			return nil, err
		}
		cond := tensor.Of[bool](in[0])
		if in[0].DType != tensor.Bool || in[1].DType != in[2].DType {
			return nil, fmt.Errorf("inputs are %v, %v and %v: the first must be bool, the others of one type", in[0].DType, in[1].DType, in[2].DType)
		}
		sc := broadcastStrides(in[0].Shape, s)
		for k, src := range in[1:3] {
			set := copier(out, src)
			odometer2(s, sc, broadcastStrides(src.Shape, s), func(i, c, off int) {
				if cond[c] == (k == 0) {
					set(i, off)
				}
			})
		}
		return single(out, nil)
	},
	Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		zero := b.Scalar(0, dy[0])
		return []*graph.Value{nil, sumTo(b, b.Op("Where", n.In(0), dy[0], zero), n.In(1)),
			sumTo(b, b.Op("Where", n.In(0), zero, dy[0]), n.In(2))}, nil
	}})
