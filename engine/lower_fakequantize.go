package engine

import (
	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// lowerFakeQuantize plans rounding to integers and back by one scale.
func lowerFakeQuantize(l *lowering, n *graph.Node) (done bool, why string) {
	x, s, z := n.In(0), n.In(1), n.Out(0)
	if x.DType != tensor.Float32 || s.DType != tensor.Float32 {
		return no("%q is %v; kernels compute in float32", x.Name, x.DType)
	}
	if sizeOf(s) != 1 {
		return no("it has a scale for each of %v", s.Shape)
	}
	lay := l.prefer(x)
	xb, sb, zb := l.get(x, lay, n), l.get(s, plain, n), l.make(z, lay)
	t := &rounding{scale: sb}
	t.lo, t.hi = op.FakeBounds(n)
	l.emit(n, "round to integers and back", []*buffer{xb, sb}, []*buffer{zb}, func() { t.x, t.z = xb.data, zb.data }, t.run)
	return true, ""
}

// rounding is scale * clip(round(x/scale), lo, hi).
type rounding struct {
	x, z   []float32
	scale  *buffer
	lo, hi float32
}

// whole is 1.5*2^23: a float32 below 2^22 in magnitude that it is added to and taken from
// is rounded to a whole number, halves to the even one.
const whole = 12582912

func (t *rounding) run(p *kernel.Pool) { p.Run((len(t.z)+chunk-1)/chunk, t) }

// Do works on one chunk.
func (t *rounding) Do(w *kernel.Worker, i int) {
	lo, hi := i*chunk, min(len(t.z), (i+1)*chunk)
	x, z, s := t.x[lo:hi], t.z[lo:hi], t.scale.data[0]
	for i, v := range x {
		v = max(t.lo, min(t.hi, v/s))
		z[i] = s * (float32(v+whole) - whole)
	}
}
