package engine

import (
	"math"

	"pare/graph"
	"pare/internal/kernel"
)

// rowsOf views an activation as [rows, channels]: with channels last where it has
// spatial axes, plain for rank 2.
func rowsOf(v *graph.Value) (f layout, rows, c int, ok bool) {
	s := dims(v)
	switch {
	case len(s) > 2:
		return nhwc, s[0] * pixels(s), s[1], true
	case len(s) == 2:
		return plain, s[0], s[1], true
	}
	return plain, 0, 0, false
}

func noChannels(x *graph.Value) (done bool, why string) {
	return no("normalisation of %v: kernels take [N C] and [N C ...]", x.Shape)
}

// lowerBatchNormTrain plans a normalisation by the statistics of the batch.
func lowerBatchNormTrain(l *lowering, n *graph.Node) (done bool, why string) {
	f, rows, c, ok := rowsOf(n.In(0))
	if !ok || rows < 1 {
		return noChannels(n.In(0))
	}
	xb := l.get(n.In(0), f, n)
	scale, bias := l.get(n.In(1), plain, n), l.get(n.In(2), plain, n)
	e := l.epilogue(n, nil, n.Out(0), f, &kernel.Epilogue{})
	yb := l.make(e.last, f)
	mean, istd, vari := l.make(n.Out(1), plain), l.make(n.Out(2), plain), l.make(n.Out(3), plain)
	t := &kernel.NormTask{Rows: rows, C: c, Eps: n.Float("epsilon", 1e-5)}
	t.Lo, t.Hi, t.Clip = e.to.Bounds()
	l.emit(n, "batch normalisation"+e.name(), e.reads(xb, scale, bias), []*buffer{yb, mean, istd, vari}, func() {
		t.X, t.Scale, t.Bias, t.Res, t.Y = xb.data, scale.data, bias.data, e.res.floats(), yb.data
		t.Mean, t.Istd, t.Var = mean.data, istd.data, vari.data
	}, t.Forward)
	return true, ""
}

func lowerBatchNormGrad(l *lowering, n *graph.Node) (done bool, why string) {
	x := n.In(1)
	f, rows, c, ok := rowsOf(x)
	if !ok || rows < 1 {
		return noChannels(x)
	}
	dy := n.In(0)
	var mask *buffer
	var ep kernel.Epilogue
	if r := l.behind[dy]; r != nil {
		dy, mask = r.In(0), l.get(r.In(1), f, n)
		ep = l.clipOf(r)
	}
	db, xb := l.get(dy, f, n), l.get(x, f, n)
	scale, mean, istd := l.get(n.In(2), plain, n), l.get(n.In(3), plain, n), l.get(n.In(4), plain, n)
	reads := []*buffer{db, xb, scale, mean, istd}
	if mask != nil {
		reads = append(reads, mask)
	}
	dx, ds, dbias := l.output(n, 0, rows*c, f), l.output(n, 1, c, plain), l.output(n, 2, c, plain)
	t := &kernel.NormTask{Rows: rows, C: c}
	t.Lo, t.Hi, t.Clip = ep.Bounds()
	l.emit(n, "batch normalisation gradient"+activationName(&ep), reads, []*buffer{dx, ds, dbias}, func() {
		t.DY, t.X, t.Y, t.Scale, t.Mean, t.Istd = db.data, xb.data, mask.floats(), scale.data, mean.data, istd.data
		t.DX, t.DScale, t.DBias = dx.data, ds.data, dbias.data
	}, t.Backward)
	return true, ""
}

// output makes a buffer for an output of a node in layout f, of the given size where
// nobody reads it.
func (l *lowering) output(n *graph.Node, i, size int, f layout) *buffer {
	if v := n.Out(i); v != nil {
		return l.make(v, f)
	}
	return l.new(size)
}

// clipOf is the activation whose gradient a node is.
func (l *lowering) clipOf(n *graph.Node) kernel.Epilogue {
	if n.Op == "ReluGrad" {
		return kernel.Epilogue{Relu: true}
	}
	lo, hi, ok := l.clipBounds(n.In(2), n.In(3))
	return kernel.Epilogue{Clip: ok, Lo: lo, Hi: hi}
}

// toNorm hands the gradient of an activation to its only reader where that is
// the gradient of a normalisation.
func (l *lowering) toNorm(n *graph.Node) bool {
	r := l.only(n.Out(0))
	if r == nil || r.Domain != graph.Pare || r.Op != "BatchNormGrad" || r.In(0) != n.Out(0) || r.In(1) == n.Out(0) {
		return false
	}
	if _, _, _, ok := rowsOf(r.In(1)); !ok {
		return false
	}
	l.behind[n.Out(0)] = n
	return true
}

func lowerReluGrad(l *lowering, n *graph.Node) (done bool, why string) {
	if l.toNorm(n) {
		return true, ""
	}
	return elementwise2(l, n, "ReLU gradient", kernel.ReluGrad)
}

func lowerClipGrad(l *lowering, n *graph.Node) (done bool, why string) {
	ep := l.clipOf(n)
	if !ep.Clip {
		return noBounds()
	}
	if l.toNorm(n) {
		return true, ""
	}
	return elementwise2(l, n, "clip gradient", func(d, y, z []float32) { kernel.ClipGrad(d, y, ep.Lo, ep.Hi, z) })
}

// affine is a normalisation by statistics that are known: a scale and a shift for
// each channel.
type affine struct {
	kernel.NormTask
	eps          float64
	params       [4]*buffer // scale, bias, mean, variance
	scale, shift []float32
}

func (t *affine) run(p *kernel.Pool) {
	scale, bias, mean, variance := t.params[0].data, t.params[1].data, t.params[2].data, t.params[3].data
	for j := range t.scale {
		s := float64(scale[j]) / math.Sqrt(float64(variance[j])+t.eps)
		t.scale[j], t.shift[j] = float32(s), float32(float64(bias[j])-float64(mean[j])*s)
	}
	t.Apply(p, t.scale, t.shift)
}

// lowerBatchNorm plans a normalisation at inference that could not go into a
// convolution.
func lowerBatchNorm(l *lowering, n *graph.Node) (done bool, why string) {
	f, rows, c, ok := rowsOf(n.In(0))
	if !ok || rows < 1 {
		return noChannels(n.In(0))
	}
	if n.Int("training_mode", 0) != 0 {
		return no("it is in training mode")
	}
	for _, v := range n.Outputs[1:] {
		if v != nil && (len(l.uses[v]) > 0 || l.g.IsOutput(v)) {
			return no("%q is there while it is trained only", v.Name)
		}
	}
	t := &affine{NormTask: kernel.NormTask{Rows: rows, C: c}, eps: float64(n.Float("epsilon", 1e-5)), scale: make([]float32, c), shift: make([]float32, c)}
	xb := l.get(n.In(0), f, n)
	reads := []*buffer{xb}
	for i := range t.params {
		t.params[i] = l.get(n.In(i+1), plain, n)
		reads = append(reads, t.params[i])
	}
	e := l.epilogue(n, nil, n.Out(0), f, &kernel.Epilogue{})
	yb := l.make(e.last, f)
	t.Lo, t.Hi, t.Clip = e.to.Bounds()
	l.emit(n, "scale and shift"+e.name(), e.reads(reads...), []*buffer{yb}, func() { t.X, t.Res, t.Y = xb.data, e.res.floats(), yb.data }, t.run)
	return true, ""
}
