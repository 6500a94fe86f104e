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

func lowerLayerNorm(l *lowering, n *graph.Node) (done bool, why string) {
	t, ok := layer(n, n.In(0))
	if !ok {
		return noLayer(n.In(0))
	}
	if n.Out(1) != nil || n.Out(2) != nil {
		return no("its mean or deviation is wanted")
	}
	if sizeOf(n.In(1)) != t.C || n.In(2) != nil && sizeOf(n.In(2)) != t.C {
		return no("scale or bias is not of %d numbers", t.C)
	}
	xb, sb, yb := l.get(n.In(0), plain, n), l.get(n.In(1), plain, n), l.make(n.Out(0), plain)
	reads := []*buffer{xb, sb}
	var bb *buffer
	if n.In(2) != nil {
		bb = l.get(n.In(2), plain, n)
		reads = append(reads, bb)
	}
	l.emit(n, "layer normalisation", reads, []*buffer{yb}, func() { t.X, t.Scale, t.Bias, t.Y = xb.data, sb.data, bb.floats(), yb.data }, t.Forward)
	return true, ""
}

func noLayer(x *graph.Value) (done bool, why string) {
	return no("a normalisation of %v over more than the last axis, or empty", x.Shape)
}

func lowerLayerNormGrad(l *lowering, n *graph.Node) (done bool, why string) {
	t, ok := layer(n, n.In(1))
	if !ok {
		return noLayer(n.In(1))
	}
	if sizeOf(n.In(2)) != t.C {
		return no("the scale is not of %d numbers", t.C)
	}
	db, xb, sb := l.get(n.In(0), plain, n), l.get(n.In(1), plain, n), l.get(n.In(2), plain, n)
	dx, ds, dbias := l.output(n, 0, t.Rows*t.C, plain), l.output(n, 1, t.C, plain), l.output(n, 2, t.C, plain)
	l.emit(n, "layer normalisation gradient", []*buffer{db, xb, sb}, []*buffer{dx, ds, dbias}, func() {
		t.DY, t.X, t.Scale, t.DX, t.DScale, t.DBias = db.data, xb.data, sb.data, dx.data, ds.data, dbias.data
	}, t.Backward)
	return true, ""
}
