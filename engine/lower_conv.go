package engine

import (
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
)

// geometry is the kernel's description of a convolution node whose input has
// shape x and whose weight has shape w, over one to three spatial axes. One axis
// makes images of one row; of three, the first is brought among the channels (see
// depth, which is nil elsewhere).
func geometry(n *graph.Node, x, w []int) (kernel.Conv, *depth, bool) {
	if len(x) < 3 || len(x) > 5 || len(w) != len(x) {
		return kernel.Conv{}, nil, false
	}
	win, err := op.WindowOf(n, w[2:], x[2:])
	if err != nil {
		return kernel.Conv{}, nil, false
	}
	return slid(win, x, w)
}

// slid is geometry for a window that is known.
func slid(win *op.Window, x, w []int) (kernel.Conv, *depth, bool) {
	for i := range win.Begin {
		if min(win.Begin[i], win.End[i]) < 0 {
			return kernel.Conv{}, nil, false
		}
	}
	if slices.Contains(x, 0) || slices.Contains(w, 0) {
		return kernel.Conv{}, nil, false
	}
	c := convOf(x[0], x[1], w[0], x[2:], win)
	if len(x) < 5 {
		return c, nil, true
	}
	out, err := win.Out(0, x[2])
	if err != nil {
		return c, nil, false
	}
	d := &depth{in: x[2], out: out, kernel: w[2], stride: win.Stride[0], dil: win.Dilation[0], pad: win.Begin[0], n: x[0], pixels: x[3] * x[4], c: x[1]}
	c.N, c.CI = x[0]*out, x[1]*w[2]
	return c, d, true
}

// images are the images that a convolution slides over.
func (l *lowering) images(x *graph.Value, d *depth, n *graph.Node) *buffer {
	xb := l.get(x, nhwc, n)
	if d.trivial() {
		return xb
	}
	yb := l.new(d.images())
	l.emit(n, "slices side by side", []*buffer{xb}, []*buffer{yb}, func() { d.x, d.y = xb.data, yb.data }, d.gather)
	return yb
}

// hwio is the packed form of a convolution's weight.
func (l *lowering) hwio(w *graph.Value, n *graph.Node) *buffer {
	s := dims(w)
	co, ci, taps := s[0], s[1], pixels(s)
	if len(s) == 5 { // the taps along the depth are channels
		ci, taps = ci*s[2], taps/s[2]
	}
	return l.pack(w, "HWIO", co*ci*taps, n, func(src, dst []float32) { kernel.HWIO(src, dst, co, ci, taps) })
}

func lowerConv(l *lowering, n *graph.Node) (done bool, why string) {
	x, w := n.In(0), n.In(1)
	g, d, ok := geometry(n, dims(x), dims(w))
	if !ok {
		return noConvolution(x, w)
	}
	done, why = l.sparseConv(n, g, d)
	if done {
		return true, ""
	}
	xb := l.images(x, d, n)
	reads := []*buffer{xb}
	t := &kernel.ConvTask{Conv: g}
	var wb *buffer
	if l.once(w) && g.Groups == 1 {
		t.Packed = l.packConv(w, &g)
	} else {
		wb = l.hwio(w, n)
		reads = append(reads, wb)
	}
	e := l.epilogue(n, n.In(2), n.Out(0), nhwc, &t.Ep)
	yb := l.make(e.last, nhwc)
	c := l.maskedConv(w, t)
	s := l.emit(n, convName(&g)+e.name(), e.reads(reads...), []*buffer{yb}, func() {
		t.X, t.Wt, t.Y = xb.data, wb.floats(), yb.data
		e.bind()
		c.bindMemory()
	}, c.either(t.Run))
	s.why = why
	c.of(s)
	return true, ""
}

func noConvolution(x, w *graph.Value) (done bool, why string) {
	return no("a convolution of %v by %v: kernels take one to three spatial axes, something to compute, and no negative padding", x.Shape, w.Shape)
}

func convName(g *kernel.Conv) string {
	switch {
	case g.Groups > 1 && g.Groups == g.CI:
		return "depthwise convolution"
	case g.Groups > 1:
		return "grouped convolution"
	case g.KH*g.KW*g.StrideH*g.StrideW == 1:
		return "product (1x1)"
	}
	return "direct convolution"
}

// packConv lays out a weight that will not change.
func (l *lowering) packConv(w *graph.Value, g *kernel.Conv) *kernel.PackedConv {
	form := "panels"
	if g.AsProduct() {
		form = "panels of a product"
	}
	q := formOf(l.forms, w, form, func() *kernel.PackedConv {
		if cap(l.spare) < sizeOf(w) {
			l.spare = make([]float32, sizeOf(w))
		}
		hwio := l.spare[:sizeOf(w)]
		kernel.HWIO(w.Const.F32(), hwio, g.CO, g.CI, g.KH*g.KW)
		return kernel.PackConv(g, hwio)
	})
	l.release(w)
	return q
}

