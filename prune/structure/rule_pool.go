package structure

import "pare/graph"

// Pooling keeps channels and mixes positions.
var (
	_ = register(Rule{Tie: tiePool, Zeros: zeroAsFirst, Separate: true, Flow: FlowScales},
		"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
	_ = register(Rule{Tie: tiePool, Zeros: zeroAsFirst}, "LpPool", "GlobalLpPool")
)

func tiePool(r *Relation, n *graph.Node) {
	x := n.In(0)
	for _, y := range n.Outputs {
		if y == nil {
			continue
		}
		r.Same(x, 0, y, 0)
		r.Same(x, 1, y, 1)
		r.KeepFrom(y, 2, "slides over this axis")
	}
	r.KeepFrom(x, 2, "slides over this axis")
}

// Resizing keeps the axes that it does not scale.
var (
	_ = register(Rule{Tie: tieResize, Adapt: adaptResize, Zeros: zeroAsFirst, Flow: FlowScales}, "Resize")
	_ = register(Rule{Tie: tieResize, Zeros: zeroAsFirst, Flow: FlowScales}, "Upsample")
)

func tieResize(r *Relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	for d := range x.Shape {
		if x.Shape[d] == y.Shape[d] && (d < 2 || n.Op == "Upsample") {
			r.Same(x, d, y, d)
			continue
		}
		r.Keep(x, d, "resizes this axis")
		r.Keep(y, d, "resizes this axis")
	}
}

// adaptResize changes the wanted size of channels, where it is told.
func adaptResize(c *Cutting) error {
	axes, sizes := c.Old.Ints("axes"), c.Old.In(3)
	if axes == nil || sizes == nil {
		return adaptShape(3)(c)
	}
	y, with := c.Old.Out(0), map[int]int{}
	for i, a := range axes {
		if k := c.Kept(y, normal(a, len(y.Shape))); k != nil {
			with[i] = k.Count()
		}
	}
	if len(with) > 0 {
		c.overwrite(3, with)
	}
	return nil
}

// Space and depth: block*block channels become one channel's pixels. The place
// in the block is the outer part of the channel's number, but in mode CRD.
var _ = register(Rule{Tie: tieDepth, Zeros: zeroAsFirst, Flow: FlowScales}, "DepthToSpace", "SpaceToDepth")

func tieDepth(r *Relation, n *graph.Node) {
	deep, flat := n.In(0), n.Out(0)
	if n.Op == "SpaceToDepth" {
		deep, flat = flat, deep
	}
	b := n.Int("blocksize", 1)
	r.Same(deep, 0, flat, 0)
	r.KeepFrom(deep, 2, "moves this axis to another")
	r.KeepFrom(flat, 2, "moves this axis to another")
	c := r.Size(flat, 1)
	if c == 0 || r.Size(deep, 1) != c*b*b {
		r.Keep(deep, 1, "moves this axis to others")
		r.Keep(flat, 1, "moves this axis to others")
		return
	}
	crd := n.Str("mode", "DCR") == "CRD"
	for k := range b * b {
		for j := range c {
			i := k*c + j
			if crd {
				i = j*b*b + k
			}
			r.Tie(deep, 1, i, flat, 1, j, 1)
		}
	}
}
