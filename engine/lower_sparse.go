package engine

import (
	"fmt"

	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
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
	n := w.Const.Len()
	share = float64(n-kernel.NonZeros(w.Const.F32())) / float64(n)
	return share, share >= 0.25
}

// sparseConv plans a convolution with sparse weights over planes.
func (l *lowering) sparseConv(n *graph.Node, g kernel.Conv, d *depth) (done bool, why string) {
	x, w := n.In(0), n.In(1)
	zeros, ok := l.zerosOf(w)
	if !ok || g.Groups != 1 || x.IsConst() {
		return false, ""
	}
	moved := sizeOf(x) + sizeOf(n.Out(0))
	if d != nil {
		moved += d.images() + sizeOf(n.Out(0))
	}
	t, why := l.sparsely(w, "", g, w.Const.F32, kernel.DenseCost(g.N*g.OutH()*g.OutW(), g.CO, g.CI*g.KH*g.KW), moved, zeros)
	if t == nil {
		return false, why
	}
	if d != nil {
		l.sparseDeep(n, t, g, d, why)
		return true, ""
	}
	l.sparse(n, "convolution", t.Blocks(), why, n.In(2), n.Out(0), &t.Ep, func(x, y []float32) { t.X, t.Y = x, y }, t.Run)
	return true, ""
}

// sparsely is the kernel of a convolution with a sparse weight, which of gives from w
// in a form of that name, or nil where a dense kernel is estimated to be faster.
func (l *lowering) sparsely(w *graph.Value, name string, g kernel.Conv, of func() []float32, dense float64, moved int, zeros float64) (*kernel.SparseConvTask, string) {
	one := g
	one.N = 1
	form := fmt.Sprintf("sparse convolution %s%v", name, one)
	t, ok := known[*kernel.SparseConvTask](l.forms, w, form)
	if ok {
		t = t.For(g.N)
	} else if t = kernel.NewSparseConv(g, of()); t == nil {
		return nil, ""
	}
	ok, why := sparser(dense, t.Cost()+convertCost*float64(moved), zeros)
	if !ok {
		return nil, why
	}
	l.forms.keep(w, form, t.For(g.N)) // a copy, as t will be running when it is read
	return t, why
}

// sparseDeep emits a sparse convolution over three axes: over planes of slices side
// by side, whose results are put in ONNX's order.
func (l *lowering) sparseDeep(n *graph.Node, t *kernel.SparseConvTask, g kernel.Conv, d *depth, why string) {
	xb, side, res := l.get(n.In(0), plain, n), l.new(d.images()), l.new(sizeOf(n.Out(0)))
	l.emit(n, "slices side by side", []*buffer{xb}, []*buffer{side}, func() { d.x, d.y = xb.data, side.data }, d.gatherPlanes)
	reads := []*buffer{side}
	var bias *buffer
	if b := n.In(2); b != nil {
		bias = l.get(b, plain, n)
		reads = append(reads, bias)
	}
	last, relu := l.relu(n.Out(0))
	t.Ep.Relu = relu
	l.emit(n, sparseName("convolution", t.Blocks())+activationName(&t.Ep), reads, []*buffer{res}, func() { t.X, t.Y, t.Ep.Bias = side.data, res.data, bias.floats() }, t.Run).why = why
	s := dims(n.Out(0))
	pix := pixels(s) / s[2]
	shape := []int{s[0], s[1], s[2], pix}
	l.emitMove(n, "to NCDHW", res, l.make(last, plain), newMove(shape, []int{s[1] * s[2] * pix, pix, s[1] * pix, 1}, tensor.Strides(shape), 0, 0))
}