// lowerConvTranspose computes a transposed convolution as what it is: the gradient of the
// convolution with the same weights by its input.
func lowerConvTranspose(l *lowering, n *graph.Node) (done bool, why string) {
	x, w, bias := n.In(0), n.In(1), n.In(2)
	xs, ws := dims(x), dims(w)
	if len(xs) < 3 || len(xs) > 5 || len(ws) != len(xs) {
		return noConvolution(x, w)
	}
	win, out, err := op.TransposedWindow(n, ws[2:], xs[2:])
	if err != nil {
		return no("%v", err)
	}
	for i := range out {
		if k, err := win.Out(i, out[i]); err != nil || k != xs[2+i] {
			return no("a transposed convolution to %v places, more than its windows reach", out)
		}
	}
	g, d, ok := slid(win, append([]int{xs[0], ws[1] * win.Groups}, out...), ws)
	if !ok {
		return noConvolution(x, w)
	}
	if done, why = l.sparseTranspose(n, g, d); done {
		return true, ""
	}
	xb, wb := l.get(x, nhwc, n), l.hwio(w, n)
	t := &kernel.ConvInputGradTask{Conv: g, Fixed: l.once(w)}
	var bb *buffer
	if bias != nil {
		bb = l.get(bias, plain, n)
	}
	l.inputGrad(n, "transposed convolution", d, xb, wb, bb, t, t.Run, nil).why = why
	return true, ""
}

// inputGrad emits the gradient of a convolution by its input, which is the node's result.
// Where it has three axes, the slices are added up; last comes the bias, where it is not
// nil. bound is called behind the kernel's memory, and may be nil.
func (l *lowering) inputGrad(n *graph.Node, name string, d *depth, dy, w, bias *buffer, t *kernel.ConvInputGradTask, run func(*kernel.Pool), bound func()) *step {
	dx := l.make(n.Out(0), nhwc)
	finish := func(run func(*kernel.Pool), reads ...*buffer) ([]*buffer, func(*kernel.Pool)) {
		if bias == nil {
			return reads, run
		}
		b := newRepeat(bias.n, dx.n/bias.n, false, kernel.Add)
		return append(reads, bias), func(p *kernel.Pool) {
			run(p)
			b.x, b.y, b.z = dx.data, bias.data, dx.data
			b.run(p)
		}
	}
	to, reads := dx, []*buffer{dy, w}
	if d.trivial() {
		reads, run = finish(run, reads...)
	} else {
		to = l.new(d.images())
	}
	s := l.emit(n, name, reads, []*buffer{to}, func() {
		t.DY, t.Wt, t.DX = dy.data, w.data, to.data
		if bound != nil {
			bound()
		}
	}, run)
	if to != dx {
		reads, run := finish(d.scatter, to)
		l.emit(n, "sum of slices", reads, []*buffer{dx}, func() { d.x, d.y = dx.data, to.data }, run)
	}
	return s
}

func lowerConvInputGrad(l *lowering, n *graph.Node) (done bool, why string) {
	dy, w, like := n.In(0), n.In(1), n.In(2)
	g, d, ok := geometry(n, dims(like), dims(w))
	if !ok {
		return noConvolution(like, w)
	}
	db, wb := l.get(dy, nhwc, n), l.hwio(w, n)
	t := &kernel.ConvInputGradTask{Conv: g}
	c := l.maskedConvInput(w, t)
	c.of(l.inputGrad(n, "input gradient", d, db, wb, nil, t, c.either(t.Run), c.bindMemory))
	return true, ""
}

func lowerConvWeightGrad(l *lowering, n *graph.Node) (done bool, why string) {
	x, dy, out := n.In(0), n.In(1), n.Out(0)
	s := dims(out)
	g, d, ok := geometry(n, dims(x), s)
	if !ok {
		return noConvolution(x, out)
	}
	xb, db := l.images(x, d, n), l.get(dy, nhwc, n)
	tmp, dw := l.new(sizeOf(out)), l.result(out, true)
	t := &kernel.ConvWeightGradTask{Conv: g}
	c := l.maskedConvWeight(out, t, dw)
	c.of(l.emit(n, "weight gradient", []*buffer{xb, db}, []*buffer{tmp, dw}, func() {
		t.X, t.DY, t.DW = xb.data, db.data, tmp.data
		c.bindMemory()
	}, c.either(func(p *kernel.Pool) {
		t.Run(p)
		kernel.OIHW(tmp.data, dw.data, s[0], g.CI/g.Groups, g.KH*g.KW)
	})))
	return true, ""
}
