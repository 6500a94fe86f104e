package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// ConvTranspose is the gradient of a convolution by its input: y such that
// Conv of y with the same weights and geometry has the shape of x.

// TransposedWindow gives the window with its pads resolved, and the output's
// size along each spatial axis.
func TransposedWindow(n *graph.Node, kernel, in []int) (*Window, []int, error) {
	rank := len(kernel)
	m := &graph.Node{Op: n.Op, Attrs: n.Attrs}
	auto := n.Str("auto_pad", "NOTSET")
	if auto != "NOTSET" {
		m.Attrs = withAttr(n.Attrs, "auto_pad", "NOTSET")
	}
	w, err := WindowOf(m, kernel, in)
	if err != nil {
		return nil, nil, err
	}
	extra := n.Ints("output_padding")
	if extra == nil {
		extra = make([]int, rank)
	}
	given := n.Ints("output_shape")
	if len(given) == rank+2 {
		given = given[2:]
	}
	if len(extra) < rank || given != nil && len(given) != rank {
		return nil, nil, fmt.Errorf("output_padding %v and output_shape %v do not fit %d spatial axes", extra, given, rank)
	}
	out := make([]int, rank)
	for i := range out {
		if extra[i] < 0 {
			return nil, nil, fmt.Errorf("output_padding %v is negative", extra)
		}
		full := w.Stride[i]*(in[i]-1) + extra[i] + (kernel[i]-1)*w.Dilation[i] + 1
		same := auto == "SAME_UPPER" || auto == "SAME_LOWER"
		switch {
		case given != nil:
			out[i] = given[i]
		case same:
			out[i] = in[i] * w.Stride[i]
		default:
			if auto == "VALID" {
				w.Begin[i], w.End[i] = 0, 0
			}
			out[i] = full - w.Begin[i] - w.End[i]
		}
		if given != nil || same {
			total := max(0, full-out[i])
			if w.Begin[i], w.End[i] = total-total/2, total/2; auto == "SAME_UPPER" {
				w.Begin[i], w.End[i] = w.End[i], w.Begin[i]
			}
		}
		if out[i] < 0 {
			return nil, nil, fmt.Errorf("pads %v and %v leave nothing of an axis of %d", w.Begin, w.End, full)
		}
	}
	return w, out, nil
}

// transposedOf is the geometry of the convolution whose input is y and whose
// output is x.
func transposedOf(n *graph.Node, x, w []int) (*convCase, error) {
	if len(x) < 3 || len(w) != len(x) {
		return nil, fmt.Errorf("input %v and kernel %v do not go together", x, w)
	}
	win, out, err := TransposedWindow(n, w[2:], x[2:])
	if err != nil {
		return nil, err
	}
	c := &convCase{w: win, n: x[0], ci: w[1] * win.Groups, co: w[0], in: out, out: x[2:], groupIn: w[1]}
	if win.Groups < 1 || c.co%win.Groups != 0 || x[1] != c.co {
		return nil, fmt.Errorf("input %v and kernel %v do not agree on channels (group %d)", x, w, win.Groups)
	}
	c.groupOut = c.co / win.Groups
	c.inN, c.outN, c.k = prod(c.in), prod(c.out), prod(win.Kernel)
	return c, nil
}

func inferConvTranspose(c *Infer) error {
	x, w, err := convPair(c)
	if x == nil {
		return err
	}
	kernel, ok := w.Shape[2:].Ints()
	if !ok {
		return fmt.Errorf("the kernel's size %v is not known", w.Shape)
	}
	if a, b := x.Shape[1], w.Shape[0]; a.Known() && b.Known() && a != b {
		return fmt.Errorf("input %v and kernel %v do not agree on channels", x.Shape, w.Shape)
	}
	out := graph.Shape{x.Shape[0], w.Shape[1].Times(graph.N(c.Node.Int("group", 1)))}
	size := make([]int, len(kernel))
	for i, d := range x.Shape[2:] {
		if size[i] = 1; d.Known() {
			size[i] = d.Mul
		}
	}
	_, places, err := TransposedWindow(c.Node, kernel, size)
	if err != nil {
		return err
	}
	for i, d := range x.Shape[2:] {
		if d.Known() || c.Node.Ints("output_shape") != nil {
			out = append(out, graph.N(places[i]))
		} else {
			out = append(out, graph.Derived(fmt.Sprintf("ConvTranspose%v%v%v%v", kernel[i], c.Node.Ints("strides"), c.Node.Ints("pads"), c.Node.Ints("output_padding")), d))
		}
	}
	c.Out(0, x.DType, out)
	return nil
}

// explicit are the attributes of the convolution, pads resolved.
func (w *Window) explicit() []graph.Attr {
	return []graph.Attr{graph.MakeAttr("strides", w.Stride), graph.MakeAttr("dilations", w.Dilation), graph.MakeAttr("group", w.Groups),
		graph.MakeAttr("pads", append(append([]int{}, w.Begin...), w.End...))}
}

var _ = register(Def{Name: "ConvTranspose", Infer: inferConvTranspose,
	Fits: func(n *graph.Node, in [][]int) error {
		c, err := transposedOf(n, in[0], in[1])
		if err != nil {
			return err
		}
		return fitsVectors(in, c.ci, 2)
	},
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		c, err := transposedOf(n, in[0].Shape, in[1].Shape)
		if err != nil {
			return nil, err
		}
		x, w, err := bothFloats(in[0], in[1])
		if err != nil {
			return nil, err
		}
		shape := append([]int{c.n, c.ci}, c.in...)
		if s, ok := tensor.Size(shape); !ok || s > maxBytes/8 {
			return nil, fmt.Errorf("a tensor of shape %v is too large", shape)
		}
		y, err := startAtBias(arg(in, 2), c.n, c.ci, c.inN)
		if err != nil {
			return nil, err
		}
		c.each(func(yi, wi, xi int) { y[yi] += x[xi] * w[wi] })
		return single(ofFloats(in[0].DType, shape, y))
	},
	Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		x, w := n.In(0), n.In(1)
		kernel, ok := w.Shape[2:].Ints()
		size, sized := x.Shape[2:].Ints()
		if !ok || !sized {
			return nil, fmt.Errorf("the spatial sizes of %v and %v are not known", x.Shape, w.Shape)
		}
		win, out, err := TransposedWindow(n, kernel, size)
		if err != nil {
			return nil, err
		}
		for i := range out { // the convolution must give back the size of x
			if k, err := win.Out(i, out[i]); err != nil || k != size[i] {
				return nil, fmt.Errorf("no gradient is known where the output has %d places more than the windows reach", out[i])
			}
		}
		as := win.explicit()
		g := []*graph.Value{b.Attr("Conv", as, dy[0], w), b.Pare("ConvGradWeight", as, dy[0], x, w)}
		if n.In(2) != nil {
			g = append(g, sumChannels(b, dy[0]))
		}
		return g, nil
	},
	MACs: func(n *graph.Node) int64 { return convMACs(n.In(0).Shape, n.In(1).Shape) }})
