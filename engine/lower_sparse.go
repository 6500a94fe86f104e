package engine

import (
	"fmt"

	"pare/graph"
	"pare/internal/kernel"
)

// The plan chooses kernels by estimates of package kernel, which were fitted to
// its benchmarks. A model in place of a stopwatch keeps plans, and so the last
// bits of results, the same from run to run.
const (
	denseCost     = 1.15 / 16 // cycles of a multiply-accumulate whose weights are packed at every run
	convertCost   = 0.4       // cycles of an element that changes its layout
	sparseBenefit = 1.1       // how much faster sparse must seem
)

// sparser decides between the kernels; why says it in words.
func sparser(dense, sparse float64, zeros float64) (ok bool, why string) {
	why = fmt.Sprintf("%.0f %% zeros: estimated %.0f k cycles sparse, %.0f k dense", 100*zeros, sparse/1e3, dense/1e3)
	return dense > sparse*sparseBenefit, why
}

// zerosOf is the share of zeros of an initialiser that will not change; ok is
// false where a sparse kernel is out of the question.
func (l *lowering) zerosOf(w *graph.Value) (share float64, ok bool) {
	if !l.frozen || !w.IsConst() || w.Const.F32() == nil || w.Const.Len() == 0 {
		return 0, false
	}
	zero := 0
	for _, v := range w.Const.F32() {
		if v == 0 {
			zero++
		}
	}
	share = float64(zero) / float64(w.Const.Len())
	return share, share >= 0.25
}

// sparseConv lowers a convolution with sparse weights over planes.
func (l *lowering) sparseConv(n *graph.Node, g kernel.Conv) bool {
	x, w := n.In(0), n.In(1)
	zeros, ok := l.zerosOf(w)
	if !ok || g.Groups != 1 || x.IsConst() {
		return false
	}
	t := kernel.NewSparseConv(g, w.Const.F32())
	if t == nil {
		return false
	}
	dense := kernel.DenseCost(g.N*g.OutH()*g.OutW(), g.CO, g.CI*g.KH*g.KW)
	ok, why := sparser(dense, t.Cost()+convertCost*float64(sizeOf(x)+sizeOf(n.Out(0))), zeros)
	if !ok {
		l.why = why
		return false
	}
	xb := l.get(x, plain, n)
	reads := []*buffer{xb}
	var bias, res *buffer
	if b := n.In(2); b != nil {
		bias = l.get(b, plain, n)
		reads = append(reads, bias)
	}
	y, other := l.tail(n.Out(0), &t.Ep)
	if other != nil {
		res = l.get(other, plain, n)
		reads = append(reads, res)
	}
	yb := l.make(y, plain)
	l.why = why
	l.emit(n, sparseName("convolution", t.Blocks())+epilogueName(bias != nil, res != nil, &t.Ep), reads, []*buffer{yb}, func() func() error {
		t.X, t.Y = xb.data, yb.data
		if bias != nil {
			t.Ep.Bias = bias.data
		}
		if res != nil {
			t.Ep.Res = res.data
		}
		return func() error { t.Run(l.pool); return nil }
	})
	return true
}

// sparseProduct lowers y = a*w + c, w [k,cols] or its transpose, with sparse w;
// a is the node's first input.
func (l *lowering) sparseProduct(n *graph.Node, w, c, y *graph.Value, m, cols, k int, trans bool) bool {
	zeros, ok := l.zerosOf(w)
	if !ok || n.In(0).IsConst() {
		return false
	}
	wt := w.Const.F32()
	if !trans {
		wt = make([]float32, k*cols)
		kernel.Transpose(w.Const.F32(), wt, k, cols)
	}
	t := kernel.NewSparseGemm(m, cols, k, wt)
	ok, why := sparser(kernel.DenseCost(m, cols, k), t.Cost(), zeros)
	if !ok {
		l.why = why
		return false
	}
	ab := l.get(n.In(0), plain, n)
	reads := []*buffer{ab}
	var bias, res *buffer
	if c != nil {
		bias = l.get(c, plain, n)
		reads = append(reads, bias)
		if y.From != n {
			l.done[y.From] = true
		}
	}
	y, other := l.tail(y, &t.Ep)
	if other != nil {
		res = l.get(other, plain, n)
		reads = append(reads, res)
	}
	yb := l.make(y, plain)
	l.why = why
	l.emit(n, sparseName("product", t.Blocks())+epilogueName(bias != nil, res != nil, &t.Ep), reads, []*buffer{yb}, func() func() error {
		t.X, t.Y = ab.data, yb.data
		if bias != nil {
			t.Ep.Bias = bias.data
		}
		if res != nil {
			t.Ep.Res = res.data
		}
		return func() error { t.Run(l.pool); return nil }
	})
	return true
}

// sparseName is the kernel's name; blocks says that outputs share their entries.
func sparseName(what string, blocks bool) string {
	if blocks {
		return "block-sparse " + what
	}
	return "sparse " + what
}
