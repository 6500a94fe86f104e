package op

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/tensor"

	"gonum.org/v1/gonum/dsp/fourier"
)

// DFT is the discrete Fourier transform along an axis of complex numbers, whose
// parts are the last axis; a last axis of 1 is real. It is linear: its gradient
// is the adjoint map.

// dftCase is the geometry of a transform.
type dftCase struct {
	axis               int
	in, parts          int // places along the axis, and parts of a number
	n                  int // length of the transform
	out, outParts      int
	inverse, oneSided  bool
	outer, inner       int
	inShape, transform []int // transform: the shape of the result
}

func dftOf(n *graph.Node, opset int, shape []int, length, along *tensor.Tensor) (*dftCase, error) {
	def := 1
	if opset >= 20 {
		def = -2
	}
	a := n.Int("axis", def)
	if along != nil {
		v, err := intsOf(along)
		if err != nil || len(v) != 1 {
			return nil, fmt.Errorf("the axis is not one integer (%v)", err)
		}
		a = v[0]
	}
	rank := len(shape)
	a, err := axis(a, rank)
	if err != nil {
		return nil, err
	}
	if rank < 2 || a == rank-1 || shape[rank-1] != 1 && shape[rank-1] != 2 {
		return nil, fmt.Errorf("input %v is no signal of real or complex numbers along axis %d", shape, a)
	}
	d := &dftCase{axis: a, in: shape[a], parts: shape[rank-1], inverse: n.Int("inverse", 0) != 0, oneSided: n.Int("onesided", 0) != 0,
		outParts: 2, inShape: shape}
	d.n = d.in
	real := d.inverse && d.oneSided
	if real {
		d.n, d.outParts = 2*(d.in-1), 1
	}
	if length != nil {
		v, err := intsOf(length)
		if err != nil || len(v) != 1 {
			return nil, fmt.Errorf("the length is not one integer (%v)", err)
		}
		d.n = v[0]
	}
	if d.n < 1 || d.n > 1<<28 {
		return nil, fmt.Errorf("the length of the transform is %d, not 1 to %d", d.n, 1<<28)
	}
	if d.out = d.n; d.oneSided && !d.inverse {
		d.out = d.n/2 + 1
	}
	d.outer, d.inner = prod(shape[:a]), prod(shape[a+1:rank-1])
	d.transform = append([]int{}, shape...)
	d.transform[a], d.transform[rank-1] = d.out, d.outParts
	return d, nil
}

// load reads a line of k numbers of some parts, padded with zeros or cut.
func load(line []complex128, x []float64, k, parts int, at func(i int) int) {
	clear(line)
	for i := range min(k, len(line)) {
		j := at(i) * parts
		if line[i] = complex(x[j], 0); parts == 2 {
			line[i] = complex(x[j], x[j+1])
		}
	}
}

// run transforms x, or applies the adjoint to a result.
func (d *dftCase) run(x []float64, adjoint bool) []float64 {
	from, to, fromParts, toParts := d.in, d.out, d.parts, d.outParts
	if adjoint {
		from, to, fromParts, toParts = d.out, d.in, d.outParts, d.parts
	}
	f := fourier.NewCmplxFFT(d.n)
	y := make([]float64, d.outer*to*d.inner*toParts)
	line, freq := make([]complex128, d.n), make([]complex128, d.n)
	for o := range d.outer {
		for i := range d.inner {
			load(line, x, from, fromParts, func(k int) int { return (o*from+k)*d.inner + i })
			d.line(f, line, freq, adjoint)
			for k := range min(to, d.n) {
				j := ((o*to+k)*d.inner + i) * toParts
				if y[j] = real(freq[k]); toParts == 2 {
					y[j+1] = imag(freq[k])
				}
			}
		}
	}
	return y
}

// line transforms one line of d.n numbers.
func (d *dftCase) line(f *fourier.CmplxFFT, x, y []complex128, adjoint bool) {
	half, n := d.n/2, complex(float64(d.n), 0)
	hermitian := d.inverse && d.oneSided
	switch {
	case !d.inverse && !adjoint:
		f.Coefficients(y, x)
	case !d.inverse: // the conjugate transpose of the transform
		f.Sequence(y, x)
	case !adjoint:
		if hermitian { // the other half is the conjugate of the first
			x[0] = complex(real(x[0]), 0)
			if d.n%2 == 0 {
				x[half] = complex(real(x[half]), 0)
			}
			for k := 1; k < (d.n+1)/2; k++ {
				x[d.n-k] = complex(real(x[k]), -imag(x[k]))
			}
		}
		f.Sequence(y, x)
		for k := range y {
			y[k] /= n
		}
	default:
		f.Coefficients(y, x)
		for k := range y {
			y[k] /= n
		}
		if hermitian { // each of the first half stands for two
			y[0] = complex(real(y[0]), 0)
			for k := 1; k < (d.n+1)/2; k++ {
				y[k] *= 2
			}
			if d.n%2 == 0 {
				y[half] = complex(real(y[half]), 0)
			}
			clear(y[half+1:])
		}
	}
}

