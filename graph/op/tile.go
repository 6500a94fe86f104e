package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// tileSource gives, for element i of a tensor of shape big, the offset in a
// tensor of shape small that repeats to fill it.
func tileSource(big, small []int) func(i int) int {
	st, bt := tensor.Strides(small), tensor.Strides(big)
	return func(i int) int {
		off := 0
		for d := range big {
			off += i / bt[d] % small[d] * st[d]
			i %= bt[d]
		}
		return off
	}
}

var _ = register(
	// Tile repeats x along each axis.
	Def{Name: "Tile",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			r, ok := c.Contents(1)
			if !ok || x.Shape == nil {
				c.Out(0, x.DType, unknownShape(c, len(x.Shape), x.Shape != nil))
				return nil
			}
			if len(r) != len(x.Shape) {
				return fmt.Errorf("%d repeats do not fit shape %v: one for each axis is needed", len(r), x.Shape)
			}
			out := append(graph.Shape{}, x.Shape...)
			for i := range out {
				if r[i].Mul < 0 {
					return fmt.Errorf("a negative repeat in %v", graph.Shape(r))
				}
				out[i] = out[i].Times(r[i])
			}
			c.Out(0, x.DType, out)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			r, err := intsOf(in[1])
			if err != nil {
				return nil, err
			}
			if len(r) != in[0].Rank() {
				return nil, fmt.Errorf("%d repeats do not fit shape %v: one for each axis is needed", len(r), in[0].Shape)
			}
			shape := append([]int{}, in[0].Shape...)
			for i := range shape {
				size, ok := tensor.Size([]int{shape[i], r[i]})
				if !ok {
					return nil, fmt.Errorf("repeats %v of shape %v", r, in[0].Shape)
				}
				shape[i] = size
			}
			return single(take(in[0], shape, tileSource(shape, in[0].Shape)))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("TileGrad", nil, dy[0], n.In(0), n.In(1)), nil}, nil
		}},

	// TileGrad(dy, like, repeats) sums the repetitions, giving the shape of like.
	Def{Domain: graph.Pare, Name: "TileGrad",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(1)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			dy, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			out := make([]float64, in[1].Len())
			at := tileSource(in[0].Shape, in[1].Shape)
			for i, v := range dy {
				out[at(i)] += v
			}
			return single(ofFloats(in[0].DType, in[1].Shape, out))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Op("Tile", dy[0], n.In(2)), nil, nil}, nil
		}},
)

// unknownShape is a shape of fresh symbols, or of unknown rank.
func unknownShape(c *Infer, rank int, known bool) graph.Shape {
	if !known {
		return nil
	}
	s := graph.Shape{}
	for i := range rank {
		s = append(s, unknownDim(c, 0, i))
	}
	return s
}

// unknownDim is a symbol for size i of output o, which is known only when the
// graph runs.
func unknownDim(c *Infer, o, i int) graph.Dim {
	name := c.Node.Name
	if v := c.Node.Out(o); v != nil {
		name = v.Name
	}
	return graph.Derived(fmt.Sprintf("size%d", i), graph.Sym(name))
}
