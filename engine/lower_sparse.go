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

// sparseConv plans a convolution with sparse weights over planes.
func (l *lowering) sparseConv(n *graph.Node, g kernel.Conv) (done bool, why string) {
	x, w := n.In(0), n.In(1)
	zeros, ok := l.zerosOf(w)
	if !ok || g.Groups != 1 || x.IsConst() {
		return false, ""
	}
	one := g
	one.N = 1
	form := fmt.Sprintf("sparse convolution %v", one)
	t, ok := known[*kernel.SparseConvTask](l.forms, w, form)
	if ok {
		t = t.For(g.N)
	} else if t = kernel.NewSparseConv(g, w.Const.F32()); t == nil {
		return false, ""
	}
	dense := kernel.DenseCost(g.N*g.OutH()*g.OutW(), g.CO, g.CI*g.KH*g.KW)
	ok, why = sparser(dense, t.Cost()+convertCost*float64(sizeOf(x)+sizeOf(n.Out(0))), zeros)
	if !ok {
		return false, why
	}
	l.forms.keep(w, form, t.For(g.N)) // a copy, as t will be running when it is read
	l.sparse(n, "convolution", t.Blocks(), why, n.In(2), n.Out(0), &t.Ep, func(x, y []float32) { t.X, t.Y = x, y }, t.Run)
	return true, ""
}

// sparseProduct plans a product with a sparse right-hand matrix, [K,N] or its
// transpose; see product.
func (l *lowering) sparseProduct(n *graph.Node, g *kernel.GemmTask, bias, y *graph.Value) (done bool, why string) {
	w := n.In(1)
	zeros, ok := l.zerosOf(w)
	if !ok || n.In(0).IsConst() {
		return false, ""
	}
	wt := w.Const.F32()
	if !g.TransB {
		wt = make([]float32, g.K*g.N)
		kernel.Transpose(w.Const.F32(), wt, g.K, g.N)
	}
	form := fmt.Sprintf("sparse product, transposed %v", g.TransB)
	earlier, _ := known[[]*kernel.SparseGemmTask](l.forms, w, form)
	t := kernel.NewSparseGemm(g.M, g.N, g.K, wt, earlier...)
	ok, why = sparser(kernel.DenseCost(g.M, g.N, g.K), t.Cost(), zeros)
	if !ok {
		return false, why
	}
	l.forms.keep(w, form, append(earlier, t))
	l.sparse(n, "product", t.Blocks(), why, bias, y, &t.Ep, func(x, y []float32) { t.X, t.Y = x, y }, t.Run)
	return true, ""
}

// sparse emits a sparse step that reads the node's first input.
func (l *lowering) sparse(n *graph.Node, what string, blocks bool, why string, bias, y *graph.Value, ep *kernel.Epilogue, bind func(x, y []float32), run func(*kernel.Pool)) {
	xb := l.get(n.In(0), plain, n)
	e := l.epilogue(n, bias, y, plain, ep)
	yb := l.make(e.last, plain)
	s := l.emit(n, sparseName(what, blocks)+e.name(), e.reads(xb), []*buffer{yb}, func() {
		bind(xb.data, yb.data)
		e.bind()
	}, run)
	s.why = why
}

// sparseName is the kernel's name; blocks says that outputs share their entries.
func sparseName(what string, blocks bool) string {
	if blocks {
		return "block-sparse " + what
	}
	return "sparse " + what
}
