package engine

import (
	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

func poolTask(n *graph.Node, in, out []int) (*kernel.PoolTask, bool) {
	k := n.Ints("kernel_shape")
	if len(in) != 4 || len(k) != 2 {
		return nil, false
	}
	w, err := op.WindowOf(n, k, in[2:])
	if err != nil {
		return nil, false
	}
	t := &kernel.PoolTask{OH: out[2], OW: out[3], Include: n.Int("count_include_pad", 0) != 0}
	t.Conv = kernel.Conv{N: in[0], H: in[2], W: in[3], CI: in[1], CO: in[1], KH: k[0], KW: k[1], StrideH: w.Stride[0], StrideW: w.Stride[1],
		DilH: w.Dilation[0], DilW: w.Dilation[1], PadT: w.Begin[0], PadL: w.Begin[1], PadB: w.End[0], PadR: w.End[1], Groups: 1}
	return t, true
}

func lowerPool(l *lowering, n *graph.Node) bool {
	if n.Out(1) != nil || n.In(0).DType != tensor.Float32 { // positions are wanted
		return false
	}
	t, ok := poolTask(n, dims(n.In(0)), dims(n.Out(0)))
	if !ok {
		return false
	}
	t.Average = n.Op == "AveragePool"
	xb := l.get(n.In(0), nhwc, n)
	yb := l.make(n.Out(0), nhwc)
	l.emit(n, "pooling", []*buffer{xb}, []*buffer{yb}, func() func() error {
		t.X, t.Y = xb.data, yb.data
		return func() error { t.Forward(l.pool); return nil }
	})
	return true
}

func lowerPoolGrad(l *lowering, n *graph.Node) bool {
	t, ok := poolTask(n, dims(n.Out(0)), dims(n.In(0)))
	if !ok {
		return false
	}
	t.Average = n.Op == "AveragePoolGrad"
	db := l.get(n.In(0), nhwc, n)
	reads := []*buffer{db}
	var xb *buffer
	if !t.Average {
		xb = l.get(n.In(1), nhwc, n)
		reads = append(reads, xb)
	}
	dx := l.make(n.Out(0), nhwc)
	l.emit(n, "pooling gradient", reads, []*buffer{dx}, func() func() error {
		t.DY, t.DX = db.data, dx.data
		if xb != nil {
			t.X = xb.data
		}
		return func() error { t.Backward(l.pool); return nil }
	})
	return true
}

var (
	_ = fast(lowerPool, "MaxPool", "AveragePool")
	_ = fast(lowerPoolGrad, "pare.MaxPoolGrad", "pare.AveragePoolGrad")
)

// spatial sums the pixels of every channel of every image, times a factor.
type spatial struct {
	x, y   []float32
	pix, c int
	f      float32
}

// Do works on one image [pix, c].
func (t *spatial) Do(w *kernel.Worker, n int) {
	y := t.y[n*t.c : (n+1)*t.c]
	clear(y)
	x := t.x[n*t.pix*t.c : (n+1)*t.pix*t.c]
	for len(x) > 0 {
		kernel.Add(y, x[:t.c], y)
		x = x[t.c:]
	}
	kernel.Scale(t.f, y, y)
}

// lowerSpatial sums or averages over height and width.
func lowerSpatial(l *lowering, n *graph.Node, mean bool) bool {
	s := dims(n.In(0))
	if len(s) != 4 || s[2]*s[3] == 0 {
		return false
	}
	t := &spatial{pix: s[2] * s[3], c: s[1], f: 1}
	if mean {
		t.f = 1 / float32(t.pix)
	}
	if !l.has(n.In(0), nhwc) {
		return lines(l, n, s[0]*s[1], s[2]*s[3], mean)
	}
	xb := l.get(n.In(0), nhwc, n)
	yb := l.make(n.Out(0), plain)
	l.emit(n, "sum over pixels", []*buffer{xb}, []*buffer{yb}, func() func() error {
		t.x, t.y = xb.data, yb.data
		return func() error { l.pool.Run(s[0], t); return nil }
	})
	return true
}

var _ = fast(func(l *lowering, n *graph.Node) bool { return lowerSpatial(l, n, true) }, "GlobalAveragePool")

// reduced gives the axes of a reduction.
func reduced(n *graph.Node) map[int]bool {
	rank := len(n.In(0).Shape)
	as := n.Ints("axes")
	if v := n.In(1); v != nil {
		if !v.IsConst() {
			return nil
		}
		s, err := v.Const.Int64s()
		if err != nil {
			return nil
		}
		as = nil
		for _, a := range s {
			as = append(as, int(a))
		}
	}
	out := map[int]bool{}
	for _, a := range as {
		if a < 0 {
			a += rank
		}
		out[a] = true
	}
	if len(as) == 0 && n.Int("noop_with_empty_axes", 0) == 0 {
		for d := range rank {
			out[d] = true
		}
	}
	return out
}

func lowerReduce(l *lowering, n *graph.Node) bool {
	as := reduced(n)
	s := dims(n.In(0))
	mean := n.Op == "ReduceMean"
	if as == nil || sizeOf(n.In(0)) == 0 {
		return false
	}
	switch {
	case len(s) == 4 && len(as) == 2 && as[2] && as[3]:
		return lowerSpatial(l, n, mean)
	case len(s) == 4 && len(as) == 3 && as[0] && as[2] && as[3]:
		return columns(l, n, n.In(0), nhwc, s[0]*s[2]*s[3], s[1], mean)
	}
	lead, trail := 0, 0 // axes reduced at the front, at the end
	for as[lead] {
		lead++
	}
	for as[len(s)-1-trail] {
		trail++
	}
	inner, outer := 1, 1
	for d, k := range s {
		if as[d] {
			inner *= k
		} else {
			outer *= k
		}
	}
	switch len(as) {
	case lead:
		return columns(l, n, n.In(0), plain, inner, outer, mean)
	case trail:
		return lines(l, n, outer, inner, mean)
	}
	for d := range s { // one axis in the middle
		if len(as) == 1 && as[d] {
			return middle(l, n, d, mean)
		}
	}
	return false
}

// midSum sums the rows [mid, c] of each of outer blocks.
type midSum struct {
	x, y   []float32
	mid, c int
	f      float32
}

// Do sums one block.
func (t *midSum) Do(w *kernel.Worker, o int) {
	y := t.y[o*t.c : (o+1)*t.c]
	clear(y)
	for r := range t.mid {
		at := (o*t.mid + r) * t.c
		kernel.Add(y, t.x[at:at+t.c], y)
	}
	if t.f != 1 {
		kernel.Scale(t.f, y, y)
	}
}

func middle(l *lowering, n *graph.Node, d int, mean bool) bool {
	s := dims(n.In(0))
	outer, inner := 1, 1
	for _, k := range s[:d] {
		outer *= k
	}
	for _, k := range s[d+1:] {
		inner *= k
	}
	t := &midSum{mid: s[d], c: inner, f: 1}
	if mean {
		t.f = 1 / float32(s[d])
	}
	xb := l.get(n.In(0), plain, n)
	yb := l.make(n.Out(0), plain)
	l.emit(n, "sum over an axis", []*buffer{xb}, []*buffer{yb}, func() func() error {
		t.x, t.y = xb.data, yb.data
		return func() error { l.pool.Run(outer, t); return nil }
	})
	return true
}

var _ = fast(lowerReduce, "ReduceSum", "ReduceMean")

// column sums over rows, in a fixed number of parts added in order.
type column struct {
	x, y    []float32
	rows, c int
	parts   int
	part    []float32
	f       float32
}

// Do sums one part of the rows.
func (t *column) Do(w *kernel.Worker, k int) {
	y := t.part[k*t.c : (k+1)*t.c]
	clear(y)
	for r := k * t.rows / t.parts; r < (k+1)*t.rows/t.parts; r++ {
		kernel.Add(y, t.x[r*t.c:(r+1)*t.c], y)
	}
}

func columns(l *lowering, n *graph.Node, x *graph.Value, lay layout, rows, c int, mean bool) bool {
	t := &column{rows: rows, c: c, parts: max(1, min(16, rows/64)), f: 1}
	t.part = make([]float32, t.parts*c)
	if mean {
		t.f = 1 / float32(rows)
	}
	xb := l.get(x, lay, n)
	yb := l.make(n.Out(0), plain)
	l.emit(n, "sum of rows", []*buffer{xb}, []*buffer{yb}, func() func() error {
		t.x, t.y = xb.data, yb.data
		return func() error {
			l.pool.Run(t.parts, t)
			copy(t.y, t.part[:c])
			for k := 1; k < t.parts; k++ {
				kernel.Add(t.y, t.part[k*c:(k+1)*c], t.y)
			}
			if t.f != 1 {
				kernel.Scale(t.f, t.y, t.y)
			}
			return nil
		}
	})
	return true
}

// line sums within rows.
type line struct {
	x, y    []float32
	rows, c int
	f       float64
}

// Do sums 64 rows.
func (t *line) Do(w *kernel.Worker, k int) {
	for r := k * 64; r < min(t.rows, (k+1)*64); r++ {
		t.y[r] = float32(kernel.Sum(t.x[r*t.c:(r+1)*t.c]) * t.f)
	}
}

func lines(l *lowering, n *graph.Node, rows, c int, mean bool) bool {
	t := &line{rows: rows, c: c, f: 1}
	if mean {
		t.f = 1 / float64(c)
	}
	xb := l.get(n.In(0), plain, n)
	yb := l.make(n.Out(0), plain)
	l.emit(n, "sum within rows", []*buffer{xb}, []*buffer{yb}, func() func() error {
		t.x, t.y = xb.data, yb.data
		return func() error { l.pool.Run((rows+63)/64, t); return nil }
	})
	return true
}

// BroadcastTo repeats one number for each channel over the pixels, or a tail.
var _ = fast(func(l *lowering, n *graph.Node) bool {
	x, y := n.In(0), n.Out(0)
	sx, sy := dims(x), dims(y)
	if sizeOf(y) == 0 {
		return false
	}
	if len(sx) == 4 && len(sy) == 4 && sx[0] == sy[0] && sx[1] == sy[1] && sx[2]*sx[3] == 1 {
		xb, yb := l.get(x, plain, n), l.make(y, nhwc)
		c, pix := sy[1], sy[2]*sy[3]
		l.emit(n, "repeat over pixels", []*buffer{xb}, []*buffer{yb}, func() func() error {
			return func() error {
				for i := range sy[0] * pix {
					copy(yb.data[i*c:(i+1)*c], xb.data[i/pix*c:])
				}
				return nil
			}
		})
		return true
	}
	st := make([]int, len(sy))
	for d, k := range tensor.Strides(sx) {
		if sx[d] != 1 {
			st[d+len(sy)-len(sx)] = k
		}
	}
	m := newMove(sy, st, tensor.Strides(sy), 0, 0)
	xb, yb := l.get(x, plain, n), l.make(y, plain)
	l.emit(n, "repeat", []*buffer{xb}, []*buffer{yb}, func() func() error {
		m.x, m.y = xb.data, yb.data
		return func() error { m.go_(l.pool); return nil }
	})
	return true
}, "pare.BroadcastTo")

// OnesLike is seldom needed itself: its readers know.
var _ = fast(func(l *lowering, n *graph.Node) bool {
	y := n.Out(0)
	all := !l.g.IsOutput(y)
	for _, u := range l.uses[y] {
		all = all && u.Node.Domain == graph.Pare && u.Node.Op == "SumTo" && u.Index == 0
	}
	if all {
		return true
	}
	yb := l.make(y, plain)
	l.emit(n, "ones", nil, []*buffer{yb}, func() func() error {
		return func() error {
			for i := range yb.data {
				yb.data[i] = 1
			}
			return nil
		}
	})
	return true
}, "pare.OnesLike")
