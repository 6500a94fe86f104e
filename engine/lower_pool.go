package engine

import (
	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

func poolTask(n *graph.Node, in, out []int) (*kernel.PoolTask, bool) {
	k := n.Ints("kernel_shape")
	if len(in) != 3 && len(in) != 4 || len(k) != len(in)-2 {
		return nil, false
	}
	w, err := op.WindowOf(n, k, in[2:])
	if err != nil {
		return nil, false
	}
	t := &kernel.PoolTask{Conv: convOf(in[0], in[1], in[1], in[2:], w), OH: 1, OW: out[len(out)-1], Include: n.Int("count_include_pad", 0) != 0}
	if t.Groups = 1; len(in) == 4 {
		t.OH = out[2]
	}
	return t, true
}

func lowerPool(l *lowering, n *graph.Node) (done bool, why string) {
	if n.Out(1) != nil {
		return no("the positions of the largest are wanted")
	}
	t, ok := poolTask(n, dims(n.In(0)), dims(n.Out(0)))
	if !ok || n.In(0).DType != tensor.Float32 {
		return noPooling(n.In(0))
	}
	t.Average = n.Op == "AveragePool"
	xb := l.get(n.In(0), nhwc, n)
	yb := l.make(n.Out(0), nhwc)
	l.emit(n, "pooling", []*buffer{xb}, []*buffer{yb}, func() { t.X, t.Y = xb.data, yb.data }, t.Forward)
	return true, ""
}

func noPooling(x *graph.Value) (done bool, why string) {
	return no("pooling over %v %v: kernels take images of float32", x.DType, x.Shape)
}

func lowerPoolGrad(l *lowering, n *graph.Node) (done bool, why string) {
	t, ok := poolTask(n, dims(n.Out(0)), dims(n.In(0)))
	if !ok {
		return noPooling(n.Out(0))
	}
	t.Average = n.Op == "AveragePoolGrad"
	db := l.get(n.In(0), nhwc, n)
	reads := []*buffer{db}
	var xb *buffer
	if !t.Average {
		xb = l.get(n.In(1), nhwc, n)
		reads = append(reads, xb)
	}
	dx := l.make(n.Out(0), nhwc)
	l.emit(n, "pooling gradient", reads, []*buffer{dx}, func() { t.DY, t.X, t.DX = db.data, xb.floats(), dx.data }, t.Backward)
	return true, ""
}