var _ = register(
	Def{Name: "DFT",
		Infer: func(c *Infer) error {
			x, err := c.ranked()
			if x == nil {
				return err
			}
			out := append(graph.Shape{}, x.Shape...)
			a := c.Node.Int("axis", 1)
			if c.Opset >= 20 {
				a = -2
			}
			if c.Node.In(2) != nil {
				k, ok := c.Ints(2)
				if !ok || len(k) != 1 {
					for i := range out {
						out[i] = unknownDim(c, 0, i)
					}
					c.Out(0, x.DType, out)
					return nil
				}
				a = k[0]
			}
			if a, err = axis(a, len(out)); err != nil {
				return err
			}
			if a == len(out)-1 {
				return fmt.Errorf("axis %d of %v holds the parts of the numbers", a, x.Shape)
			}
			inverse, oneSided := c.Node.Int("inverse", 0) != 0, c.Node.Int("onesided", 0) != 0
			n := out[a]
			if inverse && oneSided {
				n = n.Minus(graph.N(1)).Times(graph.N(2))
			}
			if c.Node.In(1) != nil {
				n = unknownDim(c, 0, a)
				if k, ok := c.Contents(1); ok && len(k) == 1 {
					n = k[0]
				}
			}
			if out[a] = n; oneSided && !inverse {
				if out[a] = graph.Derived("1/2+1", n); n.Known() {
					out[a] = graph.N(n.Mul/2 + 1)
				}
			}
			if out[len(out)-1] = graph.N(2); inverse && oneSided {
				out[len(out)-1] = graph.N(1)
			}
			c.Out(0, x.DType, out)
			return nil
		},
		Eval: func(n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			d, err := dftOf(n, opset, in[0].Shape, arg(in, 1), arg(in, 2))
			if err != nil {
				return nil, err
			}
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			return single(ofFloats(in[0].DType, d.transform, d.run(x, false)))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			as := append(append([]graph.Attr{}, n.Attrs...), graph.MakeAttr("opset", b.G.Version("")))
			return []*graph.Value{b.Pare("DFTGrad", as, dy[0], n.In(0), n.In(1), n.In(2)), nil, nil}, nil
		}},

	// DFTGrad(dy, like, length, axis) is the adjoint of the transform.
	Def{Domain: graph.Pare, Name: "DFTGrad",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(1)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			d, err := dftOf(n, n.Int("opset", 20), in[1].Shape, arg(in, 2), arg(in, 3))
			if err != nil {
				return nil, err
			}
			dy, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			if !slices.Equal(in[0].Shape, d.transform) {
				return nil, fmt.Errorf("gradient %v does not fit %v", in[0].Shape, d.transform)
			}
			return single(ofFloats(in[0].DType, in[1].Shape, d.run(dy, true)))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			in := append([]*graph.Value{dy[0]}, n.Inputs[2:]...)
			return []*graph.Value{b.Attr("DFT", n.Attrs, in...), nil, nil, nil}, nil
		}},

	// STFT(signal [B L 1 or 2], step, window, length) is the transform of each
	// frame of a signal, weighed by a window.
	Def{Name: "STFT", Infer: inferSTFT,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			s, err := stftOf(in[0].Shape, in[1], arg(in, 2), arg(in, 3))
			if err != nil {
				return nil, err
			}
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			parts := in[0].Shape[2]
			framed := make([]float64, in[0].Shape[0]*s.frames*s.length*parts)
			var w []float64
			if t := arg(in, 2); t != nil {
				if w, err = floats(t); err != nil {
					return nil, err
				}
			}
			for i := range framed {
				p, k, f, b := i%parts, i/parts%s.length, i/parts/s.length%s.frames, i/parts/s.length/s.frames
				if framed[i] = x[(b*in[0].Shape[1]+f*s.step+k)*parts+p]; w != nil {
					framed[i] *= w[k]
				}
			}
			m := &graph.Node{Attrs: []graph.Attr{graph.MakeAttr("axis", 2), graph.MakeAttr("onesided", n.Int("onesided", 1))}}
			d, err := dftOf(m, 17, []int{in[0].Shape[0], s.frames, s.length, parts}, nil, nil)
			if err != nil {
				return nil, err
			}
			return single(ofFloats(in[0].DType, d.transform, d.run(framed, false)))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			shape, ok := n.In(0).Shape.Ints()
			konst := func(v *graph.Value) *tensor.Tensor {
				if v == nil || v.Const == nil {
					return nil
				}
				return v.Const
			}
			step, length := konst(n.In(1)), konst(n.In(3))
			window := konst(n.In(2))
			if v := n.In(2); v != nil && window == nil {
				k, known := v.Shape.Ints()
				if !known {
					return nil, fmt.Errorf("the window's length is not known")
				}
				window = &tensor.Tensor{DType: v.DType, Shape: k} // only its shape counts here
			}
			if !ok || step == nil || n.In(3) != nil && length == nil {
				return nil, fmt.Errorf("the sizes of the frames are not known")
			}
			s, err := stftOf(shape, step, window, length)
			if err != nil {
				return nil, err
			}
			idx := tensor.New(tensor.Int64, s.frames, s.length)
			for i := range tensor.Of[int64](idx) {
				tensor.Of[int64](idx)[i] = int64(i/s.length*s.step + i%s.length)
			}
			x := b.Attr("Gather", []graph.Attr{graph.MakeAttr("axis", 1)}, n.In(0), b.Const(idx))
			if n.In(2) != nil {
				x = b.Op("Mul", x, b.Op("Reshape", n.In(2), b.Ints(s.length, 1)))
			}
			as := []graph.Attr{graph.MakeAttr("onesided", n.Int("onesided", 1))}
			if b.G.Version("") >= 20 {
				return []*graph.Value{b.Attr("DFT", as, x, nil, b.Const(scalarInt(2)))}, nil
			}
			return []*graph.Value{b.Attr("DFT", append(as, graph.MakeAttr("axis", 2)), x)}, nil
		}},
)

