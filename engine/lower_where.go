package engine

import (
	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// A choice by a comparison with a number, as gradients of piecewise functions
// have it, is one pass: the comparison is done where it is read.

// comparisons by operator.
var comparisons = map[string]kernel.Comparison{"Greater": kernel.Above, "GreaterOrEqual": kernel.NotBelow, "Less": kernel.Below, "LessOrEqual": kernel.NotAbove}

// number is the value of a constant of one float32.
func number(v *graph.Value) (float32, bool) {
	if v.IsConst() && v.Role == graph.Frozen && v.DType == tensor.Float32 && v.Const.Len() == 1 {
		return v.Const.F32()[0], true
	}
	return 0, false
}

// choosable says whether a Where can do its comparison itself.
func choosable(n *graph.Node) bool {
	c := n.In(0).From
	if !n.Is("Where") || c == nil || c.Domain != "" {
		return false
	}
	if _, ok := comparisons[c.Op]; !ok {
		return false
	}
	x, z := c.In(0), n.Out(0)
	if _, ok := number(c.In(1)); !ok || x.DType != tensor.Float32 || z.DType != tensor.Float32 || !x.Shape.Equal(z.Shape) {
		return false
	}
	for _, v := range n.Inputs[1:] {
		if _, ok := number(v); !ok && !v.Shape.Equal(z.Shape) {
			return false
		}
	}
	return true
}

// lowerComparison plans nothing where all who read it compare for themselves.
func lowerComparison(l *lowering, n *graph.Node) (done bool, why string) {
	o := n.Out(0)
	for _, u := range l.uses[o] {
		if u.Index != 0 || !choosable(u.Node) {
			return no("its reader %q (%s) needs it", u.Node.Name, u.Node.Op)
		}
	}
	if l.g.IsOutput(o) {
		return no("it is an output")
	}
	return true, ""
}

// chooser writes a where x compares with s, and b elsewhere. A nil a or b
// stands for a number.
type chooser struct {
	x, a, b, z     []float32
	s              float32
	cmp            kernel.Comparison
	splatA, splatB [1024]float32
}

// Do works on one chunk.
func (t *chooser) Do(w *kernel.Worker, i int) {
	for lo, hi := i*chunk, min(len(t.z), (i+1)*chunk); lo < hi; lo += len(t.splatA) {
		end := min(hi, lo+len(t.splatA))
		a, b := t.splatA[:end-lo], t.splatB[:end-lo]
		if t.a != nil {
			a = t.a[lo:end]
		}
		if t.b != nil {
			b = t.b[lo:end]
		}
		kernel.Choose(t.cmp, t.x[lo:end], t.s, a, b, t.z[lo:end])
	}
}

func (t *chooser) run(p *kernel.Pool) { p.Run((len(t.z)+chunk-1)/chunk, t) }

func lowerWhere(l *lowering, n *graph.Node) (done bool, why string) {
	if !choosable(n) {
		return no("its condition is not a comparison with a number, or shapes differ")
	}
	c := n.In(0).From
	t := &chooser{cmp: comparisons[c.Op]}
	t.s, _ = number(c.In(1))
	lay := l.prefer(c.In(0), n.In(1), n.In(2))
	xb := l.get(c.In(0), lay, n)
	reads := []*buffer{xb}
	var from [2]*buffer
	for i, to := range [][]float32{t.splatA[:], t.splatB[:]} {
		v, ok := number(n.In(i + 1))
		if kernel.Fill(to, v); !ok {
			from[i] = l.get(n.In(i+1), lay, n)
			reads = append(reads, from[i])
		}
	}
	zb := l.make(n.Out(0), lay)
	l.emit(n, "choice", reads, []*buffer{zb}, func() { t.x, t.a, t.b, t.z = xb.data, from[0].floats(), from[1].floats(), zb.data }, t.run)
	return true, ""
}
