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

// poolStages are the poolings over images that one over three axes is: over each slice,
// then over the slices, which are the rows of images as wide as a slice is large. in and
// out are shapes; middle is the size of what is between the two.
func poolStages(n *graph.Node, in, out []int) (slices, along *kernel.PoolTask, middle int, ok bool) {
	k := n.Ints("kernel_shape")
	if len(in) != 5 || len(k) != 3 {
		return nil, nil, 0, false
	}
	w, err := op.WindowOf(n, k, in[2:])
	if err != nil {
		return nil, nil, 0, false
	}
	inner := &op.Window{Kernel: k[1:], Stride: w.Stride[1:], Dilation: w.Dilation[1:], Begin: w.Begin[1:], End: w.End[1:], Groups: 1}
	// one tap wide over a row
	outer := &op.Window{Kernel: []int{k[0], 1}, Stride: []int{w.Stride[0], 1}, Dilation: []int{w.Dilation[0], 1}, Begin: []int{w.Begin[0], 0}, End: []int{w.End[0], 0}, Groups: 1}
	include := n.Int("count_include_pad", 0) != 0
	slices = &kernel.PoolTask{Conv: convOf(in[0]*in[2], in[1], in[1], in[3:], inner), OH: out[3], OW: out[4], Include: include}
	along = &kernel.PoolTask{Conv: convOf(in[0], in[1], in[1], []int{in[2], out[3] * out[4]}, outer), OH: out[2], OW: out[3] * out[4], Include: include}
	return slices, along, in[0] * in[2] * out[3] * out[4] * in[1], true
}

func lowerPool(l *lowering, n *graph.Node) (done bool, why string) {
	if n.Out(1) != nil {
		return no("the positions of the largest are wanted")
	}
	x, y := n.In(0), n.Out(0)
	if x.DType != tensor.Float32 {
		return noPooling(x)
	}
	average := n.Op == "AveragePool"
	if t, along, middle, ok := poolStages(n, dims(x), dims(y)); ok {
		t.Average, along.Average = average, average
		xb, mb := l.get(x, nhwc, n), l.new(middle)
		yb := l.make(y, nhwc)
		l.emit(n, "pooling of slices", []*buffer{xb}, []*buffer{mb}, func() { t.X, t.Y = xb.data, mb.data }, t.Forward)
		l.emit(n, "pooling along them", []*buffer{mb}, []*buffer{yb}, func() { along.X, along.Y = mb.data, yb.data }, along.Forward)
		return true, ""
	}
	t, ok := poolTask(n, dims(x), dims(y))
	if !ok {
		return noPooling(x)
	}
	t.Average = average
	xb := l.get(x, nhwc, n)
	yb := l.make(y, nhwc)
	l.emit(n, "pooling", []*buffer{xb}, []*buffer{yb}, func() { t.X, t.Y = xb.data, yb.data }, t.Forward)
	return true, ""
}

func noPooling(x *graph.Value) (done bool, why string) {
	return no("pooling over %v %v: kernels take one to three spatial axes of float32", x.DType, x.Shape)
}

func lowerPoolGrad(l *lowering, n *graph.Node) (done bool, why string) {
	dy, y := n.In(0), n.Out(0)
	average := n.Op == "AveragePoolGrad"
	if t, along, middle, ok := poolStages(n, dims(y), dims(dy)); ok {
		l.poolStagesGrad(n, t, along, middle, average)
		return true, ""
	}
	t, ok := poolTask(n, dims(y), dims(dy))
	if !ok {
		return noPooling(y)
	}
	t.Average = average
	db := l.get(dy, nhwc, n)
	reads := []*buffer{db}
	var xb *buffer
	if !average {
		xb = l.get(n.In(1), nhwc, n)
		reads = append(reads, xb)
	}
	dx := l.make(y, nhwc)
	l.emit(n, "pooling gradient", reads, []*buffer{dx}, func() { t.DY, t.X, t.DX = db.data, xb.floats(), dx.data }, t.Backward)
	return true, ""
}

// poolStagesGrad goes back through both stages; of a maximum the one between is computed
// once more.
func (l *lowering) poolStagesGrad(n *graph.Node, t, along *kernel.PoolTask, middle int, average bool) {
	t.Average, along.Average = average, average
	db := l.get(n.In(0), nhwc, n)
	dm := l.new(middle)
	dx := l.make(n.Out(0), nhwc)
	first, second := []*buffer{db}, []*buffer{dm}
	var xb, mb *buffer
	if !average {
		xb, mb = l.get(n.In(1), nhwc, n), l.new(middle)
		f := *t
		l.emit(n, "pooling of slices", []*buffer{xb}, []*buffer{mb}, func() { f.X, f.Y = xb.data, mb.data }, f.Forward)
		first, second = append(first, mb), append(second, xb)
	}
	l.emit(n, "gradient along slices", first, []*buffer{dm}, func() { along.DY, along.X, along.DX = db.data, mb.floats(), dm.data }, along.Backward)
	l.emit(n, "gradient of slices", second, []*buffer{dx}, func() { t.DY, t.X, t.DX = dm.data, xb.floats(), dx.data }, t.Backward)
}
