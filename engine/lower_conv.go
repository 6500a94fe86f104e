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

var _ = fast(func(l *lowering, n *graph.Node) bool {
	x, w := n.In(0), n.In(1)
	g, ok := geometry(n, dims(x), dims(w))
	if !ok {
		return false
	}
	if l.sparseConv(n, g) {
		return true
	}
	why := l.why
	l.why = ""
	xb := l.get(x, nhwc, n)
	reads := []*buffer{xb}
	t := &kernel.ConvTask{Conv: g}
	var wb, bias, res *buffer
	if l.once(w) && g.Groups == 1 {
		if cap(l.hold) < sizeOf(w) {
			l.hold = make([]float32, sizeOf(w))
		}
		hwio := l.hold[:sizeOf(w)]
		kernel.HWIO(w.Const.F32(), hwio, g.CO, g.CI, g.KH*g.KW)
		t.Packed = kernel.PackConv(&g, hwio)
		l.release(w)
	} else {
		wb = l.hwio(w, n)
		reads = append(reads, wb)
	}
	if b := n.In(2); b != nil {
		bias = l.get(b, plain, n)
		reads = append(reads, bias)
	}
	y, other := l.tail(n.Out(0), &t.Ep)
	if other != nil {
		res = l.get(other, nhwc, n)
		reads = append(reads, res)
	}
	yb := l.make(y, nhwc)
	l.why = why
	name := "direct convolution"
	switch {
	case g.Groups > 1 && g.Groups == g.CI:
		name = "depthwise convolution"
	case g.Groups > 1:
		name = "grouped convolution"
	case g.KH*g.KW*g.StrideH*g.StrideW == 1:
		name = "product (1x1)"
	}
	ch := l.maskedConv(w, t)
	l.emit(n, name+epilogueName(bias != nil, res != nil, &t.Ep), reads, []*buffer{yb}, func() func() error {
		t.X, t.Y = xb.data, yb.data
		if wb != nil {
			t.Wt = wb.data
		}
		if bias != nil {
			t.Ep.Bias = bias.data
		}
		if res != nil {
			t.Ep.Res = res.data
		}
		return l.either(ch, t.Run)
	})
	l.choosable(ch)
	return true
}, "Conv")

func epilogueName(bias, res bool, ep *kernel.Epilogue) string {
	s := ""
	if bias {
		s += " + bias"
	}
	if res {
		s += " + residual"
	}
	switch {
	case ep.Clip:
		s += " + clip"
	case ep.Relu:
		s += " + ReLU"
	}
	return s
}

// sum follows an addition to a value y of another of the same shape that is
// there already, which can be done before y is stored. It marks the node as
// done and gives the sum and the other value, or y and nil.
func (l *lowering) sum(y *graph.Value) (last, other *graph.Value) {
	n := l.only(y)
	if !n.Is("Add") || l.done[n] {
		return y, nil
	}
	o := n.In(0)
	if o == y {
		o = n.In(1)
	}
	if o == y || !o.Shape.Equal(y.Shape) || !n.Out(0).Shape.Equal(y.Shape) || !l.ready(o) {
		return y, nil
	}
	l.done[n] = true
	return n.Out(0), o
}

// relu follows a ReLU that can be done before y is stored.
func (l *lowering) relu(y *graph.Value) (last *graph.Value, ok bool) {
	n := l.only(y)
	if !n.Is("Relu") || l.done[n] {
		return y, false
	}
	l.done[n] = true
	return n.Out(0), true
}

// tail follows what comes after a value and can be done before it is stored:
// an addition, and a ReLU or a Clip, which go into ep.
func (l *lowering) tail(y *graph.Value, ep *kernel.Epilogue) (last, other *graph.Value) {
	last, other = l.sum(y)
	if last, ep.Relu = l.relu(last); ep.Relu {
		return last, other
	}
	if n := l.only(last); n.Is("Clip") && !l.done[n] {
		if ep.Lo, ep.Hi, ep.Clip = l.clipOver(n); ep.Clip {
			l.done[n] = true
			last = n.Out(0)
		}
	}
	return last, other
}

var _ = fast(func(l *lowering, n *graph.Node) bool {
	dy, w, like := n.In(0), n.In(1), n.In(2)
	g, ok := geometry(n, dims(like), dims(w))
	if !ok {
		return false
	}
	db, wb := l.get(dy, nhwc, n), l.hwio(w, n)
	dx := l.make(n.Out(0), nhwc)
	t := &kernel.ConvInputGradTask{Conv: g}
	ch := l.maskedConvInput(w, t)
	l.emit(n, "input gradient", []*buffer{db, wb}, []*buffer{dx}, func() func() error {
		t.DY, t.Wt, t.DX = db.data, wb.data, dx.data
		return l.either(ch, t.Run)
	})
	l.choosable(ch)
	return true
}, "pare.ConvGradInput")

var _ = fast(func(l *lowering, n *graph.Node) bool {
	x, dy, out := n.In(0), n.In(1), n.Out(0)
	s := dims(out)
	g, ok := geometry(n, dims(x), s)
	if !ok {
		return false
	}
	xb, db := l.get(x, nhwc, n), l.get(dy, nhwc, n)
	tmp, dw := l.new(sizeOf(out)), l.result(out, true)
	t := &kernel.ConvWeightGradTask{Conv: g}
	ch := l.maskedConvWeight(out, t, dw)
	l.emit(n, "weight gradient", []*buffer{xb, db}, []*buffer{tmp, dw}, func() func() error {
		t.X, t.DY, t.DW = xb.data, db.data, tmp.data
		return l.either(ch, func(p *kernel.Pool) {
			t.Run(p)
			kernel.OIHW(tmp.data, dw.data, s[0], s[1], s[2]*s[3])
		})
	})
	l.choosable(ch)
	return true
}, "pare.ConvGradWeight")
