package engine

import (
	"context"
	"fmt"
	"math"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// one8 reads a scale and a zero point, one number each, that do not change. like is the type
// that is quantised to, where there is no zero point.
func (l *lowering) one8(scale, zero *graph.Value, like tensor.DType) (q kernel.Quantisation, ok bool) {
	if !l.frozen || !scale.IsConst() || scale.Const.F32() == nil || scale.Const.Len() != 1 || !isByte(like) {
		return q, false
	}
	q.Scale, q.Zero = scale.Const.F32()[0], flipOf(like)
	if !(q.Scale > 0) || math.IsInf(float64(q.Scale), 0) {
		return q, false
	}
	if zero == nil {
		return q, true
	}
	if !zero.IsConst() || zero.Const.Len() != 1 || zero.DType != like {
		return q, false
	}
	switch z := zero.Const.Data.(type) {
	case []uint8:
		q.Zero = z[0]
	case []int8:
		q.Zero = byte(z[0]) ^ 0x80
	}
	return q, true
}

// quantiser is what a QuantizeLinear to 8 bits by one scale quantises to.
func (l *lowering) quantiser(n *graph.Node) (q kernel.Quantisation, ok bool) {
	if !n.Is("QuantizeLinear") || n.In(0).DType != tensor.Float32 || sizeOf(n.In(0)) == 0 {
		return q, false
	}
	return l.one8(n.In(1), n.In(2), n.Out(0).DType)
}

// sink is where a result is stored as bytes: the value that it is, what its bytes stand for,
// and between which numbers, in units of the scale, it is held.
type sink struct {
	v      *graph.Value
	q      kernel.Quantisation
	lo, hi float32
	name   string
}

// sink follows a ReLU or a Clip, and then a QuantizeLinear, which alone read a value.
// Nothing is marked as done where there is none.
func (l *lowering) sink(y *graph.Value) (s sink, ok bool) {
	n := l.only(y)
	lo, hi := float32(math.Inf(-1)), float32(math.Inf(1))
	var act *graph.Node
	if n != nil && !l.done[n] && n.In(0) == y {
		switch {
		case n.Is("Relu"):
			lo, act, s.name = 0, n, " + ReLU"
		case n.Is("Clip"):
			var fixed bool
			if lo, hi, fixed = l.clipOver(n); !fixed || lo > hi {
				return s, false
			}
			act, s.name = n, " + clip"
		}
	}
	if act != nil {
		n = l.only(act.Out(0))
	}
	if n == nil || l.done[n] {
		return s, false
	}
	if s.q, ok = l.quantiser(n); !ok {
		return s, false
	}
	s.v = n.Out(0)
	s.lo, s.hi = s.q.Bounds()
	s.lo, s.hi = max(s.lo, lo/s.q.Scale), min(s.hi, hi/s.q.Scale)
	if s.lo > s.hi {
		return s, false
	}
	l.done[n] = true
	if act != nil {
		l.done[act] = true
	}
	return s, true
}

// sinkOf is the sink of an operator that quantises its result itself.
func sinkOf(v *graph.Value, q kernel.Quantisation) sink {
	s := sink{v: v, q: q}
	s.lo, s.hi = q.Bounds()
	return s
}

func lowerQuantize(l *lowering, n *graph.Node) (done bool, why string) {
	x, y := n.In(0), n.Out(0)
	q, ok := l.quantiser(n)
	if !ok {
		return no("it is quantised by several scales, by one that may change, or not from float32 to 8 bits")
	}
	if from, ok := l.isHeld(x); ok {
		l.requantised(n, x, from, y, q)
		return true, ""
	}
	f := l.prefer(x)
	xb, yb := l.get(x, f, n), l.hold(y, f)
	t := &byteChunks{n: sizeOf(x)}
	l.emit(n, "quantise", []*buffer{xb}, []*buffer{yb}, func() {
		from, to := xb.data, bytesIn(yb)
		t.do = func(lo, hi int) { kernel.QuantiseBytes(from[lo:hi], q, to[lo:hi]) }
	}, t.run)
	return true, ""
}

// requantised makes y, a value of 8 bits, of x, which is held as bytes and has its shape.
func (l *lowering) requantised(n *graph.Node, x *graph.Value, from kernel.Quantisation, y *graph.Value, to kernel.Quantisation) {
	if from == to {
		l.share(y, x)
		return
	}
	table := new([256]byte)
	numbers := numbersOf(from)
	kernel.QuantiseBytes(numbers, to, table[:])
	l.mapped(n, "requantise", x, y, table)
}

// numbersOf are the numbers that the bytes stand for.
func numbersOf(q kernel.Quantisation) []float32 {
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	x := make([]float32, 256)
	kernel.DequantiseBytes(all[:], q, x)
	return x
}

// mapped emits a step that takes every byte of x through a table.
func (l *lowering) mapped(n *graph.Node, name string, x, y *graph.Value, table *[256]byte) {
	f := l.likes(x)
	xb, yb := l.bytes(x, f, n), l.hold(y, f)
	t := &byteChunks{n: sizeOf(y)}
	l.emit(n, name, []*buffer{xb}, []*buffer{yb}, func() {
		from, to := bytesIn(xb), bytesIn(yb)
		t.do = func(lo, hi int) { kernel.MapBytes(from[lo:hi], table, to[lo:hi]) }
	}, t.run)
}

// lowerDequantize only remembers what bytes stand for: numbers are made of them where a
// kernel wants numbers.
func lowerDequantize(l *lowering, n *graph.Node) (done bool, why string) {
	x, y := n.In(0), n.Out(0)
	if x.IsConst() && n.In(1).IsConst() && (n.In(2) == nil || n.In(2).IsConst()) && l.frozen {
		return true, "" // see constants
	}
	q, ok := l.one8(n.In(1), n.In(2), x.DType)
	if !ok || y.DType != tensor.Float32 || sizeOf(y) == 0 {
		return no("it has several scales, one that may change, or is not of 8 bits")
	}
	l.bytes(x, l.likes(x), n)
	l.share(y, x)
	l.standsFor(y, q)
	return true, ""
}

// constants dequantises constants among the inputs of a node that computes with numbers.
func (l *lowering) constants(n *graph.Node) error {
	for _, v := range append(append([]*graph.Value{}, n.Inputs...), n.Captures()...) {
		if v != nil && v.Const == nil && v.From.Is("DequantizeLinear") && l.frozen && l.at[v] == nil {
			if err := l.dequantised(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// dequantised makes a constant of a value that a node computes of constants.
func (l *lowering) dequantised(v *graph.Value) error {
	n := v.From
	in := make([]*tensor.Tensor, len(n.Inputs))
	for i, x := range n.Inputs {
		if x == nil {
			continue
		}
		if in[i] = x.Const; in[i] == nil {
			return nil
		}
	}
	if f, ok := known[*tensor.Tensor](l.forms, n.In(0), "numbers"); ok {
		v.Const = f
		return nil
	}
	out, err := op.EvalNode(context.Background(), l.most, n, l.g.Version(n.Domain), in, nil, nil)
	if err != nil {
		return fmt.Errorf("node %q (%s): %w", n.Name, n.Op, err)
	}
	l.forms.keep(n.In(0), "numbers", out[0])
	v.Const, v.Role = out[0], graph.Frozen
	return nil
}
