package structure

import (
	"pare/graph"
	"pare/graph/op"
)

// Quantising and back go entry by entry; scales and zero points for each position of an
// axis go with it. A zero is the zero point, and becomes a zero again. So channels of
// networks in which QuantizeLinear and DequantizeLinear stand around layers are cut of the
// integers, which keep their scales.
var (
	_ = register(Rule{Tie: tieQuantise, Zeros: zeroAsFirst, Separate: true}, "QuantizeLinear")
	_ = register(Rule{Tie: tieDequantise, Zeros: zeroAsFirst, Separate: true}, "DequantizeLinear")
)

// tieQuantise ties what is quantised.
func tieQuantise(r *Relation, n *graph.Node) { tieScales(r, n) }

func tieDequantise(r *Relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	if x.IsConst() && !zeroPoint(n) {
		r.Opaque("has integers around another number than zero: their zeros are not those of channels")
		return
	}
	if !tieScales(r, n) || !x.IsConst() {
		return
	}
	for d := range y.Shape {
		if r.Size(y, d) > 0 {
			r.Zero(y, d)
		}
	}
}

// tieScales ties what goes in, scales and zero points to what comes out; false: it could
// not.
func tieScales(r *Relation, n *graph.Node) bool {
	x, y := n.In(0), n.Out(0)
	for _, p := range n.Inputs[1:] {
		if p != nil && (len(p.Shape) > 1 || n.Int("block_size", 0) > 0) {
			r.Opaque("has a scale for every block of positions")
			return false
		}
	}
	r.sameAxes(x, y)
	axis := normal(n.Int("axis", 1), len(x.Shape))
	for _, p := range n.Inputs[1:] {
		if p != nil && len(p.Shape) == 1 && r.Size(p, 0) > 0 {
			r.Same(p, 0, y, axis)
		}
	}
	return true
}

// zeroPoint says whether a node's integers stand for numbers around zero.
func zeroPoint(n *graph.Node) bool {
	z := n.In(2)
	if z == nil {
		return true
	}
	if !z.IsConst() {
		return false
	}
	at, err := z.Const.Float64s()
	if err != nil {
		return false
	}
	for _, x := range at {
		if x != 0 {
			return false
		}
	}
	return true
}

// unquantised gives the numbers that constant integers stand for, as a weight; nil where a
// value is none that a DequantizeLinear makes of constants.
func unquantised(v *graph.Value) *graph.Value {
	if v.From == nil || !v.From.Is("DequantizeLinear") || len(v.Shape) < 2 {
		return nil
	}
	n := v.From
	if !n.In(0).IsConst() || !n.In(1).IsConst() || n.In(2) != nil && !n.In(2).IsConst() {
		return nil
	}
	c := graph.New("weight", 21)
	m := map[*graph.Value]*graph.Value{}
	var in []*graph.Value
	for _, x := range n.Inputs {
		if x != nil && m[x] == nil {
			m[x] = c.Const(x.Name, x.Const, graph.Frozen)
		}
		in = append(in, m[x])
	}
	d := c.Add(n.Op, n.Domain, in, []string{"numbers"}, n.Attrs...)
	c.Outputs = d.Outputs
	if op.InferAll(c) != nil {
		return nil
	}
	out, err := op.Run(c, nil)
	if err != nil || out["numbers"].F32() == nil {
		return nil
	}
	return &graph.Value{Name: v.Name, DType: v.DType, Shape: v.Shape, Const: out["numbers"], Role: graph.Param}
}
