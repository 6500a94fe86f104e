package structure

import "pare/graph"

// Convolution: output channels are rows of the kernel, input channels its
// columns.
var _ = add(func(r *relation, n *graph.Node) {
	x, w, b, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	g := n.Int("group", 1)
	r.slides(x, w, y)
	r.same(y, 1, w, 0, name(n))
	r.same(y, 1, b, 0, name(n))
	if g == 1 {
		r.contract(x, 1, w, 1)
		return
	}
	if !x.Shape[1].Known() || !w.Shape[0].Known() || !w.Shape[1].Known() {
		r.opaque(n, name(n)+" has groups of unknown size")
		return
	}
	r.grouped(g, Axis{x, 1}, Axis{w, 0}, w.Shape[1].Mul, w.Shape[0].Mul/g, Axis{w, 1}, Axis{w, 0})
}, "Conv")

// Transposed convolution: the kernel is [in, out/groups, k...].
var _ = add(func(r *relation, n *graph.Node) {
	x, w, b, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	g := n.Int("group", 1)
	r.slides(x, w, y)
	r.same(y, 1, b, 0, name(n))
	if g == 1 {
		r.contract(x, 1, w, 0)
		r.same(y, 1, w, 1, name(n))
		return
	}
	if !x.Shape[1].Known() || !w.Shape[0].Known() || !w.Shape[1].Known() {
		r.opaque(n, name(n)+" has groups of unknown size")
		return
	}
	r.same(x, 1, w, 0, name(n))
	r.grouped(g, Axis{w, 0}, Axis{y, 1}, w.Shape[0].Mul/g, w.Shape[1].Mul, Axis{w, 0}, Axis{w, 1})
}, "ConvTranspose")

// slides protects the spatial axes of a convolution.
func (r *relation) slides(x, w, y *graph.Value) {
	why := name(r.node) + " slides over this axis"
	r.same(x, 0, y, 0, name(r.node))
	r.keepFrom(x, 2, why)
	r.keepFrom(w, 2, why)
	r.keepFrom(y, 2, why)
}

// grouped ties the axes of a convolution with g groups, each of which reads ci
// positions of `from` and makes co of `to`. Either whole groups go, or the same
// places go in every group, so that the groups stay equal. The kernel's axes
// are kIn and kOut: one of them holds all groups, the other one group.
func (r *relation) grouped(g int, from, to Axis, ci, co int, kIn, kOut Axis) {
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
		if !r.dead(from.Value, from.Dim) && !r.dead(kIn.Value, kIn.Dim) {
			r.keep(from.Value, from.Dim, name(r.node)+" sums over this axis, where a channel that is cut need not be zero")
		}
		for k := range g {
			if kIn == from {
				r.tie(from.Value, from.Dim, k*ci, from.Value, from.Dim, 0, ci)
				r.tie(to.Value, to.Dim, k*co, kOut.Value, kOut.Dim, 0, co)
			} else {
				r.tie(from.Value, from.Dim, k*ci, kIn.Value, kIn.Dim, 0, ci)
				r.tie(to.Value, to.Dim, k*co, to.Value, to.Dim, 0, co)
			}
		}
		return
	}
	for k := range g {
		for i := range ci {
			r.tie1(from.Value, from.Dim, k*ci+i, to.Value, to.Dim, k*co)
		}
		for j := range co {
			r.tie1(to.Value, to.Dim, k*co+j, to.Value, to.Dim, k*co)
		}
	}
	why := name(r.node) + " has this axis in every group"
	if kIn != from {
		r.keep(kIn.Value, kIn.Dim, why)
	}
	if kOut != to {
		r.keep(kOut.Value, kOut.Dim, why)
	}
}

// Pooling keeps channels and mixes positions.
var _ = add(func(r *relation, n *graph.Node) {
	x := n.In(0)
	for _, y := range n.Outputs {
		if y == nil {
			continue
		}
		r.same(x, 0, y, 0, name(n))
		r.same(x, 1, y, 1, name(n))
		r.keepFrom(y, 2, name(n)+" slides over this axis")
	}
	r.keepFrom(x, 2, name(n)+" slides over this axis")
}, "MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")

// Resizing keeps the axes that it does not scale.
var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	for d := range x.Shape {
		if x.Shape[d] == y.Shape[d] && (d < 2 || n.Op == "Upsample") {
			r.same(x, d, y, d, name(n))
			continue
		}
		r.keep(x, d, name(n)+" resizes this axis")
		r.keep(y, d, name(n)+" resizes this axis")
	}
}, "Resize", "Upsample")

// Space and depth: block*block channels become one channel's pixels. The place
// in the block is the outer part of the channel's number, but in mode CRD.
var _ = add(func(r *relation, n *graph.Node) {
	deep, flat := n.In(0), n.Out(0)
	if n.Op == "SpaceToDepth" {
		deep, flat = flat, deep
	}
	b := n.Int("blocksize", 1)
	r.same(deep, 0, flat, 0, name(n))
	r.keepFrom(deep, 2, name(n)+" moves this axis to another")
	r.keepFrom(flat, 2, name(n)+" moves this axis to another")
	c := r.size(flat, 1)
	if c == 0 {
		r.keep(deep, 1, name(n)+" moves this axis to others")
		return
	}
	crd := n.Str("mode", "DCR") == "CRD"
	for k := range b * b {
		for j := range c {
			i := k*c + j
			if crd {
				i = j*b*b + k
			}
			r.tie1(deep, 1, i, flat, 1, j)
		}
	}
}, "DepthToSpace", "SpaceToDepth")
