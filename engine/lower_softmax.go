package engine

import (
	"pare/graph"
	"pare/internal/kernel"
)

// byRow works on rows of k values, some at a time.
type byRow struct {
	rows, k int
	f       func(r int)
}

func (t *byRow) per() int { return max(1, 4096/max(1, t.k)) }

// Do works on some rows.
func (t *byRow) Do(w *kernel.Worker, i int) {
	for r := i * t.per(); r < min(t.rows, (i+1)*t.per()); r++ {
		t.f(r)
	}
}

func (t *byRow) run(p *kernel.Pool) { p.Run((t.rows+t.per()-1)/t.per(), t) }

// lastAxis says whether a softmax works on the last axis, and its size.
func (l *lowering) lastAxis(n *graph.Node) (rows, k int, ok bool) {
	s := dims(n.In(0))
	if len(s) == 0 || sizeOf(n.In(0)) == 0 {
		return 0, 0, false
	}
	def := -1
	if l.g.Version("") < 13 {
		def = 1
	}
	a := n.Int("axis", def)
	if a < 0 {
		a += len(s)
	}
	if a != len(s)-1 {
		return 0, 0, false
	}
	return sizeOf(n.In(0)) / s[a], s[a], true
}

func lowerSoftmax(l *lowering, n *graph.Node) (done bool, why string) {
	rows, k, ok := l.lastAxis(n)
	if !ok {
		return noLastAxis(n.In(0))
	}
	xb, yb := l.get(n.In(0), plain, n), l.make(n.Out(0), plain)
	f := kernel.Softmax
	if n.Op == "LogSoftmax" {
		f = kernel.LogSoftmax
	}
	t := &byRow{rows: rows, k: k, f: func(r int) { f(xb.data[r*k:(r+1)*k], yb.data[r*k:(r+1)*k], k) }}
	l.emit(n, "softmax", []*buffer{xb}, []*buffer{yb}, nil, t.run)
	return true, ""
}

func noLastAxis(x *graph.Value) (done bool, why string) {
	return no("%v is empty, or the softmax is not over its last axis alone", x.Shape)
}

func lowerSoftmaxGrad(l *lowering, n *graph.Node) (done bool, why string) {
	s, as := dims(n.In(1)), n.Ints("axes")
	if len(as) != 1 || as[0] != len(s)-1 || sizeOf(n.In(1)) == 0 {
		return noLastAxis(n.In(1))
	}
	k := s[len(s)-1]
	db, yb := l.get(n.In(0), plain, n), l.get(n.In(1), plain, n)
	out := l.make(n.Out(0), plain)
	t := &byRow{rows: sizeOf(n.In(1)) / k, k: k, f: func(r int) {
		d, y, o := db.data[r*k:(r+1)*k], yb.data[r*k:(r+1)*k], out.data[r*k:(r+1)*k]
		kernel.SoftmaxGrad(d, y, o, k)
	}}
	l.emit(n, "softmax gradient", []*buffer{db, yb}, []*buffer{out}, nil, t.run)
	return true, ""
}
