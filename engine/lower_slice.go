package engine

import (
	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// part is a range of one axis.
type part struct{ start, step, count int }

// partsOf gives the ranges of a Slice or SliceGrad over a known shape; at is the
// number of the input that holds the starts.
func partsOf(n *graph.Node, shape []int, at int) ([]part, bool) {
	starts, axes := n.Ints("starts"), n.Ints("axes")
	ends := n.Ints("ends")
	var steps []int
	read := func(i int) ([]int, bool) {
		v := n.In(i)
		if v == nil {
			return nil, true
		}
		return constInts(v)
	}
	if starts == nil {
		var ok [4]bool
		starts, ok[0] = read(at)
		ends, ok[1] = read(at + 1)
		axes, ok[2] = read(at + 2)
		steps, ok[3] = read(at + 3)
		if ok != [4]bool{true, true, true, true} {
			return nil, false
		}
	}
	out := make([]part, len(shape))
	for d := range shape {
		out[d] = part{0, 1, shape[d]}
	}
	for i := range starts {
		d, st := i, 1
		if len(axes) > 0 {
			d = axes[i]
		}
		if len(steps) > 0 {
			st = steps[i]
		}
		if d < 0 {
			d += len(shape)
		}
		s, e, k := starts[i], ends[i], shape[d]
		if st < 1 {
			return nil, false
		}
		if s < 0 {
			s += k
		}
		if e < 0 {
			e += k
		}
		s, e = max(0, min(s, k)), max(0, min(e, k))
		out[d] = part{s, st, max(0, (e-s+st-1)/st)}
	}
	return out, true
}

// window gives shape, strides and offset of a sliced view of an array.
func window(ps []part, st []int) (shape, strides []int, off int) {
	for d, p := range ps {
		shape, strides = append(shape, p.count), append(strides, st[d]*p.step)
		off += st[d] * p.start
	}
	return
}

// constInts are the integers of an initialiser; ok is false where it is none.
func constInts(v *graph.Value) (xs []int, ok bool) {
	if v.Const == nil {
		return nil, false
	}
	s, err := v.Const.Int64s()
	if err != nil {
		return nil, false
	}
	xs = make([]int, len(s))
	for i, x := range s {
		xs[i] = int(x)
	}
	return xs, true
}

func lowerSlice(l *lowering, n *graph.Node) (done bool, why string) {
	x, y := n.In(0), n.Out(0)
	if x.DType != tensor.Float32 || sizeOf(y) == 0 {
		return noMove(x)
	}
	ps, ok := partsOf(n, dims(x), 1)
	if !ok {
		return noParts()
	}
	lay := l.prefer(x)
	shape, sx, off := window(ps, stridesIn(dims(x), lay))
	sy := stridesIn(dims(y), lay)
	inOrder(lay, shape, sx, sy)
	m := newMove(shape, sx, sy, off, 0)
	l.emitMove(n, "slice", l.get(x, lay, n), l.make(y, lay), m)
	return true, ""
}

func noMove(x *graph.Value) (done bool, why string) {
	return no("%v %v is empty, or not float32", x.DType, x.Shape)
}

func noParts() (done bool, why string) {
	return no("its range is known only at run time, or it goes backwards")
}

// into plans an operator that writes its input into a part of zeros.
func into(l *lowering, n *graph.Node, ps []part, name string) {
	x, y := n.In(0), n.Out(0)
	lay := l.prefer(x)
	shape, sy, off := window(ps, stridesIn(dims(y), lay))
	sx := stridesIn(dims(x), lay)
	inOrder(lay, shape, sx, sy)
	m := newMove(shape, sx, sy, 0, off)
	xb, yb := l.get(x, lay, n), l.make(y, lay)
	l.emit(n, name, []*buffer{xb}, []*buffer{yb}, func() { m.x, m.y = xb.data, yb.data }, func(p *kernel.Pool) {
		clear(m.y)
		m.run(p)
	})
}

func lowerSliceGrad(l *lowering, n *graph.Node) (done bool, why string) {
	x, y := n.In(0), n.Out(0)
	if x.DType != tensor.Float32 || sizeOf(x) == 0 {
		return noMove(x)
	}
	ps, ok := partsOf(n, dims(y), 2)
	if !ok {
		return noParts()
	}
	into(l, n, ps, "slice gradient")
	return true, ""
}

func lowerPad(l *lowering, n *graph.Node) (done bool, why string) {
	x := n.In(0)
	rank := len(x.Shape)
	p := n.Ints("pads")
	if v := n.In(1); v != nil {
		var ok bool
		if p, ok = constInts(v); !ok {
			return no("how much is added is known only at run time")
		}
	}
	if m := n.Str("mode", "constant"); m != "constant" {
		return no("the mode is %q; kernels pad with zeros", m)
	}
	if v, ok := n.In(2), n.Float("value", 0) == 0; !ok || v != nil && !isZero(v) {
		return no("it pads with something other than a constant zero")
	}
	if n.In(3) != nil || len(p) != 2*rank {
		return no("axes are given")
	}
	if x.DType != tensor.Float32 || sizeOf(x) == 0 {
		return noMove(x)
	}
	var ps []part
	for d, k := range dims(x) {
		if p[d] < 0 || p[d+rank] < 0 {
			return no("negative padding")
		}
		ps = append(ps, part{p[d], 1, k})
	}
	into(l, n, ps, "pad")
	return true, ""
}

// isZero says whether a value is the constant number zero.
func isZero(v *graph.Value) bool {
	return v.IsConst() && v.Const.F32() != nil && v.Const.Len() == 1 && v.Const.F32()[0] == 0
}
