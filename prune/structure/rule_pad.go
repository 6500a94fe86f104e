package structure

import (
	"errors"
	"slices"

	"pare/graph"
)

// Pad ties the old positions; the new ones are free, so that what is added to
// them may go with them.
var _ = register(Rule{Tie: tiePad, Adapt: adaptPad, Zeros: Zeros{Pass: AllZero, Of: []int{0}, If: padsZeros}, Flow: FlowScales}, "Pad")

func tiePad(r *Relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	mode, rank := n.Str("mode", "constant"), len(x.Shape)
	p, ok := padsOf(r.g, n)
	if !ok {
		r.Opaque("pads by values that are not constant")
		return
	}
	for d := range x.Shape {
		before, after := p[d], p[d+rank]
		switch {
		case before == 0 && after == 0:
			r.Same(x, d, y, d)
		case mode == "constant" && before >= 0 && after >= 0 && r.Size(x, d) > 0:
			r.Tie(x, d, 0, y, d, before, x.Shape[d].Mul)
		default:
			r.Keep(x, d, "pads this axis")
			r.Keep(y, d, "pads this axis")
		}
	}
}

// padsOf gives what is put before and after each axis (2*rank
// numbers); false where that is computed.
func padsOf(g *graph.Graph, n *graph.Node) ([]int, bool) {
	rank := len(n.In(0).Shape)
	p := n.Ints("pads")
	if g.Version("") >= 11 {
		var ok bool
		if p, ok = ints(n.In(1)); !ok {
			return nil, false
		}
		if n.In(3) != nil {
			axes, ok := ints(n.In(3))
			if !ok || len(p) != 2*len(axes) {
				return nil, false
			}
			full := make([]int, 2*rank)
			for i, a := range axes {
				a = normal(a, rank)
				full[a], full[a+rank] = p[i], p[i+len(axes)]
			}
			p = full
		}
	}
	return p, len(p) == 2*rank
}

// padsZeros says whether what is added is zero.
func padsZeros(n *graph.Node) bool {
	if n.Str("mode", "constant") != "constant" || n.In(2) == nil {
		return n.Float("value", 0) == 0
	}
	x, ok := scalar(n.In(2))
	return ok && x == 0
}

func adaptPad(c *Cutting) error {
	p, ok := padsOf(c.Graph, c.Old)
	if !ok {
		return errors.New("its pads are not constant")
	}
	x, y := c.Old.In(0), c.Old.Out(0)
	rank := len(x.Shape)
	p = slices.Clone(p)
	for d := range x.Shape {
		if k := c.Kept(y, d); k != nil && (p[d] != 0 || p[d+rank] != 0) {
			b, size := p[d], x.Shape[d].Mul
			p[d], p[d+rank] = count(k, 0, b), count(k, b+size, k.Len)
		}
	}
	if c.Graph.Version("") < 11 {
		c.New.Set("pads", p)
		return nil
	}
	c.SetInput(1, p)
	if len(c.New.Inputs) > 3 {
		c.New.Inputs = c.New.Inputs[:3] // all axes are given now
	}
	return nil
}
