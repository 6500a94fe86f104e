package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// gatherShape is the shape of Gather's output: the indices' axes stand in the
// place of the gathered one.
func gatherShape[T any](x, idx []T, a int) []T {
	out := append([]T{}, x[:a]...)
	out = append(out, idx...)
	return append(out, x[a+1:]...)
}

// wrapIndices checks indices against an axis and makes negative ones positive.
func wrapIndices(idx []int, size int) error {
	for i, k := range idx {
		if k < -size || k >= size {
			return fmt.Errorf("index %d is outside an axis of %d", k, size)
		}
		if k < 0 {
			idx[i] = k + size
		}
	}
	return nil
}

var _ = register(
	Def{Name: "Gather",
		Infer: func(c *Infer) error {
			x, idx, err := c.rankedPair()
			if x == nil {
				return err
			}
			a, err := axis(c.Node.Int("axis", 0), len(x.Shape))
			if err != nil {
				return err
			}
			c.Out(0, x.DType, gatherShape(x.Shape, idx.Shape, a))
			if k, known := c.Ints(1); known && x.Shape[a].Known() {
				return wrapIndices(k, x.Shape[a].Mul)
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			a, err := axis(n.Int("axis", 0), in[0].Rank())
			if err != nil {
				return nil, err
			}
			idx, err := intsOf(in[1])
			if err != nil {
				return nil, err
			}
			size := in[0].Shape[a]
			if err := wrapIndices(idx, size); err != nil {
				return nil, err
			}
			out, err := alloc(in[0].DType, gatherShape(in[0].Shape, in[1].Shape, a)...)
			if err != nil {
				return nil, err
			}
			outer, _ := tensor.Size(in[0].Shape[:a])
			inner, _ := tensor.Size(in[0].Shape[a+1:])
			cp, o := copier(out, in[0]), 0
			for r := range outer {
				for _, k := range idx {
					for i := range inner {
						cp(o, (r*size+k)*inner+i)
						o++
					}
				}
			}
			return single(out, nil)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("GatherGrad", n.Attrs, dy[0], n.In(1), n.In(0)), nil}, nil
		}},

	// GatherGrad(dy, indices, like) adds dy up where Gather read.
	Def{Domain: graph.Pare, Name: "GatherGrad",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(2)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			a, err := axis(n.Int("axis", 0), in[2].Rank())
			if err != nil {
				return nil, err
			}
			idx, err := intsOf(in[1])
			if err != nil {
				return nil, err
			}
			size := in[2].Shape[a]
			if err := wrapIndices(idx, size); err != nil {
				return nil, err
			}
			dy, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			out := make([]float64, in[2].Len())
			outer, _ := tensor.Size(in[2].Shape[:a])
			inner, _ := tensor.Size(in[2].Shape[a+1:])
			o := 0
			for r := range outer {
				for _, k := range idx {
					for i := range inner {
						out[(r*size+k)*inner+i] += dy[o]
						o++
					}
				}
			}
			return single(ofFloats(in[0].DType, in[2].Shape, out))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Attr("Gather", n.Attrs, dy[0], n.In(1)), nil, nil}, nil
		}},
)
