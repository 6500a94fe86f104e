package structure

import (
	"slices"

	"pare/graph"
)

// Concat puts the positions of its inputs one after another.
var _ = register(Rule{Tie: tieConcat, Zeros: zeroAsAll, Separate: true, Flow: FlowMeets}, "Concat")

func tieConcat(r *Relation, n *graph.Node) {
	y := n.Out(0)
	a := normal(n.Int("axis", 0), len(y.Shape))
	known := y.Shape[a].Known()
	for _, x := range n.Inputs {
		for d := range x.Shape {
			if d != a {
				r.Same(x, d, y, d)
			}
		}
		known = known && x.Shape[a].Known()
	}
	off := 0
	for _, x := range n.Inputs {
		switch {
		case !known:
			r.Keep(x, a, "joins axes of unknown size")
			r.Keep(y, a, "joins axes of unknown size")
		case x.Shape[a].Mul == 1: // a single position is not tracked and stays
			r.KeepOne(y, a, off, "joins a single position")
		default:
			r.Tie(x, a, 0, y, a, off, x.Shape[a].Mul)
		}
		off += x.Shape[a].Mul
	}
}

// Split is Concat backwards.
var _ = register(Rule{Tie: tieSplit, Adapt: adaptSplit, Zeros: zeroAsFirst, Flow: FlowScales}, "Split")

func tieSplit(r *Relation, n *graph.Node) {
	x := n.In(0)
	a := normal(n.Int("axis", 0), len(x.Shape))
	known := x.Shape[a].Known() && (n.In(1) == nil || n.In(1).IsConst())
	for _, y := range n.Outputs {
		if y == nil {
			known = false
			continue
		}
		for d := range x.Shape {
			if d != a {
				r.Same(x, d, y, d)
			}
		}
		known = known && y.Shape[a].Known()
	}
	off := 0
	for _, y := range n.Outputs {
		switch {
		case !known:
			r.Keep(x, a, "splits by sizes that are not constant")
			r.Keep(y, a, "splits by sizes that are not constant")
			continue
		case y.Shape[a].Mul == 1:
			r.KeepOne(x, a, off, "splits off a single position")
		default:
			r.Tie(y, a, 0, x, a, off, y.Shape[a].Mul)
		}
		off += y.Shape[a].Mul
	}
}

func adaptSplit(c *Cutting) error {
	x := c.Old.In(0)
	a := normal(c.Old.Int("axis", 0), len(x.Shape))
	if c.Kept(x, a) == nil {
		return nil
	}
	var sizes []int
	for _, o := range c.Old.Outputs {
		size := o.Shape[a].Mul
		if k := c.Kept(o, a); k != nil {
			size = k.Count()
		}
		sizes = append(sizes, size)
	}
	if c.Graph.Version("") < 13 {
		c.New.Set("split", sizes)
		return nil
	}
	c.SetInput(1, sizes)
	c.New.Attrs = slices.DeleteFunc(c.New.Attrs, func(a graph.Attr) bool { return a.Name == "num_outputs" })
	return nil
}
