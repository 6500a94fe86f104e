package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// diagonal is the k input of Trilu: 0 where it is left out.
func diagonal(in []*tensor.Tensor) (int, error) {
	k, err := intsOf(arg(in, 1))
	if err != nil || k != nil && len(k) != 1 {
		return 0, fmt.Errorf("k must be one integer (%v)", err)
	}
	if k == nil {
		return 0, nil
	}
	return k[0], nil
}

var _ = register(
	// EyeLike is a matrix of the shape of its input with ones on diagonal k.
	Def{Name: "EyeLike",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			if x.Shape != nil && len(x.Shape) != 2 {
				return fmt.Errorf("shape %v is not that of a matrix", x.Shape)
			}
			d := tensor.DType(c.Node.Int("dtype", int(x.DType)))
			if !d.Valid() {
				return fmt.Errorf("dtype %d is not known", c.Node.Int("dtype", 0))
			}
			c.Out(0, d, x.Shape)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			rows, cols, k := in[0].Shape[0], in[0].Shape[1], n.Int("k", 0)
			x := make([]float64, rows*cols)
			for r := range rows {
				if c := r + k; c >= 0 && c < cols {
					x[r*cols+c] = 1
				}
			}
			return single(ofFloats(tensor.DType(n.Int("dtype", int(in[0].DType))), in[0].Shape, x))
		}, Grad: noGrad},

	// Trilu keeps the upper or lower triangle of the last two axes, from
	// diagonal k on.
	Def{Name: "Trilu",
		Infer: func(c *Infer) error {
			if s := c.Shape(0); s != nil && len(s) < 2 {
				return fmt.Errorf("shape %v has no two axes", s)
			}
			return sameAs(c)
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			k, err := diagonal(in)
			if err != nil {
				return nil, err
			}
			rank := in[0].Rank()
			rows, cols, upper := in[0].Shape[rank-2], in[0].Shape[rank-1], n.Int("upper", 1) != 0
			return single(take(in[0], in[0].Shape, func(i int) int {
				if d := i%cols - i/cols%rows; upper && d >= k || !upper && d <= k {
					return i
				}
				return -1
			}))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			in := append([]*graph.Value{dy[0]}, n.Inputs[1:]...)
			return append([]*graph.Value{b.Attr("Trilu", n.Attrs, in...)}, make([]*graph.Value, len(in)-1)...), nil
		}},
)
