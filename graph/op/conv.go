package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// Conv: y[n,o] = b[o] + sum over the group's input channels and the window of
// x[n,i]*w[o,i]. Its two gradients are operators of their own; each of the
// three is bilinear, and the gradient of each is made of the other two.

// convPair is the input and the kernel of a convolution, nil where the rank of
// one is not known.
func convPair(c *Infer) (x, w *graph.Value, err error) {
	x, w, err = c.rankedPair()
	if x != nil && (len(x.Shape) < 3 || len(w.Shape) != len(x.Shape)) {
		return nil, nil, fmt.Errorf("input %v and kernel %v do not go together", x.Shape, w.Shape)
	}
	return x, w, err
}

func inferConv(c *Infer) error {
	x, w, err := convPair(c)
	if x == nil {
		return err
	}
	kernel, ok := w.Shape[2:].Ints()
	if !ok {
		kernel = c.Node.Ints("kernel_shape")
		if len(kernel) != len(w.Shape)-2 {
			return fmt.Errorf("the kernel's size %v is not known", w.Shape)
		}
	}
	g := c.Node.Int("group", 1)
	ci, wi, co := x.Shape[1], w.Shape[1], w.Shape[0]
	if g < 1 || co.Known() && co.Mul%g != 0 || ci.Known() && wi.Known() && ci.Mul != g*wi.Mul {
		return fmt.Errorf("input %v and kernel %v do not agree on channels (group %d)", x.Shape, w.Shape, g)
	}
	if b := c.Node.In(2); b != nil && len(b.Shape) == 1 && b.Shape[0].Known() && co.Known() && b.Shape[0] != co {
		return fmt.Errorf("bias %v does not fit kernel %v", b.Shape, w.Shape)
	}
	sp, err := windowShape(c.Node, kernel, x.Shape[2:])
	if err != nil {
		return err
	}
	c.Out(0, x.DType, append(graph.Shape{x.Shape[0], co}, sp...))
	return nil
}

// convCase is the geometry of a convolution with known sizes.
type convCase struct {
	w                 *Window
	n, ci, co         int
	groupIn, groupOut int // channels a group
	in, out           []int
	inN, outN, k      int
}

func convOf(n *graph.Node, x, w []int) (*convCase, error) {
	if len(x) < 3 || len(w) != len(x) {
		return nil, fmt.Errorf("input %v and kernel %v do not go together", x, w)
	}
	win, err := WindowOf(n, w[2:], x[2:])
	if err != nil {
		return nil, err
	}
	c := &convCase{w: win, n: x[0], ci: x[1], co: w[0], in: x[2:], out: make([]int, len(x)-2)}
	if win.Groups < 1 || c.co%win.Groups != 0 || c.ci != win.Groups*w[1] {
		return nil, fmt.Errorf("input %v and kernel %v do not agree on channels (group %d)", x, w, win.Groups)
	}
	c.groupIn, c.groupOut = w[1], c.co/win.Groups
	for i := range c.out {
		if c.out[i], err = win.Out(i, c.in[i]); err != nil {
			return nil, err
		}
	}
	c.inN, c.outN, c.k = prod(c.in), prod(c.out), prod(win.Kernel)
	return c, nil
}

// each visits all products: x[xi]*w[wi] contributes to y[yi].
func (c *convCase) each(f func(xi, wi, yi int)) {
	c.w.visit(c.in, c.out, func(o, i, tap int) {
		for n := range c.n {
			for oc := range c.co {
				g := oc / c.groupOut
				y := (n*c.co+oc)*c.outN + o
				for ic := range c.groupIn {
					f((n*c.ci+g*c.groupIn+ic)*c.inN+i, (oc*c.groupIn+ic)*c.k+tap, y)
				}
			}
		}
	})
}

// startAtBias is [n, c, k] numbers, each the bias of its channel; 0 without one.
func startAtBias(bias *tensor.Tensor, n, c, k int) ([]float64, error) {
	y := make([]float64, n*c*k)
	if bias == nil {
		return y, nil
	}
	b, err := floats(bias)
	if err != nil || len(b) != c {
		return nil, fmt.Errorf("bias %v does not fit %d channels", bias.Shape, c)
	}
	for i := range y {
		y[i] = b[i/k%c]
	}
	return y, nil
}

// convMACs counts the products of a convolution with output y and kernel w.
func convMACs(y, w graph.Shape) int64 {
	return int64(y.Size(0, len(y)).Times(w.Size(1, len(w))).Mul)
}

// fitsConv is Fits of a convolution.
func fitsConv(n *graph.Node, in [][]int) error {
	c, err := convOf(n, in[0], in[1])
	if err != nil {
		return err
	}
	return fitsVectors(in, c.co, 2)
}

