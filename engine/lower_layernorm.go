package engine

import (
	"pare/graph"
	"pare/internal/kernel"
)

// layer describes a LayerNormalization over the last axis of x.
func layer(n *graph.Node, x *graph.Value) (*kernel.LayerNormTask, bool) {
	s := dims(x)
	a := n.Int("axis", -1)
	if a < 0 {
		a += len(s)
	}
	if a != len(s)-1 || sizeOf(x) == 0 {
		return nil, false
	}
	return &kernel.LayerNormTask{Rows: sizeOf(x) / s[a], C: s[a], Eps: n.Float("epsilon", 1e-5)}, true
}

var _ = fast(func(l *lowering, n *graph.Node) bool {
	t, ok := layer(n, n.In(0))
	if !ok || n.Out(1) != nil || n.Out(2) != nil || sizeOf(n.In(1)) != t.C || n.In(2) != nil && sizeOf(n.In(2)) != t.C {
		return false
	}
	xb, sb, yb := l.get(n.In(0), plain, n), l.get(n.In(1), plain, n), l.make(n.Out(0), plain)
	reads := []*buffer{xb, sb}
	var bb *buffer
	if n.In(2) != nil {
		bb = l.get(n.In(2), plain, n)
		reads = append(reads, bb)
	}
	l.emit(n, "layer normalisation", reads, []*buffer{yb}, func() func() error {
		t.X, t.Scale, t.Y = xb.data, sb.data, yb.data
		if bb != nil {
			t.Bias = bb.data
		}
		return func() error { t.Forward(l.pool); return nil }
	})
	return true
}, "LayerNormalization")

var _ = fast(func(l *lowering, n *graph.Node) bool {
	t, ok := layer(n, n.In(1))
	if !ok || sizeOf(n.In(2)) != t.C {
		return false
	}
	db, xb, sb := l.get(n.In(0), plain, n), l.get(n.In(1), plain, n), l.get(n.In(2), plain, n)
	out := func(i, size int) *buffer {
		if v := n.Out(i); v != nil {
			return l.make(v, plain)
		}
		return l.new(size)
	}
	dx, ds, dbias := out(0, t.Rows*t.C), out(1, t.C), out(2, t.C)
	l.emit(n, "layer normalisation gradient", []*buffer{db, xb, sb}, []*buffer{dx, ds, dbias}, func() func() error {
		t.DY, t.X, t.Scale, t.DX, t.DScale, t.DBias = db.data, xb.data, sb.data, dx.data, ds.data, dbias.data
		return func() error { t.Backward(l.pool); return nil }
	})
	return true
}, "pare.LayerNormGrad")
