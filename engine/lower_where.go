package engine

import (
	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// A choice by a comparison with a number, as gradients of piecewise functions
// have it, is one pass: the comparison is done where it is read.

// comparisons by operator.
var comparisons = map[string]func(x, s float32) bool{
	"Greater":        func(x, s float32) bool { return x > s },
	"GreaterOrEqual": func(x, s float32) bool { return x >= s },
	"Less":           func(x, s float32) bool { return x < s },
	"LessOrEqual":    func(x, s float32) bool { return x <= s },
}

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
	if !n.Is("Where") || c == nil || c.Domain != "" || comparisons[c.Op] == nil {
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
	x, a, b, z []float32
	na, nb, s  float32
	cmp        func(x, s float32) bool
}

// Do works on one chunk.
func (t *chooser) Do(w *kernel.Worker, i int) {
	for k := i * chunk; k < min(len(t.z), (i+1)*chunk); k++ {
		v, all := t.nb, t.b
		if t.cmp(t.x[k], t.s) {
			v, all = t.na, t.a
		}
		if all != nil {
			v = all[k]
		}
		t.z[k] = v
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
	for i, to := range []*float32{&t.na, &t.nb} {
		v, ok := number(n.In(i + 1))
		if *to = v; !ok {
			from[i] = l.get(n.In(i+1), lay, n)
			reads = append(reads, from[i])
		}
	}
	zb := l.make(n.Out(0), lay)
	l.emit(n, "choice", reads, []*buffer{zb}, func() { t.x, t.a, t.b, t.z = xb.data, from[0].floats(), from[1].floats(), zb.data }, t.run)
	return true, ""
}