// fitsVectors returns an error where inputs, if they are given, are not c numbers, in
// whatever shape.
func fitsVectors(in [][]int, c int, at ...int) error {
	for _, i := range at {
		if i < len(in) && in[i] != nil && prod(in[i]) != c {
			return fmt.Errorf("input %d of shape %v does not fit %d channels", i, in[i], c)
		}
	}
	return nil
}

func (c *convCase) shape() []int { return append([]int{c.n, c.co}, c.out...) }

var _ = register(
	Def{Name: "Conv", Infer: inferConv, Fits: fitsConv,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			c, err := convOf(n, in[0].Shape, in[1].Shape)
			if err != nil {
				return nil, err
			}
			x, w, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			y, err := startAtBias(arg(in, 2), c.n, c.co, c.outN)
			if err != nil {
				return nil, err
			}
			c.each(func(xi, wi, yi int) { y[yi] += x[xi] * w[wi] })
			return single(ofFloats(in[0].DType, c.shape(), y))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			out := []*graph.Value{
				b.Pare("ConvGradInput", n.Attrs, dy[0], n.In(1), n.In(0)),
				b.Pare("ConvGradWeight", n.Attrs, n.In(0), dy[0], n.In(1)),
			}
			if n.In(2) != nil {
				out = append(out, sumChannels(b, dy[0]))
			}
			return out, nil
		},
		MACs: func(n *graph.Node) int64 { return convMACs(n.Out(0).Shape, n.In(1).Shape) }},

	// ConvGradInput(dy, w, like): the gradient with respect to x, which has
	// the shape of like.
	Def{Domain: graph.Pare, Name: "ConvGradInput",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(2)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			c, err := convOf(n, in[2].Shape, in[1].Shape)
			if err != nil {
				return nil, err
			}
			dy, w, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			if len(dy) != c.n*c.co*c.outN {
				return nil, fmt.Errorf("gradient %v does not fit an output of %v", in[0].Shape, c.shape())
			}
			dx := make([]float64, in[2].Len())
			c.each(func(xi, wi, yi int) { dx[xi] += dy[yi] * w[wi] })
			return single(ofFloats(in[0].DType, in[2].Shape, dx))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			// <dy, Conv(u, w)> for u the incoming gradient
			return []*graph.Value{b.Attr("Conv", n.Attrs, dy[0], n.In(1)),
				b.Pare("ConvGradWeight", n.Attrs, dy[0], n.In(0), n.In(1)), nil}, nil
		},
		MACs: func(n *graph.Node) int64 { return convMACs(n.In(0).Shape, n.In(1).Shape) }},

	// ConvGradWeight(x, dy, like): the gradient with respect to w, which has
	// the shape of like.
	Def{Domain: graph.Pare, Name: "ConvGradWeight",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(2)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			c, err := convOf(n, in[0].Shape, in[2].Shape)
			if err != nil {
				return nil, err
			}
			x, dy, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			if len(dy) != c.n*c.co*c.outN {
				return nil, fmt.Errorf("gradient %v does not fit an output of %v", in[1].Shape, c.shape())
			}
			dw := make([]float64, in[2].Len())
			c.each(func(xi, wi, yi int) { dw[wi] += x[xi] * dy[yi] })
			return single(ofFloats(in[0].DType, in[2].Shape, dw))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("ConvGradInput", n.Attrs, n.In(1), dy[0], n.In(0)),
				b.Attr("Conv", n.Attrs, n.In(0), dy[0]), nil}, nil
		},
		MACs: func(n *graph.Node) int64 { return convMACs(n.In(1).Shape, n.In(2).Shape) }},
)

// sumChannels sums all axes but the second.
func sumChannels(b *Builder, x *graph.Value) *graph.Value {
	as := []int{}
	for d := range x.Shape {
		if d != 1 {
			as = append(as, d)
		}
	}
	return reduce(b, "ReduceSum", x, as, false)
}

// reduce adds a reduction over axes in the form that the graph's opset wants.
func reduce(b *Builder, name string, x *graph.Value, as []int, keep bool) *graph.Value {
	k := 0
	if keep {
		k = 1
	}
	from := 18
	if name == "ReduceSum" {
		from = 13
	}
	if b.G.Version("") >= from {
		return b.Attr(name, []graph.Attr{graph.MakeAttr("keepdims", k)}, x, b.Ints(as...))
	}
	return b.Attr(name, []graph.Attr{graph.MakeAttr("axes", as), graph.MakeAttr("keepdims", k)}, x)
}
