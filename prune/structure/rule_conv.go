package structure

import (
	"pare/graph"
	"pare/prune"
)

// Convolution: output channels are rows of the kernel, input channels its
// columns. The output is zero where rows and bias are.
var _ = register(Rule{
	Tie: tieConv,
	Adapt: func(c *Cutting) error {
		return adaptGroups(c, c.Kept(c.Old.In(0), 1), c.Kept(c.Old.In(1), 1))
	},
	Zeros: zeroAsParams, Separate: true, Flow: FlowWeighs,
}, "Conv")

// Transposed convolution: the kernel is [in, out/groups, k...].
var _ = register(Rule{
	Tie: tieConvTranspose,
	Makes: func(n *graph.Node) []Operand {
		if n.Int("group", 1) > 1 {
			return []Operand{{1, 1}, {1, 0}}
		}
		return []Operand{{1, 1}}
	},
	Adapt: func(c *Cutting) error {
		return adaptGroups(c, c.Kept(c.Old.Out(0), 1), c.Kept(c.Old.In(1), 1))
	},
	Zeros: zeroAsParams, Separate: true, Flow: FlowWeighs,
}, "ConvTranspose")

func tieConv(r *Relation, n *graph.Node) {
	x, w, b, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	g := n.Int("group", 1)
	r.slides(x, w, y)
	r.Same(y, 1, w, 0)
	r.Same(y, 1, b, 0)
	if g == 1 {
		r.Contract(x, 1, w, 1)
		return
	}
	if !x.Shape[1].Known() || !w.Shape[0].Known() || !w.Shape[1].Known() {
		r.Opaque("has groups of unknown size")
		return
	}
	r.grouped(g, Axis{x, 1}, Axis{w, 0}, w.Shape[1].Mul, w.Shape[0].Mul/g, Axis{w, 1}, Axis{w, 0})
}

func tieConvTranspose(r *Relation, n *graph.Node) {
	x, w, b, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	g := n.Int("group", 1)
	r.slides(x, w, y)
	r.Same(y, 1, b, 0)
	if g == 1 {
		r.Contract(x, 1, w, 0)
		r.Same(y, 1, w, 1)
		return
	}
	if !x.Shape[1].Known() || !w.Shape[0].Known() || !w.Shape[1].Known() {
		r.Opaque("has groups of unknown size")
		return
	}
	r.Same(x, 1, w, 0)
	r.grouped(g, Axis{w, 0}, Axis{y, 1}, w.Shape[0].Mul/g, w.Shape[1].Mul, Axis{w, 0}, Axis{w, 1})
}

// slides protects the spatial axes of a convolution.
func (r *Relation) slides(x, w, y *graph.Value) {
	r.Same(x, 0, y, 0)
	for _, v := range []*graph.Value{x, w, y} {
		r.KeepFrom(v, 2, "slides over this axis")
	}
}

// grouped ties the axes of a convolution with g groups, each of which reads ci
// positions of `from` and makes co of `to`. Either whole groups go, or the same
// places go in every group, so that the groups stay equal. The kernel's axes
// are kIn and kOut: one of them holds all groups, the other one group.
func (r *Relation) grouped(g int, from, to Axis, ci, co int, kIn, kOut Axis) {
	if r.long[from] || r.long[to] || g*max(ci, co, 1) > max(from.Value.Shape[from.Dim].Mul, to.Value.Shape[to.Dim].Mul) {
		r.Opaque("has groups that cannot be followed")
		return
	}
	whole, places := []Axis{from, to}, []Axis{from}
	alternatives := [][]Axis{whole, places}
	if ci > g {
		alternatives = [][]Axis{places, whole}
	}
	pick := 0
	if ci > 1 || co > 1 {
		pick = r.choose(0, alternatives)
	}
	if pick < 0 {
		return
	}
	if (pick == 0) == (ci > g) && ci > 1 { // places
		if !r.Dead(from.Value, from.Dim) && !r.Dead(kIn.Value, kIn.Dim) {
			r.Keep(from.Value, from.Dim, notZero)
		}
		for k := range g {
			if kIn == from {
				r.Tie(from.Value, from.Dim, k*ci, from.Value, from.Dim, 0, ci)
				r.Tie(to.Value, to.Dim, k*co, kOut.Value, kOut.Dim, 0, co)
			} else {
				r.Tie(from.Value, from.Dim, k*ci, kIn.Value, kIn.Dim, 0, ci)
				r.Tie(to.Value, to.Dim, k*co, to.Value, to.Dim, 0, co)
			}
		}
		return
	}
	for k := range g {
		for i := range ci {
			r.Tie(from.Value, from.Dim, k*ci+i, to.Value, to.Dim, k*co, 1)
		}
		for j := range co {
			r.Tie(to.Value, to.Dim, k*co+j, to.Value, to.Dim, k*co, 1)
		}
	}
	if kIn != from {
		r.Keep(kIn.Value, kIn.Dim, "has this axis in every group")
	}
	if kOut != to {
		r.Keep(kOut.Value, kOut.Dim, "has this axis in every group")
	}
}

// adaptGroups gives a grouped convolution that loses whole groups their
// number: where the axis of all channels is cut and that of one group is not.
func adaptGroups(c *Cutting, all, one *prune.Mask) error {
	if g := c.Old.Int("group", 1); g > 1 && all != nil && one == nil {
		c.New.Set("group", g*all.Count()/all.Len)
	}
	return nil
}
