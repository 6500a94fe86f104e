package structure

import (
	"errors"

	"pare/graph"
)

// Pad ties the old positions; the new ones are free, so that what is added to
// them may go with them.
var _ = register(Rule{Tie: tiePad, Adapt: adaptPad, Zeros: Zeros{Pass: AllZero, Of: []int{0}, If: padsZeros}, Flow: FlowScales}, "Pad")

func tiePad(r *Relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	mode, rank := n.Str("mode", "constant"), len(x.Shape)
	p, ok := padsOf(r.numbers, n)
	if !ok {
		r.Opaque("pads axes that are not constant")
		return
	}
	zero := number{0, true}
	for d := range x.Shape {
		before, after := p[d].number, p[d+rank].number
		switch {
		case before == zero && after == zero:
			r.Same(x, d, y, d)
		case !before.known || !after.known:
			r.Keep(x, d, "pads by values that are not constant")
			r.Keep(y, d, "pads by values that are not constant")
		case mode == "constant" && before.n >= 0 && after.n >= 0 && r.Size(x, d) > 0:
			r.Tie(x, d, 0, y, d, before.n, x.Shape[d].Mul)
		default:
			r.Keep(x, d, "pads this axis")
			r.Keep(y, d, "pads this axis")
		}
	}
}

// pad is what is put before or after an axis.
type pad struct {
	number
	entry int // of the node's pads; -1: of none
}

// padsOf gives what is put before and after each axis (2*rank of them); false
// where it is not known which axes are padded.
func padsOf(k *numbers, n *graph.Node) ([]pad, bool) {
	rank := len(n.In(0).Shape)
	full := make([]pad, 2*rank)
	for i := range full {
		full[i] = pad{number{0, true}, -1}
	}
	p := stated(n.Ints("pads"))
	axes := make([]int, rank)
	for d := range axes {
		axes[d] = d
	}
	if k.g.Version("") >= 11 {
		var ok bool
		if p, ok = k.of(n.In(1)); !ok {
			return nil, false
		}
		if n.In(3) != nil {
			if axes, ok = n.In(3).Ints(); !ok {
				return nil, false
			}
		}
	}
	if len(p) != 2*len(axes) {
		return nil, false
	}
	for i, a := range axes {
		if a = normal(a, rank); a < 0 || a >= rank {
			return nil, false
		}
		full[a], full[a+rank] = pad{p[i], i}, pad{p[i+len(axes)], i + len(axes)}
	}
	return full, true
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
	p, ok := padsOf(c.numbers, c.Old)
	if !ok {
		return errors.New("its axes are not constant")
	}
	x, y := c.Old.In(0), c.Old.Out(0)
	rank := len(x.Shape)
	all, changed, known := make([]int, 2*rank), map[int]int{}, true
	for i, e := range p {
		all[i] = e.n
		known = known && e.known
	}
	for d := range x.Shape {
		k := c.Kept(y, d)
		if k == nil || p[d].number == (number{0, true}) && p[d+rank].number == (number{0, true}) {
			continue
		}
		if !p[d].known || !p[d+rank].known {
			return errors.New("its pads are not constant")
		}
		b, size := p[d].n, x.Shape[d].Mul
		all[d], all[d+rank] = count(k, 0, b), count(k, b+size, k.Len)
		changed[p[d].entry], changed[p[d+rank].entry] = all[d], all[d+rank]
	}
	switch {
	case c.Graph.Version("") < 11:
		c.New.Set("pads", all)
	case known:
		c.SetInput(1, all)
		if len(c.New.Inputs) > 3 {
			c.New.Inputs = c.New.Inputs[:3] // all axes are given now
		}
	case len(changed) > 0:
		c.overwrite(1, changed)
	}
	return nil
}
