package engine

import (
	"math"

	"pare/graph"
	"pare/internal/kernel"
)

// rowsOf views an activation as [rows, channels]: NHWC for rank 4, plain for
// rank 2.
func rowsOf(v *graph.Value) (f layout, rows, c int, ok bool) {
	s := dims(v)
	switch len(s) {
	case 4:
		return nhwc, s[0] * s[2] * s[3], s[1], true
	case 2:
		return plain, s[0], s[1], true
	}
	return plain, 0, 0, false
}

var _ = fast(func(l *lowering, n *graph.Node) bool {
	f, rows, c, ok := rowsOf(n.In(0))
	if !ok || rows < 1 {
		return false
	}
	xb := l.get(n.In(0), f, n)
	scale, bias := l.get(n.In(1), plain, n), l.get(n.In(2), plain, n)
	reads := []*buffer{xb, scale, bias}
	var ep kernel.Epilogue
	y, other := l.tail(n.Out(0), &ep)
	var res *buffer
	if other != nil {
		res = l.get(other, f, n)
		reads = append(reads, res)
	}
	yb := l.make(y, f)
	mean, istd, vari := l.make(n.Out(1), plain), l.make(n.Out(2), plain), l.make(n.Out(3), plain)
	t := &kernel.NormTask{Rows: rows, C: c, Eps: n.Float("epsilon", 1e-5)}
	t.Lo, t.Hi, t.Clip = ep.Bounds()
	l.emit(n, "batch normalisation"+epilogueName(false, res != nil, &ep), reads, []*buffer{yb, mean, istd, vari}, func() func() error {
		t.X, t.Scale, t.Bias, t.Y = xb.data, scale.data, bias.data, yb.data
		t.Mean, t.Istd, t.Var = mean.data, istd.data, vari.data
		if res != nil {
			t.Res = res.data
		}
		return func() error { t.Forward(l.pool); return nil }
	})
	return true
}, "pare.BatchNormTrain")

var _ = fast(func(l *lowering, n *graph.Node) bool {
	x := n.In(1)
	f, rows, c, ok := rowsOf(x)
	if !ok || rows < 1 {
		return false
	}
	dy := n.In(0)
	var mask *buffer
	var ep kernel.Epilogue
	if r := l.behind[dy]; r != nil {
		dy, mask = r.In(0), l.get(r.In(1), f, n)
		ep = l.clipOf(r)
	}
	db, xb := l.get(dy, f, n), l.get(x, f, n)
	scale, mean, istd := l.get(n.In(2), plain, n), l.get(n.In(3), plain, n), l.get(n.In(4), plain, n)
	reads := []*buffer{db, xb, scale, mean, istd}
	if mask != nil {
		reads = append(reads, mask)
	}
	out := func(i, size int, f layout) *buffer {
		if v := n.Out(i); v != nil {
			return l.make(v, f)
		}
		return l.new(size)
	}
	dx, ds, dbias := out(0, rows*c, f), out(1, c, plain), out(2, c, plain)
	t := &kernel.NormTask{Rows: rows, C: c}
	t.Lo, t.Hi, t.Clip = ep.Bounds()
	l.emit(n, "batch normalisation gradient"+epilogueName(false, false, &ep), reads, []*buffer{dx, ds, dbias}, func() func() error {
		t.DY, t.X, t.Scale, t.Mean, t.Istd = db.data, xb.data, scale.data, mean.data, istd.data
		t.DX, t.DScale, t.DBias = dx.data, ds.data, dbias.data
		if mask != nil {
			t.Y = mask.data
		}
		return func() error { t.Backward(l.pool); return nil }
	})
	return true
}, "pare.BatchNormGrad")

// clipOf is the activation whose gradient a node is.
func (l *lowering) clipOf(n *graph.Node) kernel.Epilogue {
	if n.Op == "ReluGrad" {
		return kernel.Epilogue{Relu: true}
	}
	lo, hi, ok := l.clipBounds(n.In(2), n.In(3))
	return kernel.Epilogue{Clip: ok, Lo: lo, Hi: hi}
}

// toNorm hands the gradient of an activation to its only reader where that is
// the gradient of a normalisation.
func (l *lowering) toNorm(n *graph.Node) bool {
	r := l.only(n.Out(0))
	if r == nil || r.Domain != graph.Pare || r.Op != "BatchNormGrad" || r.In(0) != n.Out(0) || r.In(1) == n.Out(0) {
		return false
	}
	if _, _, _, ok := rowsOf(r.In(1)); !ok {
		return false
	}
	l.behind[n.Out(0)] = n
	return true
}

var _ = fast(func(l *lowering, n *graph.Node) bool {
	return l.toNorm(n) || elementwise2(l, n, "ReLU gradient", kernel.ReluGrad)
}, "pare.ReluGrad")

var _ = fast(func(l *lowering, n *graph.Node) bool {
	ep := l.clipOf(n)
	return ep.Clip && (l.toNorm(n) || elementwise2(l, n, "clip gradient", func(d, y, z []float32) { kernel.ClipGrad(d, y, ep.Lo, ep.Hi, z) }))
}, "pare.ClipGrad")

// BatchNormalization at inference that could not go into a convolution.
var _ = fast(func(l *lowering, n *graph.Node) bool {
	f, rows, c, ok := rowsOf(n.In(0))
	if !ok || rows < 1 || n.Int("training_mode", 0) != 0 {
		return false
	}
	xb := l.get(n.In(0), f, n)
	var p [4]*buffer
	reads := []*buffer{xb}
	for i := range p {
		p[i] = l.get(n.In(i+1), plain, n)
		reads = append(reads, p[i])
	}
	var ep kernel.Epilogue
	y, other := l.tail(n.Out(0), &ep)
	var res *buffer
	if other != nil {
		res = l.get(other, f, n)
		reads = append(reads, res)
	}
	yb := l.make(y, f)
	eps := float64(n.Float("epsilon", 1e-5))
	t := &kernel.NormTask{Rows: rows, C: c}
	t.Lo, t.Hi, t.Clip = ep.Bounds()
	scale, shift := make([]float32, c), make([]float32, c)
	l.emit(n, "scale and shift"+epilogueName(false, res != nil, &ep), reads, []*buffer{yb}, func() func() error {
		t.X, t.Y = xb.data, yb.data
		if res != nil {
			t.Res = res.data
		}
		return func() error {
			for j := range scale {
				s := float64(p[0].data[j]) / math.Sqrt(float64(p[3].data[j])+eps)
				scale[j], shift[j] = float32(s), float32(float64(p[1].data[j])-float64(p[2].data[j])*s)
			}
			t.Apply(l.pool, scale, shift)
			return nil
		}
	})
	return true
}, "BatchNormalization")
