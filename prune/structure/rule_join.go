package structure

import (
	"slices"

	"pare/graph"
)

// Concat puts the positions of its inputs one after another.
var _ = register(Rule{Tie: tieConcat, Zeros: zeroAsAll, Separate: true, Flow: FlowMeets}, "Concat")

func tieConcat(r *Relation, n *graph.Node) {
	y := n.Out(0)
	r.inARow(y, n.Inputs, normal(n.Int("axis", 0), len(y.Shape)), true, "joins axes of unknown size", "joins a single position")
}

// Split is Concat backwards.
var _ = register(Rule{Tie: tieSplit, Adapt: adaptSplit, Zeros: zeroAsFirst, Flow: FlowScales}, "Split")

func tieSplit(r *Relation, n *graph.Node) {
	x := n.In(0)
	known := n.In(1) == nil || n.In(1).IsConst()
	r.inARow(x, n.Outputs, normal(n.Int("axis", 0), len(x.Shape)), known, "splits by sizes that are not constant", "splits off a single position")
}

// inARow ties the parts of a value that stand one after another on an axis. It
// protects the axis where their sizes are not known, and a part of one position,
// which is not tracked and stays.
func (r *Relation) inARow(whole *graph.Value, parts []*graph.Value, axis int, known bool, unknown, single string) {
	known = known && whole.Shape[axis].Known()
	for _, p := range parts {
		if p == nil {
			known = false
			continue
		}
		for d := range whole.Shape {
			if d != axis {
				r.Same(p, d, whole, d)
			}
		}
		known = known && p.Shape[axis].Known()
	}
	off := 0
	for _, p := range parts {
		if !known {
			r.Keep(p, axis, unknown)
			r.Keep(whole, axis, unknown)
			continue
		}
		size := p.Shape[axis].Mul
		if size == 1 {
			r.KeepOne(whole, axis, off, single)
		} else {
			r.Tie(p, axis, 0, whole, axis, off, size)
		}
		off += size
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
