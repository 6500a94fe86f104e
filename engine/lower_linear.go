package engine

import (
	"pare/graph"
	"pare/internal/kernel"
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
	why := l.why
	l.why = ""
	t := &kernel.GemmTask{TransA: ta == 1, TransB: tb == 1, M: m, N: cols, K: k, Lda: sa[1], Ldb: cols, Ldc: cols}
	if t.TransB {
		t.Ldb = k
	}
	ab := l.get(a, plain, n)
	reads := []*buffer{ab}
	wb := l.factor(w, t, n)
	if wb != nil {
		reads = append(reads, wb)
	}
	var bias *buffer
	if c != nil {
		bias = l.get(c, plain, n)
		reads = append(reads, bias)
	}
	y, other := l.tail(n.Out(0), &t.Ep)
	var res *buffer
	if other != nil {
		res = l.get(other, plain, n)
		reads = append(reads, res)
	}
	ch := l.maskedProduct(w, t)
	yb := l.result(y, ch == nil && ta == 1)
	if yb.fixed {
		ch = l.maskedOuter(y, t)
	}
	l.why = why
	l.emit(n, "product"+epilogueName(bias != nil, res != nil, &t.Ep), reads, []*buffer{yb}, func() func() error {
		t.A, t.C = ab.data, yb.data
		if wb != nil {
			t.B = wb.data
		}
		if bias != nil {
			t.Ep.Bias = bias.data
		}
		if res != nil {
			t.Ep.Res = res.data
		}
		return l.either(ch, t.Run)
	})
	l.choosable(ch)
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
	why := l.why
	l.why = ""
	ab := l.get(a, plain, n)
	reads := []*buffer{ab}
	wb := l.factor(w, t, n)
	if wb != nil {
		reads = append(reads, wb)
	}
	if c, after := l.biasBehind(y, cols); c != nil {
		bias = l.get(c, plain, n)
		reads = append(reads, bias)
		l.done[after.From] = true
		last = after
	}
	var res *buffer
	if t.Batch <= 1 {
		var other *graph.Value
		if last, other = l.tail(last, &t.Ep); other != nil {
			res = l.get(other, plain, n)
			reads = append(reads, res)
		}
	}
	ch := l.maskedProduct(w, t)
	yb := l.make(last, plain)
	l.why = why
	l.emit(n, "product"+epilogueName(bias != nil, res != nil, &t.Ep), reads, []*buffer{yb}, func() func() error {
		t.A, t.C = ab.data, yb.data
		if wb != nil {
			t.B = wb.data
		}
		if bias != nil {
			t.Ep.Bias = bias.data
		}
		if res != nil {
			t.Ep.Res = res.data
		}
		return l.either(ch, t.Run)
	})
	l.choosable(ch)
	return true
}, "MatMul")

// factor gives the right-hand matrix of a product; one that cannot change is
// laid out once, and there is no buffer.
func (l *lowering) factor(w *graph.Value, t *kernel.GemmTask, n *graph.Node) *buffer {
	if l.once(w) && t.Batch <= 1 && t.M >= 8 { // few rows read each weight too seldom
		t.Packed = kernel.PackB(t.TransB, t.N, t.K, w.Const.F32(), t.Ldb)
		t.TransB = false
		l.release(w)
		return nil
	}
	return l.get(w, plain, n)
}

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
