package engine

import (
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// resample resizes along one axis by a table: x is [outer, In, inner].
type resample struct {
	op.Resampled
	x, y         []float32
	outer, inner int
	fill         float32
	per          int  // rows of the result a piece
	copies       bool // every place is one of the input
	lo, hi       int  // the longest run of places that lie side by side in the input, too
	twice        bool // every place is there twice
}

func newResample(r op.Resampled, outer, inner int, fill float32) *resample {
	t := &resample{Resampled: r, outer: outer, inner: inner, fill: fill, per: max(1, chunk/max(1, inner)), copies: r.Beyond == nil && len(r.At) == r.Out}
	if inner == 1 {
		t.per = max(1, t.per/max(1, r.Out)) * r.Out // whole lines
	}
	for j, w := range r.Weight {
		t.copies = t.copies && w == 1 && int(r.Start[j]) == j
	}
	t.twice = t.copies && r.Out == 2*r.In
	for j, i := range r.At {
		t.twice = t.twice && int(i) == j/2
	}
	for j := 0; t.copies && j < r.Out; {
		k := j + 1
		for k < r.Out && r.At[k] == r.At[k-1]+1 {
			k++
		}
		if k-j > t.hi-t.lo {
			t.lo, t.hi = j, k
		}
		j = k
	}
	return t
}

func (t *resample) run(p *kernel.Pool) { p.Run((t.outer*t.Out+t.per-1)/t.per, t) }

// Do makes some rows of the result.
func (t *resample) Do(w *kernel.Worker, i int) {
	lo, hi := i*t.per, min(t.outer*t.Out, (i+1)*t.per)
	if t.inner == 1 {
		for o := lo / t.Out; o < hi/t.Out; o++ {
			t.line(t.x[o*t.In:(o+1)*t.In], t.y[o*t.Out:(o+1)*t.Out])
		}
		return
	}
	for r := lo; r < hi; r++ {
		t.row(t.x[r/t.Out*t.In*t.inner:], t.y[r*t.inner:(r+1)*t.inner], r%t.Out)
	}
}

// line makes a line of single numbers.
func (t *resample) line(x, y []float32) {
	if t.twice {
		for i, v := range x {
			p := y[2*i : 2*i+2 : 2*i+2]
			p[0], p[1] = v, v
		}
		return
	}
	if t.copies {
		for j, i := range t.At[:t.lo] {
			y[j] = x[i]
		}
		copy(y[t.lo:t.hi], x[t.At[t.lo]:])
		for j, i := range t.At[t.hi:] {
			y[t.hi+j] = x[i]
		}
		return
	}
	k := t.Start[0]
	for j := range y {
		end, s := t.Start[j+1], float32(0)
		for ; k < end; k++ {
			s += t.Weight[k] * x[t.At[k]]
		}
		y[j] = s
	}
	for j, is := range t.Beyond {
		if is {
			y[j] = t.fill
		}
	}
}

// row makes row j of the result from rows of x.
func (t *resample) row(x, y []float32, j int) {
	if t.Beyond != nil && t.Beyond[j] {
		kernel.Fill(y, t.fill)
		return
	}
	at, w := t.At[t.Start[j]:t.Start[j+1]], t.Weight[t.Start[j]:t.Start[j+1]]
	from := func(k int) []float32 { return x[int(at[k])*t.inner:][:t.inner] }
	switch {
	case len(at) == 0:
		clear(y)
		return
	case len(at) == 1 && w[0] == 1:
		copy(y, from(0))
		return
	case len(at) == 1:
		kernel.Scale(w[0], from(0), y)
		return
	}
	kernel.Axpby(w[0], from(0), w[1], from(1), y)
	for k := 2; k < len(at); k++ {
		kernel.Axpby(w[k], from(k), 1, y, y)
	}
}

// copied copies along two axes that lie side by side: rows of x [outer, In of rows, In of
// places, inner], and places within them.
type copied struct {
	rows, places *resample
	x, y         []float32
	outer        int
	per          int // rows of the result a piece
}

// copiedRows joins the tables of two such axes into one pass, where both only copy; nil
// where they are others.
func copiedRows(rs []op.Resampled, shape []int, axis func(op.Resampled) int) *copied {
	if len(rs) != 2 {
		return nil
	}
	a, b := rs[0], rs[1]
	if axis(a) > axis(b) {
		a, b = b, a
	}
	if axis(b) != axis(a)+1 {
		return nil
	}
	outer, inner := 1, 1
	for _, d := range shape[:axis(a)] {
		outer *= d
	}
	for _, d := range shape[axis(b)+1:] {
		inner *= d
	}
	t := &copied{rows: newResample(a, outer, b.Out*inner, 0), places: newResample(b, outer*a.Out, inner, 0), outer: outer, per: max(1, chunk/(b.Out*inner))}
	if !t.rows.copies || !t.places.copies {
		return nil
	}
	return t
}

func (t *copied) run(p *kernel.Pool) { p.Run((t.outer*t.rows.Out+t.per-1)/t.per, t) }

// Do makes some rows; one that is the row before it once more is copied from there.
func (t *copied) Do(w *kernel.Worker, i int) {
	inner := t.places.inner
	in, out := t.places.In*inner, t.places.Out*inner
	last := -1
	for r := i * t.per; r < min(t.outer*t.rows.Out, (i+1)*t.per); r++ {
		from := r/t.rows.Out*t.rows.In + int(t.rows.At[r%t.rows.Out])
		x, y := t.x[from*in:(from+1)*in], t.y[r*out:(r+1)*out]
		switch {
		case from == last:
			copy(y, t.y[(r-1)*out:r*out])
		case inner == 1:
			t.places.line(x, y)
		default:
			p := t.places
			for j := 0; j < p.Out; j++ {
				n := 1
				if j == p.lo {
					n = p.hi - p.lo
				}
				copy(y[j*inner:(j+n)*inner], x[int(p.At[j])*inner:])
				j += n - 1
			}
		}
		last = from
	}
}

// lowerResize plans a resizing, or the gradient of one, axis by axis. Lines of single
// numbers come first where they become longer, else last, when they are fewest.
func lowerResize(l *lowering, n *graph.Node) (done bool, why string) {
	x, y := n.In(0), n.Out(0)
	if x.DType != tensor.Float32 || sizeOf(y) == 0 || sizeOf(x) == 0 {
		return noMove(x)
	}
	rs, fill, err := op.Resamplings(n, l.g.Version(""))
	if err != nil {
		return no("%v", err)
	}
	l.resampled(n, "resize an axis", rs, fill)
	return true, ""
}

// resampled emits a node that moves along axes by tables.
func (l *lowering) resampled(n *graph.Node, name string, rs []op.Resampled, fill float32) {
	x, y := n.In(0), n.Out(0)
	lay := l.prefer(x)
	shape := slices.Clone(dims(x))
	inOrder(lay, shape)
	axis := func(r op.Resampled) int { // its place in memory
		switch {
		case lay == plain || r.Axis == 0 || len(shape) < 3:
			return r.Axis
		case r.Axis == 1:
			return len(shape) - 1
		}
		return r.Axis - 1
	}
	slices.SortStableFunc(rs, func(a, b op.Resampled) int { // those that make most of it last
		return a.Out*b.In - b.Out*a.In
	})
	if k := slices.IndexFunc(rs, func(r op.Resampled) bool { return axis(r) == len(shape)-1 && r.Out >= r.In }); k > 0 {
		last := rs[k]
		rs = slices.Insert(slices.Delete(rs, k, k+1), 0, last)
	}
	from := l.get(x, lay, n)
	if t := copiedRows(rs, shape, axis); t != nil {
		yb := l.make(y, lay)
		l.emit(n, name, []*buffer{from}, []*buffer{yb}, func() { t.x, t.y = from.data, yb.data }, t.run)
		return
	}
	if len(rs) == 0 {
		l.view(y, lay, from)
		return
	}
	for k, r := range rs {
		a := axis(r)
		outer, inner := 1, 1
		for _, d := range shape[:a] {
			outer *= d
		}
		for _, d := range shape[a+1:] {
			inner *= d
		}
		t := newResample(r, outer, inner, fill)
		shape[a] = r.Out
		to := (*buffer)(nil)
		if k == len(rs)-1 {
			to = l.make(y, lay)
		} else {
			to = l.new(outer * r.Out * inner)
		}
		in := from
		l.emit(n, name, []*buffer{in}, []*buffer{to}, func() { t.x, t.y = in.data, to.data }, t.run)
		from = to
	}
}
