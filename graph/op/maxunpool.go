package op

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/tensor"
)

func inferUnpool(c *Infer) error {
	x, err := c.In(0)
	if err != nil {
		return err
	}
	if d, ok := c.Contents(2); ok {
		c.Out(0, x.DType, append(graph.Shape{}, d...))
		return nil
	}
	if x.Shape == nil || c.Node.In(2) != nil {
		c.Out(0, x.DType, nil)
		return nil
	}
	size, known := x.Shape.Ints()
	if known {
		s, err := unpooled(c.Node, size)
		c.Out(0, x.DType, graph.Dims(s...))
		return err
	}
	out := append(graph.Shape{}, x.Shape...)
	for i := 2; i < len(out); i++ {
		out[i] = unknownDim(c, 0, i)
	}
	c.Out(0, x.DType, out)
	return nil
}

// unpooled is the size before the pooling that MaxUnpool undoes.
func unpooled(n *graph.Node, shape []int) ([]int, error) {
	kernel := n.Ints("kernel_shape")
	if len(shape) != len(kernel)+2 {
		return nil, fmt.Errorf("kernel %v does not fit input %v", kernel, shape)
	}
	w, err := WindowOf(n, kernel, nil)
	if err != nil {
		return nil, err
	}
	out := append([]int{}, shape...)
	for i, k := range kernel {
		if out[i+2] = (shape[i+2]-1)*w.Stride[i] - w.Begin[i] - w.End[i] + k; out[i+2] < 0 {
			return nil, fmt.Errorf("pads %v and %v leave nothing", w.Begin, w.End)
		}
	}
	return out, nil
}

// unpoolPlaces gives the output's shape and for each element of the input its
// place in the output: indices count in the size that the pooling would have
// had; a larger output is filled from its first corner.
func unpoolPlaces(n *graph.Node, shape []int, indices, given *tensor.Tensor) ([]int, []int, error) {
	small, err := unpooled(n, shape)
	if err != nil {
		return nil, nil, err
	}
	out := small
	if given != nil {
		if out, err = intsOf(given); err != nil || len(out) != len(small) {
			return nil, nil, fmt.Errorf("an output of shape %v for an input of %v (%v)", out, shape, err)
		}
	}
	if !slices.Equal(indices.Shape, shape) {
		return nil, nil, fmt.Errorf("indices %v for an input of %v", indices.Shape, shape)
	}
	at, err := intsOf(indices)
	if err != nil {
		return nil, nil, err
	}
	size, ok := tensor.Size(small)
	if _, fits := tensor.Size(out); !ok || !fits {
		return nil, nil, fmt.Errorf("an output of shape %v is too large", out)
	}
	st, idx := tensor.Strides(out), make([]int, len(small))
	for i, p := range at {
		if p < 0 || p >= size {
			return nil, nil, fmt.Errorf("index %d is outside %v", p, small)
		}
		unflatten(p, small, idx)
		at[i] = 0
		for d, k := range idx {
			if k >= out[d] {
				at[i] = -1
				break
			}
			at[i] += k * st[d]
		}
	}
	return out, at, nil
}

var _ = register(
	// MaxUnpool puts elements where MaxPool found them, zeros elsewhere.
	Def{Name: "MaxUnpool", Infer: inferUnpool,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			shape, at, err := unpoolPlaces(n, in[0].Shape, in[1], arg(in, 2))
			if err != nil {
				return nil, err
			}
			out, err := alloc(in[0].DType, shape...)
			if err != nil {
				return nil, err
			}
			cp := copier(out, in[0])
			for i, p := range at {
				if p >= 0 {
					cp(p, i)
				}
			}
			return single(out, nil)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("MaxUnpoolPick", n.Attrs, dy[0], n.In(0), n.In(1), n.In(2)), nil, nil}, nil
		}},

	// MaxUnpoolPick(u, x, indices, shape) reads u where MaxUnpool of x writes.
	Def{Domain: graph.Pare, Name: "MaxUnpoolPick",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(1)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			shape, at, err := unpoolPlaces(n, in[1].Shape, in[2], arg(in, 3))
			if err != nil {
				return nil, err
			}
			if !slices.Equal(shape, in[0].Shape) {
				return nil, fmt.Errorf("gradient %v does not fit %v", in[0].Shape, shape)
			}
			return single(take(in[0], in[1].Shape, func(i int) int { return at[i] }))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			in := []*graph.Value{dy[0], n.In(2)}
			if n.In(3) != nil {
				in = append(in, n.In(3))
			}
			return []*graph.Value{b.Attr("MaxUnpool", n.Attrs, in...), nil, nil, nil}, nil
		}},
)
