package engine

import (
	"pare/graph"
	"pare/graph/op"
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
		return v.Ints()
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

// lowerPad plans a padding by zeros as a move, and any other, or the gradient of one,
// by tables.
func lowerPad(l *lowering, n *graph.Node) (done bool, why string) {
	x := n.In(0)
	if x.DType != tensor.Float32 || sizeOf(x) == 0 || sizeOf(n.Out(0)) == 0 {
		return noMove(x)
	}
	rs, fill, err := op.Paddings(n)
	if err != nil {
		return no("%v", err)
	}
	if ps, ok := inZeros(n, rs, fill); ok {
		into(l, n, ps, "pad")
	} else {
		l.resampled(n, "pad an axis", rs, fill)
	}
	return true, ""
}

// inZeros gives the place of the input in the result of a padding by zeros.
func inZeros(n *graph.Node, rs []op.Resampled, fill float32) (ps []part, ok bool) {
	if n.Op != "Pad" || fill != 0 || n.Str("mode", "constant") != "constant" {
		return nil, false
	}
	for _, k := range dims(n.In(0)) {
		ps = append(ps, part{0, 1, k})
	}
	for _, r := range rs {
		if len(r.At) != r.In { // some of it is cut off
			return nil, false
		}
		for r.Beyond[ps[r.Axis].start] {
			ps[r.Axis].start++
		}
	}
	return ps, true
}