// stftCase divides a signal into frames.
type stftCase struct{ step, length, frames int }

func stftOf(shape []int, step, window, length *tensor.Tensor) (*stftCase, error) {
	if len(shape) != 3 || shape[2] != 1 && shape[2] != 2 {
		return nil, fmt.Errorf("signal %v is not [batch, length, 1 or 2]", shape)
	}
	one := func(t *tensor.Tensor) (int, error) {
		v, err := intsOf(t)
		if err != nil || len(v) != 1 || v[0] < 1 {
			return 0, fmt.Errorf("a step or length that is not one positive integer")
		}
		return v[0], nil
	}
	s := &stftCase{}
	var err error
	if s.step, err = one(step); err != nil {
		return nil, err
	}
	switch {
	case length != nil:
		if s.length, err = one(length); err != nil {
			return nil, err
		}
	case window != nil && window.Rank() == 1:
		s.length = window.Shape[0]
	default:
		return nil, fmt.Errorf("neither a window nor the length of a frame is given")
	}
	if window != nil && (window.Rank() != 1 || window.Shape[0] != s.length) {
		return nil, fmt.Errorf("window %v does not fit frames of length %d", window.Shape, s.length)
	}
	if s.length < 1 || s.length > shape[1] {
		return nil, fmt.Errorf("frames of length %d do not fit a signal of length %d", s.length, shape[1])
	}
	s.frames = (shape[1]-s.length)/s.step + 1
	return s, nil
}

func inferSTFT(c *Infer) error {
	x, err := c.In(0)
	if err != nil {
		return err
	}
	if x.Shape != nil && len(x.Shape) != 3 {
		return fmt.Errorf("signal %v is not [batch, length, 1 or 2]", x.Shape)
	}
	out := graph.Shape{unknownDim(c, 0, 0), unknownDim(c, 0, 1), unknownDim(c, 0, 2), graph.N(2)}
	if x.Shape == nil {
		c.Out(0, x.DType, out)
		return nil
	}
	out[0] = x.Shape[0]
	length := graph.Dim{}
	if k, ok := c.Ints(3); ok && len(k) == 1 {
		length = graph.N(k[0])
	} else if w := c.Node.In(2); w != nil && len(w.Shape) == 1 && c.Node.In(3) == nil {
		length = w.Shape[0]
	}
	if length.Known() && length.Mul > 0 {
		if out[2] = length; c.Node.Int("onesided", 1) != 0 {
			out[2] = graph.N(length.Mul/2 + 1)
		}
		if k, ok := c.Ints(1); ok && len(k) == 1 && k[0] > 0 && x.Shape[1].Known() {
			if x.Shape[1].Mul < length.Mul {
				return fmt.Errorf("frames of length %v do not fit a signal of length %v", length, x.Shape[1])
			}
			out[1] = graph.N((x.Shape[1].Mul-length.Mul)/k[0] + 1)
		}
	}
	c.Out(0, x.DType, out)
	return nil
}
