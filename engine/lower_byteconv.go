package engine

import (
	"fmt"

	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

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
	g, ok := geometry(n, dims(n.In(0)), w.v.Const.Shape)
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
	g, ok := geometry(n, dims(x), w.v.Const.Shape)
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
	t := &kernel.ByteConv{Conv: g, Zero: qx.Zero}
	k := taps * ci
	thin, why := false, ""
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
	for group, ws := range t.Weights {
		t.Q = append(t.Q, requant(qx, w, b, group*co, co, taps*ci, ws.Sums, &to))
		if !w.centred() {
			zeros := make([]int32, co)
			for j := range zeros {
				zeros[j] = at(w.zero, group*co+j)
			}
			t.WZeros = append(t.WZeros, zeros)
		}
	}
	name := "convolution of bytes"
	if g.Groups > 1 {
		name = "grouped convolution of bytes"
	} else if taps*g.StrideH*g.StrideW == 1 {
		name = "product of bytes (1x1)"
	}
	l.emit(n, thinName(t.Weights[0], name)+to.name, []*buffer{xb}, []*buffer{yb}, func() { t.X, t.Y = bytesIn(xb), bytesIn(yb) }, t.Run).why = why
}
