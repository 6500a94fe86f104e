package op

import (
	"fmt"
	"math"

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
	if !sameInts(indices.Shape, shape) {
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
			if !sameInts(shape, in[0].Shape) {
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

	// LpPool is the p-norm of each window.
	Def{Name: "LpPool", Infer: inferPool,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			w, rows, si, so, err := poolOf(n, in[0].Shape)
			if err != nil {
				return nil, err
			}
			p := float64(n.Int("p", 2))
			ni, no := prod(si), prod(so)
			y := make([]float64, rows*no)
			w.visit(si, so, func(o, i, tap int) {
				for r := range rows {
					y[r*no+o] += math.Pow(math.Abs(x[r*ni+i]), p)
				}
			})
			for i := range y {
				y[i] = math.Pow(y[i], 1/p)
			}
			return single(ofFloats(in[0].DType, append(append([]int{}, in[0].Shape[:2]...), so...), y))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			// the mean over the window, padding counted, times its size
			x, p := n.In(0), float64(n.Int("p", 2))
			as, err := fullWindows(n, x.Shape)
			if err != nil {
				return nil, err
			}
			mean := b.Attr("AveragePool", as, b.Op("Pow", b.Op("Abs", x), b.Scalar(p, x)))
			sum := b.Op("Mul", mean, b.Scalar(float64(prod(n.Ints("kernel_shape"))), x))
			return []*graph.Value{b.Op("Pow", sum, b.Scalar(1/p, x))}, nil
		}},

	// GlobalLpPool is the p-norm of each channel.
	Def{Name: "GlobalLpPool", Infer: global("GlobalLpPool", "ReduceL2").Infer,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			rows, c, k, err := channels(in[0].Shape)
			if err != nil {
				return nil, err
			}
			p, y := float64(n.Int("p", 2)), make([]float64, rows*c)
			for i, v := range x {
				y[i/k] += math.Pow(math.Abs(v), p)
			}
			for i := range y {
				y[i] = math.Pow(y[i], 1/p)
			}
			s := append([]int{}, in[0].Shape[:2]...)
			for range in[0].Shape[2:] {
				s = append(s, 1)
			}
			return single(ofFloats(in[0].DType, s, y))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			x, p := n.In(0), float64(n.Int("p", 2))
			sum := reduce(b, "ReduceSum", b.Op("Pow", b.Op("Abs", x), b.Scalar(p, x)), spatialAxes(len(x.Shape)), true)
			return []*graph.Value{b.Op("Pow", sum, b.Scalar(1/p, x))}, nil
		}},
)

// fullWindows are the attributes of an AveragePool that counts padding, with
// so much of it that every window is full.
func fullWindows(n *graph.Node, shape graph.Shape) ([]graph.Attr, error) {
	as := withAttr(n.Attrs, "count_include_pad", 1)
	if n.Int("ceil_mode", 0) == 0 {
		return as, nil
	}
	size, ok := shape.Ints()
	if !ok {
		return nil, fmt.Errorf("the size of %v is not known", shape)
	}
	w, _, in, out, err := poolOf(n, size)
	if err != nil {
		return nil, err
	}
	pads := append([]int{}, w.Begin...)
	for i := range in {
		reach := (out[i]-1)*w.Stride[i] + w.Dilation[i]*(w.Kernel[i]-1) + 1
		pads = append(pads, max(w.End[i], reach-in[i]-w.Begin[i]))
	}
	return withAttr(withAttr(withAttr(as, "ceil_mode", 0), "auto_pad", "NOTSET"), "pads", pads), nil
}
