package op

import (
	"pare/graph"
	"pare/tensor"
)

// asIs is the meaning of an operator that only renames its input.
func asIs(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	return []*tensor.Tensor{in[0]}, nil
}

// sameContents passes type, shape and contents through.
func sameContents(c *Infer) error {
	if d, ok := c.Contents(0); ok {
		c.SetContents(d)
	}
	return sameAs(c)
}

var _ = register(
	Def{Name: "Identity", Infer: sameContents, Eval: asIs, Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		return dy[:1], nil
	}},
	Def{Name: "Shape",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			if x.Shape == nil {
				c.Out(0, tensor.Int64, graph.Shape{graph.Sym("rank(" + x.Name + ")")})
				return nil
			}
			lo, hi := shapeRange(c.Node, len(x.Shape))
			c.Out(0, tensor.Int64, graph.Dims(hi-lo))
			c.SetContents(x.Shape[lo:hi])
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			lo, hi := shapeRange(n, in[0].Rank())
			out := tensor.New(tensor.Int64, hi-lo)
			for i := lo; i < hi; i++ {
				tensor.Of[int64](out)[i-lo] = int64(in[0].Shape[i])
			}
			return single(out, nil)
		}, Grad: noGrad},
	Def{Name: "Size",
		Infer: func(c *Infer) error {
			c.Out(0, tensor.Int64, graph.Shape{})
			if s := c.Shape(0); s != nil {
				c.SetContents([]graph.Dim{s.Size(0, len(s))})
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			return single(tensor.Scalar(int64(in[0].Len())), nil)
		}, Grad: noGrad},
)

func shapeRange(n *graph.Node, rank int) (lo, hi int) {
	clampTo := func(v int) int {
		if v < 0 {
			v += rank
		}
		return max(0, min(v, rank))
	}
	lo, hi = clampTo(n.Int("start", 0)), rank
	if n.Attr("end") != nil {
		hi = clampTo(n.Int("end", rank))
	}
	return lo, max(lo, hi)
}
