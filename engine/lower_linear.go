package engine

import (
	"slices"

	"pare/graph"
	"pare/internal/kernel"
)

// lowerGemm plans a Gemm with a bias for each column.
func lowerGemm(l *lowering, n *graph.Node) (done bool, why string) {
	if a := n.Float("alpha", 1); a != 1 {
		return no("alpha is %v", a)
	}
	a, c := n.In(0), n.In(2)
	sa, sy := dims(a), dims(n.Out(0))
	ta, tb := n.Int("transA", 0), n.Int("transB", 0)
	m, k, cols := sy[0], sa[1-ta], sy[1]
	if m*k*cols == 0 {
		return no("it is empty")
	}
	if c != nil && (n.Float("beta", 1) != 1 || sizeOf(c) != cols || !isTail(dims(c), sy)) {
		return no("the addend %v is not a bias for each of %d columns, or beta is not 1", c.Shape, cols)
	}
	t := &kernel.GemmTask{TransA: ta == 1, TransB: tb == 1, M: m, N: cols, K: k, Lda: sa[1], Ldb: cols, Ldc: cols}
	if t.TransB {
		t.Ldb = k
	}
	l.product(n, t, c, n.Out(0))
	return true, ""
}

// lowerMatMul plans a product by one matrix, or batch by batch where both sides
// have the same batches.
func lowerMatMul(l *lowering, n *graph.Node) (done bool, why string) {
	a, w, y := n.In(0), n.In(1), n.Out(0)
	sa, sw := dims(a), dims(w)
	if len(sa) < 2 || len(sw) < 2 || sizeOf(y) == 0 || sizeOf(a) == 0 {
		return no("a product of %v by %v: one is a vector, or empty", a.Shape, w.Shape)
	}
	k, cols := sw[len(sw)-2], sw[len(sw)-1]
	t := &kernel.GemmTask{N: cols, K: k, Lda: k, Ldb: cols, Ldc: cols}
	switch {
	case len(sw) == 2:
		t.M = sizeOf(a) / k
	case len(sa) == len(sw) && sizeOf(a)/sa[len(sa)-2] == sizeOf(w)/cols && slices.Equal(sa[:len(sa)-2], sw[:len(sw)-2]):
		t.M = sa[len(sa)-2]
		t.Batch = sizeOf(a) / (t.M * k)
		t.Sa, t.Sb, t.Sc = t.M*k, k*cols, t.M*cols
	default:
		return no("a product of %v by %v: their batches differ", a.Shape, w.Shape)
	}
	bias, last := l.biasBehind(y, cols)
	l.product(n, t, bias, last)
	return true, ""
}

// product plans the product of a node's first two inputs with a bias, which may
// be nil, for each column; y is the value with the bias added. The epilogue
// takes in what else comes after.
func (l *lowering) product(n *graph.Node, t *kernel.GemmTask, bias, y *graph.Value) {
	a, w := n.In(0), n.In(1)
	if y.From != n {
		l.done[y.From] = true
	}
	var why string
	if !t.TransA && t.Batch == 0 {
		var done bool
		if done, why = l.sparseProduct(n, t, bias, y); done {
			return
		}
	}
	ab := l.get(a, plain, n)
	reads := []*buffer{ab}
	wb := l.factor(w, t, n)
	if wb != nil {
		reads = append(reads, wb)
	}
	e := epilogue{to: &t.Ep, last: y}
	if bias != nil {
		e.bias = l.get(bias, plain, n)
	}
	if t.Batch <= 1 {
		l.follow(&e, n, plain)
	}
	c := l.maskedProduct(w, t)
	yb := l.result(e.last, c == nil && t.TransA)
	if yb.fixed {
		c = l.maskedOuter(e.last, t)
	}
	s := l.emit(n, "product"+e.name(), e.reads(reads...), []*buffer{yb}, func() {
		t.A, t.B, t.C = ab.data, wb.floats(), yb.data
		e.bind()
		c.bindMemory()
	}, c.either(t.Run))
	s.why = why
	c.of(s)
}

// factor gives the right-hand matrix of a product; one that cannot change is
// laid out once, and there is no buffer.
func (l *lowering) factor(w *graph.Value, t *kernel.GemmTask, n *graph.Node) *buffer {
	if l.once(w) && t.Batch <= 1 && t.M >= 8 { // with few rows, packing costs more than it saves
		form := "panels of a right-hand matrix"
		if t.TransB {
			form += ", transposed"
		}
		t.Packed = formOf(l.forms, w, form, func() *kernel.PackedB { return kernel.PackB(t.TransB, t.N, t.K, w.Const.F32(), t.Ldb) })
		t.TransB = false
		l.release(w)
		return nil
	}
	return l.get(w, plain, n)
}
