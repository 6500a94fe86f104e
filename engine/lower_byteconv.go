package engine

import (
	"fmt"

	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// imageGeometry is geometry for images alone, whose bytes have kernels.
func imageGeometry(n *graph.Node, x, w []int) (kernel.Conv, bool) {
	if len(x) != 4 {
		return kernel.Conv{}, false
	}
	g, _, ok := geometry(n, x, w)
	return g, ok
}

// byteConv plans a convolution of bytes behind which the result is quantised.
func byteConv(l *lowering, n *graph.Node) bool {
	x, ok := l.isHeld(n.In(0))
	if !ok {
		return false
	}
	w, ok := l.behind8(n.In(1), 0)
	if !ok {
		return false
	}
	g, ok := imageGeometry(n, dims(n.In(0)), w.v.Const.Shape)
	if !ok {
		return false
	}
	b, ok := l.biasOf(n.In(2), x, &w, g.CO)
	if !ok {
		return false
	}
	if to, ok := l.sink(n.Out(0)); ok {
		l.convolveBytes(n, n.In(0), x, &w, b, g, to)
		return true
	}
	return false
}

func lowerQLinearConv(l *lowering, n *graph.Node) (done bool, why string) {
	x, y := n.In(0), n.Out(0)
	qx, ok := l.one8(n.In(1), n.In(2), x.DType)
	w, weighs := l.byteWeightOf(n.In(3), n.In(4), n.In(5), 0)
	qy, writes := l.one8(n.In(6), n.In(7), y.DType)
	if !ok || !weighs || !writes {
		return no("a scale, a zero point or the weights may change, or there are several for a value")
	}
	g, ok := imageGeometry(n, dims(x), w.v.Const.Shape)
	if !ok || sizeOf(y) == 0 {
		return noConvolution(x, n.In(3))
	}
	var b columnBias
	if c := n.In(8); c != nil {
		if !c.IsConst() || c.DType != tensor.Int32 || c.Const.Len() != g.CO {
			return no("its bias may change")
		}
		b.whole = tensor.Of[int32](c.Const)
	}
	l.convolveBytes(n, x, qx, &w, b, g, sinkOf(y, qy))
	return true, ""
}

// convolveBytes emits a convolution of bytes.
func (l *lowering) convolveBytes(n *graph.Node, x *graph.Value, qx kernel.Quantisation, w *byteWeight, b columnBias, g kernel.Conv, to sink) {
	taps, ci, co := g.KH*g.KW, g.CI/g.Groups, g.CO/g.Groups
	xb, yb := l.bytes(x, nhwc, n), l.hold(to.v, nhwc)
	if ci == 1 && co == 1 && g.Groups > 1 && w.centred() && b.real == nil {
		sums := make([]int32, g.CO)
		for i, v := range w.data {
			sums[i/taps] += int32(v)
		}
		t := &kernel.ByteDepthwise{Conv: g, Zero: qx.Zero, DepthwiseBytes: kernel.PackDepthwise(g.CO, taps, w.data, requant(qx, w, b, 0, g.CO, taps, sums, &to))}
		l.emit(n, "depthwise convolution of bytes"+to.name, []*buffer{xb}, []*buffer{yb}, func() { t.X, t.Y = bytesIn(xb), bytesIn(yb) }, t.Run)
		return
	}
	t, why := l.packedConv(w, g)
	t.Zero = qx.Zero
	for group, ws := range t.Weights {
		t.Q = append(t.Q, requant(qx, w, b, group*co, co, taps*ci, ws.Sums, &to))
	}
	name := "convolution of bytes"
	if g.Groups > 1 {
		name = "grouped convolution of bytes"
	} else if taps*g.StrideH*g.StrideW == 1 {
		name = "product of bytes (1x1)"
	}
	l.emit(n, thinName(t.Weights[0], name)+to.name, []*buffer{xb}, []*buffer{yb}, func() { t.X, t.Y = bytesIn(xb), bytesIn(yb) }, t.Run).why = why
}

// packedConv lays out the weights of a convolution. why says what was chosen, where there was a
// choice.
func (l *lowering) packedConv(w *byteWeight, g kernel.Conv) (t *kernel.ByteConv, why string) {
	taps, ci, co := g.KH*g.KW, g.CI/g.Groups, g.CO/g.Groups
	k, thin := taps*ci, false
	t = &kernel.ByteConv{Conv: g}
	if g.Groups == 1 {
		thin, why = sparseBytes(g.N*g.OutH()*g.OutW(), k, co, w.data, 1, k) // fours lie otherwise, but are about as many
	}
	form, pack := fmt.Sprintf("bytes of %d groups", g.Groups), kernel.PackBytes
	if thin {
		form, pack = "sparse bytes of images", kernel.PackSparseBytes
	}
	t.Weights = formOf(l.forms, w.v, form, func() []*kernel.ByteWeights {
		var ws []*kernel.ByteWeights
		rows := make([]int8, co*k)
		for group := range g.Groups {
			for o := range co {
				for i := range ci {
					for tap := range taps {
						rows[o*k+tap*ci+i] = w.data[((group*co+o)*ci+i)*taps+tap]
					}
				}
			}
			ws = append(ws, pack(k, co, rows, 1, k))
		}
		return ws
	})
	if w.centred() {
		return t, why
	}
	for group := range g.Groups {
		zeros := make([]int32, co)
		for j := range zeros {
			zeros[j] = at(w.zero, group*co+j)
		}
		t.WZeros = append(t.WZeros, zeros)
	}
	return t, why
}

// lowerConvInteger plans a convolution of bytes whose sums are wanted; the zero point of the image
// may change from run to run.
func lowerConvInteger(l *lowering, n *graph.Node) (done bool, why string) {
	x, v, y := n.In(0), n.In(1), n.Out(0)
	if !l.frozen || !isByte(x.DType) || sizeOf(x) == 0 || sizeOf(y) == 0 || !v.IsConst() || !isByte(v.DType) {
		return no("its weights may change, or it is empty")
	}
	g, ok := imageGeometry(n, dims(x), v.Const.Shape)
	if !ok {
		return noConvolution(x, v)
	}
	zero, wz := n.In(2), n.In(3)
	if zero != nil && sizeOf(zero) != 1 || wz != nil && (!wz.IsConst() || wz.Const.Len() != 1 && wz.Const.Len() != g.CO) {
		return no("the image has several zero points, or those of the weights may change")
	}
	unit := &graph.Value{Const: tensor.Scalar(float32(1)), DType: tensor.Float32}
	w, ok := l.byteWeightOf(v, unit, nil, 0)
	if !ok {
		return no("its weights are not of 8 bits")
	}
	if wz != nil {
		w.zero = make([]int32, wz.Const.Len())
		for i, z := range signed(wz.Const) {
			w.zero[i] = int32(z)
		}
	}
	if zero != nil && zero.Const == nil {
		l.asTensor(zero, n)
	}
	t, _ := l.packedConv(&w, g)
	co, k := g.CO/g.Groups, g.KH*g.KW*g.CI/g.Groups
	for group, ws := range t.Weights {
		t.Q = append(t.Q, requant(kernel.Quantisation{Scale: 1}, &w, columnBias{}, group*co, co, k, ws.Sums, nil))
	}
	t.Ints = make([]int32, sizeOf(y))
	out := tensor.New(tensor.Int32, dims(y)...)
	l.at[y] = &place{t: out}
	turn := &kernel.TransposeTask{Batch: g.N, M: g.OutH() * g.OutW(), N: g.CO, X: kernel.AsFloats(t.Ints), Y: kernel.AsFloats(tensor.Of[int32](out))}
	xb, flip, prog := l.bytes(x, nhwc, n), flipOf(x.DType), l.Program
	l.emit(n, thinName(t.Weights[0], "convolution of bytes to sums"), []*buffer{xb}, nil, func() { t.X = bytesIn(xb) }, func(p *kernel.Pool) {
		t.Zero = flip
		if zero != nil {
			t.Zero = zeroAt(prog, zero) ^ flip
		}
		for group, ws := range t.Weights {
			for j := range co {
				t.Q[group].Bias[j] = int32(t.Zero) * (int32(k)*at(w.zero, group*co+j) - ws.Sums[j])
			}
		}
		prog.at[y].t = out
		t.Run(p)
		turn.Run(p)
	})
	return true, ""
}
