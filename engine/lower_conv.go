package engine

import (
	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
)

// geometry is the kernel's description of a convolution node whose input has
// shape x and whose weight has shape w. One-dimensional ones become images of
// one row; others have no fast way.
func geometry(n *graph.Node, x, w []int) (kernel.Conv, bool) {
	if len(x) != 4 || len(w) != 4 {
		return kernel.Conv{}, false
	}
	win, err := op.WindowOf(n, w[2:], x[2:])
	if err != nil {
		return kernel.Conv{}, false
	}
	for _, p := range append(append([]int{}, win.Begin...), win.End...) {
		if p < 0 {
			return kernel.Conv{}, false
		}
	}
	return kernel.Conv{N: x[0], H: x[2], W: x[3], CI: x[1], CO: w[0], KH: w[2], KW: w[3], StrideH: win.Stride[0], StrideW: win.Stride[1],
		DilH: win.Dilation[0], DilW: win.Dilation[1], PadT: win.Begin[0], PadL: win.Begin[1], PadB: win.End[0], PadR: win.End[1], Groups: win.Groups}, true
}

// hwio is the packed form of a convolution's weight.
func (l *lowering) hwio(w *graph.Value, n *graph.Node) *buffer {
	s := dims(w)
	co, ci, taps := s[0], s[1], s[2]*s[3]
	return l.pack(w, "HWIO", co*ci*taps, n, func(src, dst []float32) { kernel.HWIO(src, dst, co, ci, taps) })
}

func lowerConv(l *lowering, n *graph.Node) (done bool, why string) {
	x, w := n.In(0), n.In(1)
	g, ok := geometry(n, dims(x), dims(w))
	if !ok {
		return noConvolution(x, w)
	}
	done, why = l.sparseConv(n, g)
	if done {
		return true, ""
	}
	xb := l.get(x, nhwc, n)
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
	return no("a convolution of %v by %v: kernels take images, and no negative padding", x.Shape, w.Shape)
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
	x, w, bias, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	xs, ws := dims(x), dims(w)
	if len(xs) != 4 || len(ws) != 4 {
		return noConvolution(x, w)
	}
	win, out, err := op.TransposedWindow(n, ws[2:], xs[2:])
	if err != nil {
		return no("%v", err)
	}
	for i := range out {
		if k, err := win.Out(i, out[i]); err != nil || k != xs[2+i] || min(win.Begin[i], win.End[i]) < 0 {
			return no("a transposed convolution to %v places, more than its windows reach, or with negative padding", out)
		}
	}
	g := kernel.Conv{N: xs[0], H: out[0], W: out[1], CI: ws[1] * win.Groups, CO: ws[0], KH: ws[2], KW: ws[3], StrideH: win.Stride[0], StrideW: win.Stride[1],
		DilH: win.Dilation[0], DilW: win.Dilation[1], PadT: win.Begin[0], PadL: win.Begin[1], PadB: win.End[0], PadR: win.End[1], Groups: win.Groups}
	xb, wb := l.get(x, nhwc, n), l.hwio(w, n)
	reads := []*buffer{xb, wb}
	var bb *buffer
	if bias != nil {
		bb = l.get(bias, plain, n)
		reads = append(reads, bb)
	}
	yb := l.make(y, nhwc)
	t := &kernel.ConvInputGradTask{Conv: g}
	l.emit(n, "transposed convolution", reads, []*buffer{yb}, func() {
		t.DY, t.Wt, t.DX = xb.data, wb.floats(), yb.data
	}, func(p *kernel.Pool) {
		t.Run(p)
		if bb == nil {
			return
		}
		for i := 0; i < len(yb.data); i += g.CI {
			for k, v := range bb.data {
				yb.data[i+k] += v
			}
		}
	})
	return true, ""
}

func lowerConvInputGrad(l *lowering, n *graph.Node) (done bool, why string) {
	dy, w, like := n.In(0), n.In(1), n.In(2)
	g, ok := geometry(n, dims(like), dims(w))
	if !ok {
		return noConvolution(like, w)
	}
	db, wb := l.get(dy, nhwc, n), l.hwio(w, n)
	dx := l.make(n.Out(0), nhwc)
	t := &kernel.ConvInputGradTask{Conv: g}
	c := l.maskedConvInput(w, t)
	c.of(l.emit(n, "input gradient", []*buffer{db, wb}, []*buffer{dx}, func() {
		t.DY, t.Wt, t.DX = db.data, wb.data, dx.data
		c.bindMemory()
	}, c.either(t.Run)))
	return true, ""
}

func lowerConvWeightGrad(l *lowering, n *graph.Node) (done bool, why string) {
	x, dy, out := n.In(0), n.In(1), n.Out(0)
	s := dims(out)
	g, ok := geometry(n, dims(x), s)
	if !ok {
		return noConvolution(x, out)
	}
	xb, db := l.get(x, nhwc, n), l.get(dy, nhwc, n)
	tmp, dw := l.new(sizeOf(out)), l.result(out, true)
	t := &kernel.ConvWeightGradTask{Conv: g}
	c := l.maskedConvWeight(out, t, dw)
	c.of(l.emit(n, "weight gradient", []*buffer{xb, db}, []*buffer{tmp, dw}, func() {
		t.X, t.DY, t.DW = xb.data, db.data, tmp.data
		c.bindMemory()
	}, c.either(func(p *kernel.Pool) {
		t.Run(p)
		kernel.OIHW(tmp.data, dw.data, s[0], s[1], s[2]*s[3])
	})))
	return true, ""
}
