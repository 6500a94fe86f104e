package engine

import (
	"math"

	"pare/graph"
	"pare/internal/kernel"
)

// epilogue is what a step does to its result before it stores it: the bias is
// added, then a residual, then comes an activation. It is the one description
// of these for all kernels.
type epilogue struct {
	to        *kernel.Epilogue // the kernel's
	bias, res *buffer          // nil: none
	last      *graph.Value     // what is stored
}

// epilogue reads a bias, which may be nil, of the result y, and follows what
// comes after y and can be done before it is stored in layout f.
func (l *lowering) epilogue(n *graph.Node, bias, y *graph.Value, f layout, to *kernel.Epilogue) epilogue {
	e := epilogue{to: to, last: y}
	if bias != nil {
		e.bias = l.get(bias, plain, n)
	}
	l.follow(&e, n, f)
	return e
}

// follow looks for an addition and an activation behind the value that is
// stored, and takes them in.
func (l *lowering) follow(e *epilogue, n *graph.Node, f layout) {
	last, other := l.tail(e.last, e.to)
	e.last = last
	if other != nil {
		e.res = l.get(other, f, n)
	}
}

// reads adds the epilogue's operands to what a step reads.
func (e *epilogue) reads(bs ...*buffer) []*buffer {
	for _, b := range []*buffer{e.bias, e.res} {
		if b != nil {
			bs = append(bs, b)
		}
	}
	return bs
}

// bind gives the kernel its memory.
func (e *epilogue) bind() { e.to.Bias, e.to.Res = e.bias.floats(), e.res.floats() }

// name says what the epilogue does.
func (e *epilogue) name() string {
	s := ""
	if e.bias != nil {
		s += " + bias"
	}
	if e.res != nil {
		s += " + residual"
	}
	return s + activationName(e.to)
}

func activationName(ep *kernel.Epilogue) string {
	switch {
	case ep.Clip:
		return " + clip"
	case ep.Relu:
		return " + ReLU"
	}
	return ""
}

// biasBehind finds the addition of a constant for each column that alone reads
// y: the constant and the sum, or nil and y.
func (l *lowering) biasBehind(y *graph.Value, cols int) (c, after *graph.Value) {
	add := l.only(y)
	if !add.Is("Add") || l.done[add] {
		return nil, y
	}
	if c = add.In(0); c == y {
		c = add.In(1)
	}
	if c != y && c.IsConst() && sizeOf(c) == cols && isTail(dims(c), dims(y)) {
		return c, add.Out(0)
	}
	return nil, y
}

// tail follows what comes after a value and can be done before it is stored:
// an addition, and a ReLU or a Clip, which go into ep.
func (l *lowering) tail(y *graph.Value, ep *kernel.Epilogue) (last, other *graph.Value) {
	last, other = l.sum(y)
	if last, ep.Relu = l.relu(last); ep.Relu {
		return last, other
	}
	if n := l.only(last); n.Is("Clip") && !l.done[n] {
		if ep.Lo, ep.Hi, ep.Clip = l.clipOver(n); ep.Clip {
			l.done[n] = true
			last = n.Out(0)
		}
	}
	return last, other
}

// sum follows an addition to a value y of another of the same shape that is
// there already, which can be done before y is stored. It marks the node as
// done and gives the sum and the other value, or y and nil.
func (l *lowering) sum(y *graph.Value) (last, other *graph.Value) {
	n := l.only(y)
	if !n.Is("Add") || l.done[n] {
		return y, nil
	}
	o := n.In(0)
	if o == y {
		o = n.In(1)
	}
	if o == y || !o.Shape.Equal(y.Shape) || !n.Out(0).Shape.Equal(y.Shape) || !l.ready(o) {
		return y, nil
	}
	l.done[n] = true
	return n.Out(0), o
}

// relu follows a ReLU that can be done before y is stored.
func (l *lowering) relu(y *graph.Value) (last *graph.Value, ok bool) {
	n := l.only(y)
	if !n.Is("Relu") || l.done[n] {
		return y, false
	}
	l.done[n] = true
	return n.Out(0), true
}

// clipBounds are the numbers of two bounds, either of which may be missing; ok
// is false where one is not known or may change.
func (l *lowering) clipBounds(a, b *graph.Value) (lo, hi float32, ok bool) {
	lo, hi = float32(math.Inf(-1)), float32(math.Inf(1))
	for i, v := range []*graph.Value{a, b} {
		if v == nil {
			continue
		}
		if !l.once(v) || v.Const.Len() != 1 || v.Const.F32() == nil {
			return 0, 0, false
		}
		*[]*float32{&lo, &hi}[i] = v.Const.F32()[0]
	}
	return lo, hi, true
}

// clipOver are the bounds of a Clip.
func (l *lowering) clipOver(n *graph.Node) (lo, hi float32, ok bool) {
	lo, hi, ok = l.clipBounds(n.In(1), n.In(2))
	if a := n.Attr("min"); a != nil {
		lo = a.F
	}
	if a := n.Attr("max"); a != nil {
		hi = a.F
	}
	return lo, hi, ok
}