// sparseTranspose plans a transposed convolution with a sparse weight: the places
// that are as far from one of the stride's meet the same taps, so they are output
// channels of a convolution with a stride of one, whose planes are put between each
// other afterwards (as sub-pixel convolutions are).
func (l *lowering) sparseTranspose(n *graph.Node, g kernel.Conv, d *depth) (done bool, why string) {
	w := n.In(1)
	zeros, ok := l.zerosOf(w)
	if !ok || g.Groups != 1 || d != nil || g.DilH*g.DilW != 1 || n.In(0).IsConst() {
		return false, ""
	}
	q := phases(g)
	if min(q.PadB, q.PadR) < 0 {
		return false, ""
	}
	dense := kernel.DenseCost(g.N*g.OutH()*g.OutW(), g.CI, g.CO*g.KH*g.KW)
	planes := q.N * q.CO * q.OutH() * q.OutW()
	t, why := l.sparsely(w, "phases ", q, func() []float32 { return phased(w.Const.F32(), g, q) }, dense, sizeOf(n.In(0))+2*planes, zeros)
	if t == nil {
		return false, why
	}
	xb, res, yb := l.get(n.In(0), plain, n), l.new(planes), l.make(n.Out(0), plain)
	reads := []*buffer{xb}
	var bias []float32
	if b := n.In(2); b != nil {
		reads = append(reads, l.get(b, plain, n))
		bias = make([]float32, q.CO)
	}
	l.emit(n, "transposed "+sparseName("convolution", t.Blocks()), reads, []*buffer{res}, func() {
		t.X, t.Y, t.Ep.Bias = xb.data, res.data, bias
	}, func(p *kernel.Pool) {
		for i := range bias {
			bias[i] = reads[1].data[i/(g.StrideH*g.StrideW)]
		}
		t.Run(p)
	}).why = why
	var ms moves
	oh, ow := q.OutH(), q.OutW()
	for r := range g.StrideH * g.StrideW {
		y0, ny := between(r/g.StrideW, g.StrideH, g.PadT, g.H)
		x0, nx := between(r%g.StrideW, g.StrideW, g.PadL, g.W)
		if ny == 0 || nx == 0 {
			continue
		}
		ay, ax := (y0+g.PadT)/g.StrideH, (x0+g.PadL)/g.StrideW
		ms = append(ms, newMove([]int{g.N, g.CI, ny, nx}, []int{q.CO * oh * ow, g.StrideH * g.StrideW * oh * ow, ow, 1}, []int{g.CI * g.H * g.W, g.H * g.W, g.StrideH * g.W, g.StrideW},
			(r*oh+ay)*ow+ax, y0*g.W+x0))
	}
	l.emit(n, "put between each other", []*buffer{res}, []*buffer{yb}, func() {
		for _, m := range ms {
			m.x, m.y = res.data, yb.data
		}
	}, ms.run)
	return true, ""
}

// between gives the first place y of an axis of the given size with (y+pad) mod stride
// = r, and how many there are.
func between(r, stride, pad, size int) (first, count int) {
	first = ((r-pad)%stride + stride) % stride
	return first, max(0, (size-first+stride-1)/stride)
}

// phases is the convolution of x to all phases of the result of a transposed one, of
// which g is the opposite: output channel (c*StrideH + ry)*StrideW + rx is phase ry, rx
// of channel c.
func phases(g kernel.Conv) kernel.Conv {
	q := kernel.Conv{N: g.N, H: g.OutH(), W: g.OutW(), CI: g.CO, CO: g.CI * g.StrideH * g.StrideW, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: 1}
	q.KH, q.KW = (g.KH+g.StrideH-1)/g.StrideH, (g.KW+g.StrideW-1)/g.StrideW
	q.PadT, q.PadL = q.KH-1, q.KW-1
	q.PadB, q.PadR = (g.H-1+g.PadT)/g.StrideH+1-q.H, (g.W-1+g.PadL)/g.StrideW+1-q.W
	return q
}

// phased is the weight [CO of q, CI of q, KH, KW] of such a convolution.
func phased(w []float32, g, q kernel.Conv) []float32 {
	out := make([]float32, q.CO*q.CI*q.KH*q.KW)
	for x := range g.CO {
		for c := range g.CI {
			for ky := range g.KH {
				for kx := range g.KW {
					o := (c*g.StrideH+ky%g.StrideH)*g.StrideW + kx%g.StrideW
					t := (q.KH-1-ky/g.StrideH)*q.KW + q.KW - 1 - kx/g.StrideW
					out[(o*q.CI+x)*q.KH*q.KW+t] = w[((x*g.CI+c)*g.KH+ky)*g.KW+kx]
				}
			}
		}
	}
	return out
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
