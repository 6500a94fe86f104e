package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// Resize and its forerunner Upsample sample a tensor at other places, axis by
// axis: every place of the result is a sum of places of the input. It is
// linear, and its gradient is the same sums transposed.

// taps is where one place along an axis comes from; beyond is set where it
// lies outside the input and extrapolation_value stands for it.
type taps struct {
	at     []int
	weight []float64
	beyond bool
}

// resizeAxis is a resizing along one axis.
type resizeAxis struct {
	axis, in, out int
	*sampler
}

// resizing is how a node resizes a tensor of a given shape.
type resizing struct {
	axes []resizeAxis
	out  []int
	fill float64
}

// resizeArgs are the roi, scales and sizes of a node, in the order of its axes.
type resizeArgs struct {
	roi, scales []float64
	sizes       []int
}

// resizeArgsOf finds the arguments of a Resize or Upsample node of any opset; get
// gives the contents of an input, where they are known.
func resizeArgsOf(n *graph.Node, get func(i int) (*tensor.Tensor, bool)) (a resizeArgs, known bool, err error) {
	read := func(i int) []float64 {
		t, ok := get(i)
		if !ok {
			known = false
			return nil
		}
		if t == nil || t.Len() == 0 {
			return nil
		}
		f, e := floats(t)
		if e != nil {
			err = e
		}
		return f
	}
	known = true
	switch s := n.Attr("scales"); {
	case s != nil: // Upsample before opset 9
		a.scales = asFloats64(s.Floats)
	case n.Op == "Upsample" || len(n.Inputs) == 2: // Resize of opset 10
		a.scales = read(1)
	default:
		if n.Str("coordinate_transformation_mode", "") == "tf_crop_and_resize" {
			a.roi = read(1)
		}
		a.scales = read(2)
		for _, s := range read(3) {
			a.sizes = append(a.sizes, int(s))
		}
	}
	if known && err == nil && (a.scales == nil) == (a.sizes == nil) {
		err = fmt.Errorf("either scales or sizes must be given")
	}
	return a, known, err
}

