package engine

import (
	"slices"

	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// Operators that only give the elements another shape are views.
var _ = fast(func(l *lowering, n *graph.Node) bool {
	x, y := n.In(0), n.Out(0)
	if x.DType != tensor.Float32 || y.DType != tensor.Float32 {
		return false
	}
	if n.Is("Identity") && l.has(x, nhwc) && !l.has(x, plain) {
		l.view(y, nhwc, l.get(x, nhwc, n))
		return true
	}
	l.view(y, plain, l.get(x, plain, n))
	return true
}, "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "pare.ReshapeLike")

// move copies elements between strided views; the innermost axis is a run. Where
// only the axis before it is contiguous in x, both are turned round together.
type move struct {
	x, y         []float32
	shape        []int // of what is copied, outer axes
	sx, sy       []int
	bx, by       int
	run          int // elements of the innermost axis
	stepX, stepY int
	turn, turnY  int // size of the axis that is contiguous in x, and its step in y; 0: none
	per          int // outer positions a piece
	outer        int
}

// newMove plans the copy of an array of the given shape between two arrays
// with the given strides and first offsets.
func newMove(shape, sx, sy []int, bx, by int) *move {
	// join axes that are contiguous on both sides
	var s, a, b []int
	for d := range shape {
		if shape[d] == 1 {
			continue
		}
		if k := len(s) - 1; k >= 0 && a[k] == shape[d]*sx[d] && b[k] == shape[d]*sy[d] {
			s[k] *= shape[d]
			a[k], b[k] = sx[d], sy[d]
			continue
		}
		s, a, b = append(s, shape[d]), append(a, sx[d]), append(b, sy[d])
	}
	if len(s) == 0 {
		s, a, b = []int{1}, []int{1}, []int{1}
	}
	k := len(s) - 1
	m := &move{run: s[k], stepX: a[k], stepY: b[k], bx: bx, by: by, outer: 1}
	if m.stepY == 1 && m.stepX >= 1 && k > 0 {
		for d := range k { // an axis to turn
			if a[d] == 1 && b[d] >= m.run && s[d] >= 8 {
				m.turn, m.turnY = s[d], b[d]
				s, a, b = slices.Delete(s, d, d+1), slices.Delete(a, d, d+1), slices.Delete(b, d, d+1)
				k--
				break
			}
		}
	}
	m.shape, m.sx, m.sy = s[:k], a[:k], b[:k]
	for _, d := range m.shape {
		m.outer *= d
	}
	m.per = max(1, chunk/max(1, m.run*max(1, m.turn)))
	return m
}

// Do copies some of the runs.
func (m *move) Do(w *kernel.Worker, i int) {
	for o := i * m.per; o < min(m.outer, (i+1)*m.per); o++ {
		x, y, r := m.bx, m.by, o
		for d := len(m.shape) - 1; d >= 0; d-- {
			k := r % m.shape[d]
			r /= m.shape[d]
			x += k * m.sx[d]
			y += k * m.sy[d]
		}
		if m.turn > 0 {
			kernel.TransposeBetween(m.x[x:], m.stepX, m.y[y:], m.turnY, m.run, m.turn)
			continue
		}
		if m.stepX == 1 && m.stepY == 1 {
			copy(m.y[y:y+m.run], m.x[x:x+m.run])
			continue
		}
		for range m.run {
			m.y[y] = m.x[x]
			x += m.stepX
			y += m.stepY
		}
	}
}

func (m *move) go_(p *kernel.Pool) { p.Run((m.outer+m.per-1)/m.per, m) }

var _ = fast(func(l *lowering, n *graph.Node) bool {
	x, y := n.In(0), n.Out(0)
	if x.DType != tensor.Float32 || sizeOf(y) == 0 {
		return false
	}
	sx, shape := tensor.Strides(dims(x)), dims(y)
	perm := n.Ints("perm")
	st := make([]int, len(shape))
	for d := range shape {
		s := len(shape) - 1 - d
		if perm != nil {
			s = perm[d]
		}
		st[d] = sx[s]
	}
	m := newMove(shape, st, tensor.Strides(shape), 0, 0)
	xb, yb := l.get(x, plain, n), l.make(y, plain)
	l.emit(n, "transpose", []*buffer{xb}, []*buffer{yb}, func() func() error {
		m.x, m.y = xb.data, yb.data
		return func() error { m.go_(l.pool); return nil }
	})
	return true
}, "Transpose")

// strides4 gives the strides of a rank-4 shape in ONNX's order of axes for a
// layout.
func stridesIn(s []int, f layout) []int {
	if f == plain || len(s) != 4 {
		return tensor.Strides(s)
	}
	return []int{s[1] * s[2] * s[3], 1, s[3] * s[1], s[1]}
}

// order4 puts axes in memory order for a layout, so that runs are long.
func order4(f layout, xs ...[]int) {
	if f != nhwc {
		return
	}
	for _, s := range xs {
		if len(s) == 4 {
			s[1], s[2], s[3] = s[2], s[3], s[1]
		}
	}
}

// part is a range of one axis.
type part struct{ start, step, count int }

// parts gives the ranges of a Slice or SliceGrad over a known shape; at is the
// number of the input that holds the starts.
func partsOf(g *graph.Graph, n *graph.Node, shape []int, at int) ([]part, bool) {
	starts, axes := n.Ints("starts"), n.Ints("axes")
	ends := n.Ints("ends")
	var steps []int
	read := func(i int) ([]int, bool) {
		v := n.In(i)
		if v == nil {
			return nil, true
		}
		if v.Const == nil {
			return nil, false
		}
		s, err := v.Const.Int64s()
		out := make([]int, len(s))
		for k, x := range s {
			out[k] = int(x)
		}
		return out, err == nil
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

var _ = fast(func(l *lowering, n *graph.Node) bool {
	x, y := n.In(0), n.Out(0)
	ps, ok := partsOf(l.g, n, dims(x), 1)
	if !ok || x.DType != tensor.Float32 || sizeOf(y) == 0 {
		return false
	}
	lay := l.prefer(x)
	shape, sx, off := window(ps, stridesIn(dims(x), lay))
	sy := stridesIn(dims(y), lay)
	order4(lay, shape, sx, sy)
	m := newMove(shape, sx, sy, off, 0)
	xb, yb := l.get(x, lay, n), l.make(y, lay)
	l.emit(n, "slice", []*buffer{xb}, []*buffer{yb}, func() func() error {
		m.x, m.y = xb.data, yb.data
		return func() error { m.go_(l.pool); return nil }
	})
	return true
}, "Slice")

// into lowers an operator that writes its input into a part of zeros.
func into(l *lowering, n *graph.Node, x, y *graph.Value, ps []part, name string) bool {
	lay := l.prefer(x)
	shape, sy, off := window(ps, stridesIn(dims(y), lay))
	sx := stridesIn(dims(x), lay)
	order4(lay, shape, sx, sy)
	m := newMove(shape, sx, sy, 0, off)
	xb, yb := l.get(x, lay, n), l.make(y, lay)
	l.emit(n, name, []*buffer{xb}, []*buffer{yb}, func() func() error {
		m.x, m.y = xb.data, yb.data
		return func() error {
			clear(m.y)
			m.go_(l.pool)
			return nil
		}
	})
	return true
}

var _ = fast(func(l *lowering, n *graph.Node) bool {
	x, y := n.In(0), n.Out(0)
	ps, ok := partsOf(l.g, n, dims(y), 2)
	if !ok || x.DType != tensor.Float32 || sizeOf(x) == 0 {
		return false
	}
	return into(l, n, x, y, ps, "slice gradient")
}, "pare.SliceGrad")

var _ = fast(func(l *lowering, n *graph.Node) bool {
	x, y := n.In(0), n.Out(0)
	rank := len(x.Shape)
	p := n.Ints("pads")
	if v := n.In(1); v != nil {
		if !v.IsConst() {
			return false
		}
		s, err := v.Const.Int64s()
		if err != nil {
			return false
		}
		p = nil
		for _, k := range s {
			p = append(p, int(k))
		}
	}
	if n.Str("mode", "constant") != "constant" || n.Float("value", 0) != 0 || n.In(3) != nil || len(p) != 2*rank ||
		x.DType != tensor.Float32 || sizeOf(x) == 0 {
		return false
	}
	if v := n.In(2); v != nil && (!v.IsConst() || v.Const.F32() == nil || v.Const.Len() != 1 || v.Const.F32()[0] != 0) {
		return false
	}
	var ps []part
	for d, k := range dims(x) {
		if p[d] < 0 || p[d+rank] < 0 {
			return false
		}
		ps = append(ps, part{p[d], 1, k})
	}
	return into(l, n, x, y, ps, "pad")
}, "Pad")

var _ = fast(func(l *lowering, n *graph.Node) bool {
	y := n.Out(0)
	if y.DType != tensor.Float32 || sizeOf(y) == 0 {
		return false
	}
	a := n.Int("axis", 0)
	if a < 0 {
		a += len(y.Shape)
	}
	lay := l.prefer(n.Inputs...)
	var ms []*move
	var xs []*buffer
	off := 0
	for _, x := range n.Inputs {
		if sizeOf(x) == 0 {
			continue
		}
		shape, sx, sy := dims(x), stridesIn(dims(x), lay), stridesIn(dims(y), lay)
		by := off * sy[a]
		off += shape[a]
		order4(lay, shape, sx, sy)
		ms = append(ms, newMove(shape, sx, sy, 0, by))
		xs = append(xs, l.get(x, lay, n))
	}
	yb := l.make(y, lay)
	l.emit(n, "concatenate", xs, []*buffer{yb}, func() func() error {
		for i, m := range ms {
			m.x, m.y = xs[i].data, yb.data
		}
		return func() error {
			for _, m := range ms {
				m.go_(l.pool)
			}
			return nil
		}
	})
	return true
}, "Concat")

var _ = fast(func(l *lowering, n *graph.Node) bool {
	x := n.In(0)
	if x.DType != tensor.Float32 || sizeOf(x) == 0 {
		return false
	}
	a := n.Int("axis", 0)
	if a < 0 {
		a += len(x.Shape)
	}
	lay := l.prefer(x)
	xb := l.get(x, lay, n)
	off := 0
	for _, y := range n.Outputs {
		if y == nil || sizeOf(y) == 0 {
			return false
		}
	}
	for _, y := range n.Outputs {
		shape, sx, sy := dims(y), stridesIn(dims(x), lay), stridesIn(dims(y), lay)
		bx := off * sx[a]
		off += shape[a]
		order4(lay, shape, sx, sy)
		m := newMove(shape, sx, sy, bx, 0)
		yb := l.make(y, lay)
		l.emit(n, "split", []*buffer{xb}, []*buffer{yb}, func() func() error {
			m.x, m.y = xb.data, yb.data
			return func() error { m.go_(l.pool); return nil }
		})
	}
	return true
}, "Split")
