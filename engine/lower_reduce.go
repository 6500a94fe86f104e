package engine

import (
	"pare/graph"
	"pare/internal/kernel"
)

// lowerSpatial sums or averages over the spatial axes.
func lowerSpatial(l *lowering, n *graph.Node, mean bool) (done bool, why string) {
	s := dims(n.In(0))
	if len(s) < 3 || pixels(s) == 0 {
		return no("pooling over %v: kernels take values with spatial axes", n.In(0).Shape)
	}
	t := &midSum{outer: s[0], mid: pixels(s), c: s[1], f: 1}
	if mean {
		t.f = 1 / float32(t.mid)
	}
	if !l.has(n.In(0), nhwc) {
		return lines(l, n, s[0]*s[1], pixels(s), mean)
	}
	xb := l.get(n.In(0), nhwc, n)
	yb := l.make(n.Out(0), plain)
	l.emit(n, "sum over pixels", []*buffer{xb}, []*buffer{yb}, func() { t.x, t.y = xb.data, yb.data }, t.run)
	return true, ""
}

func lowerGlobalPool(l *lowering, n *graph.Node) (done bool, why string) {
	return lowerSpatial(l, n, true)
}

// reduced gives the axes of a reduction.
func reduced(n *graph.Node) map[int]bool {
	rank := len(n.In(0).Shape)
	as := n.Ints("axes")
	if v := n.In(1); v != nil {
		var ok bool
		if as, ok = v.Ints(); !ok {
			return nil
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

func lowerReduce(l *lowering, n *graph.Node) (done bool, why string) {
	as := reduced(n)
	s := dims(n.In(0))
	mean := n.Op == "ReduceMean"
	if as == nil || sizeOf(n.In(0)) == 0 {
		return no("%v is empty, or its axes are known only at run time", n.In(0).Shape)
	}
	switch {
	case len(s) > 2 && len(as) == len(s)-2 && !as[0] && !as[1]:
		return lowerSpatial(l, n, mean)
	case len(s) > 2 && len(as) == len(s)-1 && !as[1]:
		return columns(l, n, n.In(0), nhwc, s[0]*pixels(s), s[1], mean)
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
	switch {
	case outer == 1: // a single number
		return lines(l, n, 1, inner, mean)
	case len(as) == lead:
		return columns(l, n, n.In(0), plain, inner, outer, mean)
	case len(as) == trail:
		return lines(l, n, outer, inner, mean)
	}
	for d := range s { // one axis in the middle
		if len(as) == 1 && as[d] {
			return middle(l, n, d, mean)
		}
	}
	return no("a sum over axes of %v that do not lie side by side at an end", n.In(0).Shape)
}

// midSum sums the rows [mid, c] of each of outer blocks.
type midSum struct {
	x, y   []float32
	outer  int
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

func (t *midSum) run(p *kernel.Pool) { p.Run(t.outer, t) }

// middle sums over axis d.
func middle(l *lowering, n *graph.Node, d int, mean bool) (done bool, why string) {
	s := dims(n.In(0))
	outer, inner := 1, 1
	for _, k := range s[:d] {
		outer *= k
	}
	for _, k := range s[d+1:] {
		inner *= k
	}
	t := &midSum{outer: outer, mid: s[d], c: inner, f: 1}
	if mean {
		t.f = 1 / float32(s[d])
	}
	xb := l.get(n.In(0), plain, n)
	yb := l.make(n.Out(0), plain)
	l.emit(n, "sum over an axis", []*buffer{xb}, []*buffer{yb}, func() { t.x, t.y = xb.data, yb.data }, t.run)
	return true, ""
}

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

func (t *column) run(p *kernel.Pool) {
	p.Run(t.parts, t)
	copy(t.y, t.part[:t.c])
	for k := 1; k < t.parts; k++ {
		kernel.Add(t.y, t.part[k*t.c:(k+1)*t.c], t.y)
	}
	if t.f != 1 {
		kernel.Scale(t.f, t.y, t.y)
	}
}

// columns sums x, seen as [rows, c], over the rows.
func columns(l *lowering, n *graph.Node, x *graph.Value, lay layout, rows, c int, mean bool) (done bool, why string) {
	t := &column{rows: rows, c: c, parts: max(1, min(16, rows/64)), f: 1}
	t.part = make([]float32, t.parts*c)
	if mean {
		t.f = 1 / float32(rows)
	}
	xb := l.get(x, lay, n)
	yb := l.make(n.Out(0), plain)
	l.emit(n, "sum of rows", []*buffer{xb}, []*buffer{yb}, func() { t.x, t.y = xb.data, yb.data }, t.run)
	return true, ""
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

func (t *line) run(p *kernel.Pool) { p.Run((t.rows+63)/64, t) }

// lines sums the input, seen as [rows, c], within the rows.
func lines(l *lowering, n *graph.Node, rows, c int, mean bool) (done bool, why string) {
	t := &line{rows: rows, c: c, f: 1}
	if mean {
		t.f = 1 / float64(c)
	}
	xb := l.get(n.In(0), plain, n)
	yb := l.make(n.Out(0), plain)
	l.emit(n, "sum within rows", []*buffer{xb}, []*buffer{yb}, func() { t.x, t.y = xb.data, yb.data }, t.run)
	return true, ""
}