func asFloats64(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// resizingOf works out sizes and taps.
func resizingOf(n *graph.Node, opset int, shape []int, a resizeArgs) (*resizing, error) {
	as := n.Ints("axes")
	if as == nil {
		for d := range shape {
			as = append(as, d)
		}
	}
	as, err := axes(as, len(shape))
	if err != nil {
		return nil, err
	}
	if a.scales != nil && len(a.scales) != len(as) || a.sizes != nil && len(a.sizes) != len(as) || a.roi != nil && len(a.roi) != 2*len(as) {
		return nil, fmt.Errorf("scales %v, sizes %v and roi %v do not fit %d axes", a.scales, a.sizes, a.roi, len(as))
	}
	r := &resizing{out: append([]int{}, shape...), fill: float64(n.Float("extrapolation_value", 0))}
	scale, out := make([]float64, len(as)), make([]int, len(as))
	for i, d := range as {
		if a.sizes == nil {
			scale[i] = a.scales[i]
			f := math.Floor(float64(shape[d]) * scale[i])
			if !(scale[i] > 0) || f > math.MaxInt32 {
				return nil, fmt.Errorf("scale %g of axis %d is not positive, or too large", scale[i], d)
			}
			out[i] = int(f)
			continue
		}
		if out[i] = a.sizes[i]; out[i] < 0 || shape[d] == 0 && out[i] > 0 {
			return nil, fmt.Errorf("an axis of %d cannot become %d", shape[d], out[i])
		}
		scale[i] = float64(out[i]) / float64(max(1, shape[d]))
	}
	if p := n.Str("keep_aspect_ratio_policy", "stretch"); p != "stretch" && a.sizes != nil {
		one := scale[0]
		for _, s := range scale {
			if p == "not_larger" {
				one = min(one, s)
			} else {
				one = max(one, s)
			}
		}
		for i, d := range as {
			scale[i], out[i] = one, int(one*float64(shape[d])+.5)
		}
	}
	for i, d := range as {
		var roi [2]float64
		if roi[1] = 1; a.roi != nil {
			roi = [2]float64{a.roi[i], a.roi[i+len(as)]}
		}
		if scale[i] == 1 && out[i] == shape[d] && roi == [2]float64{0, 1} {
			continue
		}
		k, err := newSampler(n, opset, shape[d], out[i], scale[i], roi)
		if err != nil {
			return nil, err
		}
		r.out[d] = out[i]
		r.axes = append(r.axes, resizeAxis{d, shape[d], out[i], k})
	}
	return r, nil
}

// lines splits an array of the given shape at an axis.
func lines(shape []int, a int) (outer, inner int) { return prod(shape[:a]), prod(shape[a+1:]) }

// forward resizes.
func (r *resizing) forward(x []float64, shape []int) []float64 {
	shape = append([]int{}, shape...)
	for _, a := range r.axes {
		outer, inner := lines(shape, a.axis)
		y := make([]float64, outer*a.out*inner)
		for j := range a.out {
			t := a.at(j)
			for o := range outer {
				to := y[(o*a.out+j)*inner : (o*a.out+j+1)*inner]
				for k, i := range t.at {
					w, from := t.weight[k], x[(o*a.in+i)*inner:]
					for e := range to {
						to[e] += w * from[e]
					}
				}
				for e := range to {
					if t.beyond {
						to[e] = r.fill
					}
				}
			}
		}
		x, shape[a.axis] = y, a.out
	}
	return x
}

// backward is the transposed map: from the shape of the result to that of the
// input.
func (r *resizing) backward(dy []float64) []float64 {
	shape := append([]int{}, r.out...)
	for k := len(r.axes) - 1; k >= 0; k-- {
		a := r.axes[k]
		outer, inner := lines(shape, a.axis)
		dx := make([]float64, outer*a.in*inner)
		for j := range a.out {
			t := a.at(j)
			if t.beyond {
				continue
			}
			for o := range outer {
				from := dy[(o*a.out+j)*inner : (o*a.out+j+1)*inner]
				for k, i := range t.at {
					w, to := t.weight[k], dx[(o*a.in+i)*inner:]
					for e, v := range from {
						to[e] += w * v
					}
				}
			}
		}
		dy, shape[a.axis] = dx, a.in
	}
	return dy
}

func inferResize(c *Infer) error {
	x, err := c.ranked()
	if x == nil {
		return err
	}
	out := make(graph.Shape, len(x.Shape))
	for i := range out {
		out[i] = unknownDim(c, 0, i)
	}
	a, known, err := resizeArgsOf(c.Node, func(i int) (*tensor.Tensor, bool) {
		v := c.Node.In(i)
		if v == nil {
			return nil, true
		}
		if v.Const != nil {
			return v.Const, true
		}
		if k, ok := c.Ints(i); ok {
			f := make([]float64, len(k))
			for j, e := range k {
				f[j] = float64(e)
			}
			return tensor.Vector(f...), true
		}
		return nil, len(v.Shape) == 1 && v.Shape[0] == graph.N(0)
	})
	if err != nil {
		return err
	}
	size, sized := x.Shape.Ints()
	if known && sized {
		r, err := resizingOf(c.Node, c.Opset, size, a)
		if err != nil {
			return err
		}
		c.Out(0, x.DType, graph.Dims(r.out...))
		return nil
	}
	if known { // some sizes are symbols: those that are not touched stay
		as := c.Node.Ints("axes")
		if as == nil {
			for d := range x.Shape {
				as = append(as, d)
			}
		}
		if as, err = axes(as, len(x.Shape)); err != nil {
			return err
		}
		copy(out, x.Shape)
		policy := c.Node.Str("keep_aspect_ratio_policy", "stretch")
		for i, d := range as {
			switch {
			case i < len(a.scales) && a.scales[i] == 1:
			case i < len(a.scales) && x.Shape[d].Known():
				out[d] = graph.N(int(math.Floor(float64(x.Shape[d].Mul) * a.scales[i])))
			case i < len(a.scales) && a.scales[i] == math.Trunc(a.scales[i]) && a.scales[i] < 1<<20:
				out[d] = x.Shape[d].Times(graph.N(int(a.scales[i])))
			case i < len(a.sizes) && policy == "stretch":
				out[d] = graph.N(a.sizes[i])
			default:
				out[d] = unknownDim(c, 0, d)
			}
		}
	} else if d, ok := c.Contents(3); ok && c.Node.Attr("axes") == nil && len(d) == len(out) && c.Node.Str("keep_aspect_ratio_policy", "stretch") == "stretch" {
		copy(out, d)
	}
	c.Out(0, x.DType, out)
	return nil
}

// resizingFor reads the arguments of a node from tensors.
func resizingFor(n *graph.Node, opset int, shape []int, in []*tensor.Tensor) (*resizing, error) {
	a, _, err := resizeArgsOf(n, func(i int) (*tensor.Tensor, bool) { return arg(in, i), true })
	if err != nil {
		return nil, err
	}
	return resizingOf(n, opset, shape, a)
}

func resizer(name string) Def {
	return Def{Name: name, Infer: inferResize,
		Eval: func(n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			r, err := resizingFor(n, opset, in[0].Shape, in)
			if err != nil {
				return nil, err
			}
			if s, ok := tensor.Size(r.out); !ok || s > maxBytes/8 {
				return nil, fmt.Errorf("a tensor of shape %v is too large", r.out)
			}
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			y := r.forward(x, in[0].Shape)
			if in[0].DType.IsInt() {
				y = saturated(y, in[0].DType)
			}
			return single(ofFloats(in[0].DType, r.out, append([]float64{}, y...)))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			in := append([]*graph.Value{n.In(0)}, n.Inputs[1:]...)
			attrs := append(append([]graph.Attr{}, n.Attrs...), graph.MakeAttr("forward", name))
			return []*graph.Value{b.Pare("ResizeGrad", attrs, append([]*graph.Value{dy[0]}, in...)...)}, nil
		}}
}

var _ = register(
	resizer("Resize"), resizer("Upsample"),

	// ResizeGrad(dy, x, …) is the transposed resizing; of x only the shape counts.
	Def{Domain: graph.Pare, Name: "ResizeGrad",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(1)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			m := &graph.Node{Op: n.Str("forward", ""), Attrs: n.Attrs, Inputs: n.Inputs[1:]}
			r, err := resizingFor(m, 13, in[1].Shape, in[1:])
			if err != nil {
				return nil, err
			}
			dy, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			if len(dy) != prod(r.out) {
				return nil, fmt.Errorf("gradient %v does not fit %v", in[0].Shape, r.out)
			}
			return single(ofFloats(in[0].DType, in[1].Shape, append([]float64{}, r.backward(dy)...)))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			attrs := withAttr(n.Attrs, "extrapolation_value", float32(0))
			u := b.Attr(n.Str("forward", ""), attrs, append([]*graph.Value{dy[0]}, n.Inputs[2:]...)...)
			return []*graph.Value{u, nil}, nil
		}},
)
