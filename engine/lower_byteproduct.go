package engine

import (
	"slices"

	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// byteGemm plans a Gemm of bytes by weights of 8 bits.
func byteGemm(l *lowering, n *graph.Node) bool {
	a := n.In(0)
	x, ok := l.isHeld(a)
	if !ok || n.Float("alpha", 1) != 1 || n.In(2) != nil && n.Float("beta", 1) != 1 || n.Int("transA", 0) != 0 {
		return false
	}
	tb := n.Int("transB", 0)
	w, ok := l.behind8(n.In(1), 1-tb)
	if !ok {
		return false
	}
	s := w.v.Const.Shape
	k, cols := s[tb], s[1-tb]
	if c := n.In(2); c != nil && !isTail(dims(c), dims(n.Out(0))) { // a number for each row
		return false
	}
	b, ok := l.biasOf(n.In(2), x, &w, cols)
	if !ok {
		return false
	}
	p := byteProduct{x: a, qx: x, w: w, b: b, m: dims(a)[0], k: k, n: cols, trans: tb == 1}
	l.multiplyBytes(n, p, n.Out(0))
	return true
}

// byteMatMul plans a product of bytes by weights of 8 bits, or by other bytes.
func byteMatMul(l *lowering, n *graph.Node) bool {
	a, y := n.In(0), n.Out(0)
	x, ok := l.isHeld(a)
	if !ok || len(dims(a)) < 2 || sizeOf(y) == 0 {
		return false
	}
	w, ok := l.behind8(n.In(1), 1)
	if !ok || len(w.v.Const.Shape) != 2 {
		return byteBatches(l, n)
	}
	k, cols := w.v.Const.Shape[0], w.v.Const.Shape[1]
	p := byteProduct{x: a, qx: x, w: w, m: sizeOf(a) / k, k: k, n: cols}
	bias, after := l.biasBehind(y, cols)
	if bias != nil {
		if b, ok := l.biasOf(bias, x, &p.w, cols); ok {
			l.done[after.From] = true
			p.b, y = b, after
		}
	}
	l.multiplyBytes(n, p, y)
	return true
}

// byteProduct is a product of m rows of bytes by weights [k n], or [n k].
type byteProduct struct {
	x       *graph.Value
	qx      kernel.Quantisation
	w       byteWeight
	b       columnBias
	m, k, n int
	trans   bool
}

// packed lays out the weights. why says what was chosen, where there was a choice.
func (p *byteProduct) packed(l *lowering) (w *kernel.ByteWeights, why string) {
	form, byRow, byColumn := "bytes", p.n, 1
	if p.trans {
		form, byRow, byColumn = "bytes, transposed", 1, p.k
	}
	thin, why := sparseBytes(p.m, p.k, p.n, p.w.data, byRow, byColumn)
	if thin {
		return formOf(l.forms, p.w.v, "sparse "+form, func() *kernel.ByteWeights { return kernel.PackSparseBytes(p.k, p.n, p.w.data, byRow, byColumn) }), why
	}
	return formOf(l.forms, p.w.v, form, func() *kernel.ByteWeights { return kernel.PackBytes(p.k, p.n, p.w.data, byRow, byColumn) }), why
}

// sparseBytes says whether a product of m rows by weights of bytes had better skip their zeros.
func sparseBytes(m, k, n int, w []int8, byRow, byColumn int) (thin bool, why string) {
	zero := 0
	for _, v := range w {
		if v == 0 {
			zero++
		}
	}
	share := float64(zero) / float64(max(1, len(w)))
	if share < .5 || m < 16 {
		return false, ""
	}
	sparse, dense := kernel.SparseBytesCosts(m, k, n, kernel.Fours(k, n, w, byRow, byColumn))
	return sparser(dense, sparse, share)
}

// thinName is the name of a kernel, by whether it skips zeros.
func thinName(w *kernel.ByteWeights, name string) string {
	if w.Sparse() {
		return "sparse " + name
	}
	return name
}

// zeros are the zero points of the weights as a product wants them.
func (p *byteProduct) zeros(t *kernel.ByteGemm) {
	if p.w.centred() {
		return
	}
	if len(p.w.zero) == 1 {
		t.WZero = p.w.zero[0]
	} else {
		t.WZeros = p.w.zero
	}
}

// multiplyBytes emits a product, whose result y is quantised where that comes next.
func (l *lowering) multiplyBytes(n *graph.Node, p byteProduct, y *graph.Value) {
	if to, ok := l.sink(y); ok {
		l.multiplyInto(n, p, to)
		return
	}
	ws, why := p.packed(l)
	t := &kernel.ByteGemm{M: p.m, Lda: p.k, Ldo: p.n, W: ws}
	t.Q = requant(p.qx, &p.w, p.b, 0, p.n, p.k, t.W.Sums, nil)
	p.zeros(t)
	xb, yb := l.bytes(p.x, plain, n), l.make(y, plain)
	l.emit(n, thinName(ws, "product of bytes to numbers"), []*buffer{xb}, []*buffer{yb}, func() { t.A, t.Floats = bytesIn(xb), yb.data }, t.Run).why = why
}

// multiplyInto emits a product whose result is bytes.
func (l *lowering) multiplyInto(n *graph.Node, p byteProduct, to sink) {
	ws, why := p.packed(l)
	t := &kernel.ByteGemm{M: p.m, Lda: p.k, Ldo: p.n, W: ws}
	t.Q = requant(p.qx, &p.w, p.b, 0, p.n, p.k, t.W.Sums, &to)
	p.zeros(t)
	xb, yb := l.bytes(p.x, plain, n), l.hold(to.v, plain)
	l.emit(n, thinName(ws, "product of bytes")+to.name, []*buffer{xb}, []*buffer{yb}, func() { t.A, t.Bytes = bytesIn(xb), bytesIn(yb) }, t.Run).why = why
}

func lowerQLinearMatMul(l *lowering, n *graph.Node) (done bool, why string) {
	a, w, y := n.In(0), n.In(3), n.Out(0)
	qa, ok := l.one8(n.In(1), n.In(2), a.DType)
	qy, writes := l.one8(n.In(6), n.In(7), y.DType)
	if !ok || !writes || len(dims(a)) < 2 || sizeOf(y) == 0 || sizeOf(a) == 0 {
		return no("a scale or a zero point may change, there are several for a value, or it is of vectors")
	}
	if b, ok := l.byteWeightOf(w, n.In(4), n.In(5), 1); ok && len(w.Const.Shape) == 2 {
		k := w.Const.Shape[0]
		l.multiplyInto(n, byteProduct{x: a, qx: qa, w: b, m: sizeOf(a) / k, k: k, n: w.Const.Shape[1]}, sinkOf(y, qy))
		return true, ""
	}
	qw, ok := l.one8(n.In(4), n.In(5), w.DType)
	t := batchesOf(dims(a), dims(w), sizeOf(y))
	if !ok || t == nil {
		return no("a product of %v by %v: batches differ, or there are several scales", a.Shape, w.Shape)
	}
	l.multiplyBatches(n, t, a, qa, w, qw, sinkOf(y, qy), nil)
	return true, ""
}

// batchesOf is the product of as many matrices on both sides, or nil.
func batchesOf(sa, sb []int, size int) *kernel.ByteBatches {
	if len(sa) < 2 || len(sa) != len(sb) || size == 0 || !slices.Equal(sa[:len(sa)-2], sb[:len(sb)-2]) {
		return nil
	}
	t := &kernel.ByteBatches{Batch: 1, M: sa[len(sa)-2], K: sa[len(sa)-1], N: sb[len(sb)-1]}
	for _, d := range sa[:len(sa)-2] {
		t.Batch *= d
	}
	if t.K == 0 {
		return nil
	}
	return t
}

// byteBatches plans a product of bytes by bytes, batch by batch.
func byteBatches(l *lowering, n *graph.Node) bool {
	a, b, y := n.In(0), n.In(1), n.Out(0)
	qa, _ := l.isHeld(a)
	qb, ok := l.isHeld(b)
	if !ok {
		return false
	}
	t := batchesOf(dims(a), dims(b), sizeOf(y))
	if t == nil {
		return false
	}
	if to, ok := l.sink(y); ok {
		l.multiplyBatches(n, t, a, qa, b, qb, to, nil)
	} else {
		l.multiplyBatches(n, t, a, qa, b, qb, sink{q: kernel.Quantisation{Scale: 1}}, y)
	}
	return true
}

// multiplyBatches emits a product of batches, to bytes, or to numbers y.
func (l *lowering) multiplyBatches(n *graph.Node, t *kernel.ByteBatches, a *graph.Value, qa kernel.Quantisation, b *graph.Value, qb kernel.Quantisation, to sink, y *graph.Value) {
	t.AZero, t.BZero = qa.Zero, qb.Zero
	t.Scale, t.Lo, t.Hi, t.Zero = qa.Scale*qb.Scale/to.q.Scale, to.lo, to.hi, to.q.Zero
	ab, bb := l.bytes(a, plain, n), l.bytes(b, plain, n)
	var yb *buffer
	if y != nil {
		yb = l.make(y, plain)
	} else {
		yb = l.hold(to.v, plain)
	}
	l.emit(n, "product of bytes, batch by batch"+to.name, []*buffer{ab, bb}, []*buffer{yb}, func() {
		t.A, t.B = bytesIn(ab), bytesIn(bb)
		if y != nil {
			t.Floats = yb.data
		} else {
			t.Bytes = bytesIn(yb)
		}
	}, t.Run)
}

// lowerMatMulInteger plans a product of bytes whose sums are made numbers and scaled, as
// dynamic quantisation writes it; the zero point of the left side may change from run to
// run.
func lowerMatMulInteger(l *lowering, n *graph.Node) (done bool, why string) {
	a, w, y := n.In(0), n.In(1), n.Out(0)
	if !l.frozen || !isByte(a.DType) || !w.IsConst() || !isByte(w.DType) || len(w.Const.Shape) != 2 || len(dims(a)) < 2 || sizeOf(y) == 0 || sizeOf(a) == 0 {
		return no("its right side may change, or it is of vectors")
	}
	zero := n.In(2)
	if zero != nil && sizeOf(zero) != 1 {
		return no("the left side has several zero points")
	}
	unit := &graph.Value{Const: tensor.Scalar(float32(1)), DType: tensor.Float32}
	k, cols := w.Const.Shape[0], w.Const.Shape[1]
	b, ok := l.byteWeightOf(w, unit, nil, 1)
	if z := n.In(3); ok && z != nil {
		if !z.IsConst() || z.Const.Len() != 1 && z.Const.Len() != cols {
			return no("the zero points of the right side may change")
		}
		b.zero = make([]int32, z.Const.Len())
		for i, v := range signed(z.Const) {
			b.zero[i] = int32(v)
		}
	}
	if !ok {
		return no("its right side is not of 8 bits")
	}
	p := byteProduct{x: a, w: b, m: sizeOf(a) / k, k: k, n: cols}
	ws, why := p.packed(l)
	t := &kernel.ByteGemm{M: p.m, Lda: k, Ldo: cols, W: ws}
	t.Q = requant(kernel.Quantisation{Scale: 1}, &p.w, columnBias{}, 0, cols, k, t.W.Sums, nil)
	p.zeros(t)
	fixed := slices.Clone(t.Q.Bias)
	flip := flipOf(a.DType)
	prog := l.Program
	ready := func() { // the zero point of this run
		z := flip
		if zero != nil {
			z = zeroAt(prog, zero) ^ flip
		}
		for j := range cols {
			t.Q.Bias[j] = fixed[j] + int32(z)*(int32(k)*at(p.w.zero, j)-t.W.Sums[j])
		}
	}
	reads := []*buffer{l.bytes(a, plain, n)}
	if zero != nil && zero.Const == nil {
		l.asTensor(zero, n)
	}
	cast := l.only(y)
	var mul *graph.Node
	if cast.Is("Cast") && cast.Out(0).DType == tensor.Float32 && !l.done[cast] {
		mul = l.only(cast.Out(0))
	}
	if scale := l.scaleBehind(mul, cast, cols); scale != nil {
		l.done[cast], l.done[mul] = true, true
		out := mul.Out(0)
		bias, after := l.biasBehind(out, cols)
		if bias != nil && bias.Const.F32() != nil {
			l.done[after.From] = true
			copy(t.Q.Add, bias.Const.F32())
			out = after
		}
		sb, yb := l.get(scale, plain, n), l.make(out, plain)
		l.emit(n, thinName(ws, "product of bytes to numbers"), append(reads, sb), []*buffer{yb}, func() { t.A, t.Floats = bytesIn(reads[0]), yb.data }, func(pool *kernel.Pool) {
			ready()
			for j := range cols {
				t.Q.Scale[j] = sb.data[min(j, sizeOf(scale)-1)]
			}
			t.Run(pool)
		}).why = why
		return true, ""
	}
	sums := tensor.New(tensor.Int32, dims(y)...)
	l.at[y] = &place{t: sums}
	t.Ints = tensor.Of[int32](sums)
	l.emit(n, thinName(ws, "product of bytes to sums"), reads, nil, func() { t.A = bytesIn(reads[0]) }, func(pool *kernel.Pool) {
		ready()
		prog.at[y].t = sums
		t.Run(pool)
	}).why = why
	return true, ""
}

// zeroAt is a zero point, as its bits are.
func zeroAt(p *Program, v *graph.Value) byte {
	t := v.Const
	if t == nil {
		t = p.at[v].t
	}
	switch z := t.Data.(type) {
	case []uint8:
		return z[0]
	case []int8:
		return byte(z[0])
	}
	return 0
}

// scaleBehind is what a Mul multiplies the numbers of a Cast by: one number, or one for each
// column. It plans the product of scales that comes to it.
func (l *lowering) scaleBehind(mul, cast *graph.Node, cols int) *graph.Value {
	if mul == nil || !mul.Is("Mul") || l.done[mul] {
		return nil
	}
	s := mul.In(0)
	if s == cast.Out(0) {
		s = mul.In(1)
	}
	if s == cast.Out(0) || s.DType != tensor.Float32 || sizeOf(s) != 1 && (sizeOf(s) != cols || !isTail(dims(s), dims(cast.Out(0)))) || !mul.Out(0).Shape.Equal(cast.Out(0).Shape) {
		return nil
	}
	if l.ready(s) {
		return s
	}
	m := s.From
	if !m.Is("Mul") || l.done[m] || !l.ready(m.In(0)) || !l.ready(m.In(1)) {
		return nil
	}
	if done, _ := lowerArithmetic(l, m); !done {
		return nil
	}
	l.done[m] = true
	return s
}

// lowerDynamicQuantize quantises by the range of a value.
func lowerDynamicQuantize(l *lowering, n *graph.Node) (done bool, why string) {
	x, y, scale, zero := n.In(0), n.Out(0), n.Out(1), n.Out(2)
	if !l.frozen || x.DType != tensor.Float32 || sizeOf(x) == 0 || y == nil {
		return no("it is empty")
	}
	xb, yb := l.get(x, plain, n), l.hold(y, plain)
	writes := []*buffer{yb}
	var sb *buffer
	if scale != nil {
		sb = l.make(scale, plain)
		writes = append(writes, sb)
	}
	z := tensor.Scalar(uint8(0))
	if zero != nil {
		l.at[zero] = &place{t: z}
	}
	t := &kernel.DynamicQuantise{}
	l.emit(n, "quantise by range", []*buffer{xb}, writes, func() { t.X, t.Y = xb.data, bytesIn(yb) }, func(p *kernel.Pool) {
		t.Run(p)
		tensor.Of[uint8](z)[0] = t.Q.Zero
		if sb != nil {
			sb.data[0] = t.Q.Scale
		}
	})
	return true, ""
}
