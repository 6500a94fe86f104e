package engine

import (
	"pare/graph"
	"pare/kernel"
)

// Gemm with a bias by column; other addends are added after.
var _ = fast(func(l *lowering, n *graph.Node) bool {
	if n.Float("alpha", 1) != 1 {
		return false
	}
	a, w, c := n.In(0), n.In(1), n.In(2)
	sa, sy := dims(a), dims(n.Out(0))
	ta, tb := n.Int("transA", 0), n.Int("transB", 0)
	m, k, cols := sy[0], sa[1-ta], sy[1]
	if m*k*cols == 0 {
		return false
	}
	if c != nil && (n.Float("beta", 1) != 1 || sizeOf(c) != cols || !isTail(dims(c), sy)) {
		return false
	}
	if ta == 0 && l.sparseProduct(n, w, c, n.Out(0), m, cols, k, tb == 1) {
		return true
	}
	ab := l.get(a, plain, n)
	var wb *buffer
	trans := tb == 1
	if trans && l.once(w) && w.Const != nil { // a frozen weight is turned round once
		wb = l.pack(w, "transposed", sizeOf(w), n, func(src, dst []float32) { kernel.Transpose(src, dst, cols, k) })
		trans = false
	} else {
		wb = l.get(w, plain, n)
	}
	reads := []*buffer{ab, wb}
	var bias *buffer
	if c != nil {
		bias = l.get(c, plain, n)
		reads = append(reads, bias)
	}
	y, relu, other := l.tail(n.Out(0))
	var res *buffer
	if other != nil {
		res = l.get(other, plain, n)
		reads = append(reads, res)
	}
	yb := l.make(y, plain)
	t := &kernel.GemmTask{TransA: ta == 1, TransB: trans, M: m, N: cols, K: k, Lda: sa[1], Ldb: cols, Ldc: cols}
	if trans {
		t.Ldb = k
	}
	t.Ep.Relu = relu
	l.emit(n, "product"+epilogueName(bias != nil, res != nil, relu), reads, []*buffer{yb}, func() func() error {
		t.A, t.B, t.C = ab.data, wb.data, yb.data
		if bias != nil {
			t.Ep.Bias = bias.data
		}
		if res != nil {
			t.Ep.Res = res.data
		}
		return func() error { t.Run(l.pool); return nil }
	})
	return true
}, "Gemm")

// MatMul by one matrix, or batch by batch where both have the same batches.
var _ = fast(func(l *lowering, n *graph.Node) bool {
	a, w, y := n.In(0), n.In(1), n.Out(0)
	sa, sw := dims(a), dims(w)
	if len(sa) < 2 || len(sw) < 2 || sizeOf(y) == 0 || sizeOf(a) == 0 {
		return false
	}
	k, cols := sw[len(sw)-2], sw[len(sw)-1]
	t := &kernel.GemmTask{N: cols, K: k, Lda: k, Ldb: cols, Ldc: cols}
	last := y
	var bias *buffer
	switch {
	case len(sw) == 2:
		t.M = sizeOf(a) / k
		bias, after := l.biasBehind(y, cols)
		if l.sparseProduct(n, w, bias, after, t.M, cols, k, false) {
			return true
		}
	case len(sa) == len(sw) && sizeOf(a)/sa[len(sa)-2] == sizeOf(w)/cols && equal(sa[:len(sa)-2], sw[:len(sw)-2]):
		t.M = sa[len(sa)-2]
		t.Batch = sizeOf(a) / (t.M * k)
		t.Sa, t.Sb, t.Sc = t.M*k, k*cols, t.M*cols
	default:
		return false
	}
	ab, wb := l.get(a, plain, n), l.get(w, plain, n)
	reads := []*buffer{ab, wb}
	if c, after := l.biasBehind(y, cols); c != nil {
		bias = l.get(c, plain, n)
		reads = append(reads, bias)
		l.done[after.From] = true
		last = after
	}
	var res *buffer
	var relu bool
	var other *graph.Value
	if t.Batch <= 1 {
		if last, relu, other = l.tail(last); other != nil {
			res = l.get(other, plain, n)
			reads = append(reads, res)
		}
		t.Ep.Relu = relu
	}
	yb := l.make(last, plain)
	l.emit(n, "product"+epilogueName(bias != nil, res != nil, relu), reads, []*buffer{yb}, func() func() error {
		t.A, t.B, t.C = ab.data, wb.data, yb.data
		if bias != nil {
			t.Ep.Bias = bias.data
		}
		if res != nil {
			t.Ep.Res = res.data
		}
		return func() error { t.Run(l.pool); return nil }
	})
	return true
}, "MatMul")

// biasBehind finds the addition of a constant for each column that alone reads
// y: the constant and the sum, or nil and y.
func (l *lowering) biasBehind(y *graph.Value, cols int) (c, after *graph.Value) {
	add := l.only(y)
	if !add.Is("Add") || l.done[add] {
		return nil, y
	}
	if c = add.In(0); c == y {
		c = add.In(1)
	}
	if c != y && c.IsConst() && sizeOf(c) == cols && isTail(dims(c), dims(y)) {
		return c, add.Out(0)
	}
	return nil, y
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
