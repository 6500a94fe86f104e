package structure

import (
	"pare/graph"
	"pare/tensor"
)

// Normalisations by channel.
var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	for d := range x.Shape {
		r.same(x, d, y, d, name(n))
	}
	for _, p := range n.Inputs[1:] {
		r.same(y, 1, p, 0, name(n))
	}
	for _, p := range n.Outputs[1:] {
		r.same(y, 1, p, 0, name(n))
	}
	if n.Op == "InstanceNormalization" || n.Int("training_mode", 0) != 0 {
		r.keepFrom(x, 2, name(n)+" normalises over this axis")
	}
	if n.Int("training_mode", 0) != 0 { // statistics of the batch
		r.keep(x, 0, name(n)+" normalises over this axis")
	}
}, "BatchNormalization", "InstanceNormalization")

// Group normalisation: a group goes as a whole, or the others' mean and
// variance would move.
var _ = add(func(r *relation, n *graph.Node) {
	x, scale, bias, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	g := n.Int("num_groups", 1)
	r.same(x, 0, y, 0, name(n))
	r.same(x, 1, y, 1, name(n))
	r.keepFrom(x, 2, name(n)+" normalises over this axis")
	c := r.size(x, 1)
	if c == 0 || g < 1 || c%g != 0 {
		r.opaque(n, name(n)+" normalises an axis of unknown size")
		return
	}
	for _, p := range []*graph.Value{scale, bias} {
		if p.Shape[0] == x.Shape[1] {
			r.same(y, 1, p, 0, name(n))
		} else { // until opset 20: one for each group
			r.tieAll(y, 1, p, 0, overlap(c, 1, c/g, g, c))
		}
	}
	for i := range c {
		r.tie1(y, 1, i, y, 1, i/(c/g)*(c/g))
	}
}, "GroupNormalization")

// Layer normalisation takes mean and variance over the axes from `axis` on.
// Over the last axis alone, what is cut was zero and is put back as zeros for
// them alone (see adapt); else it would move those of the others.
var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	a := normal(n.Int("axis", -1), len(x.Shape))
	last := len(x.Shape) - 1
	padded := a == last && r.dead(x, last) && x.DType == tensor.Float32 && len(n.Outputs) == 1 && r.g.Version("") >= 17
	for _, p := range n.Inputs[1:] {
		padded = padded && (p == nil || len(p.Shape) == 1 && r.dead(p, 0))
	}
	why := name(n) + " takes mean and variance over this axis"
	for d := range x.Shape {
		if d < a || padded {
			r.same(x, d, y, d, name(n))
		}
		if d < a {
			continue
		}
		for _, p := range n.Inputs[1:] {
			switch {
			case p == nil:
			case padded:
				r.same(p, 0, y, d, name(n))
			default:
				r.keep(p, d-len(x.Shape)+len(p.Shape), why)
			}
		}
		if !padded {
			r.keep(x, d, why)
			r.keep(y, d, why)
		}
	}
}, "LayerNormalization")

// RMS normalisation takes only the mean of squares, to which what is zero adds
// nothing: scale and epsilon make up for the number (see adapt).
var _ = add(func(r *relation, n *graph.Node) {
	x, w, y := n.In(0), n.In(1), n.Out(0)
	a := normal(n.Int("axis", -1), len(x.Shape))
	for d := range x.Shape {
		r.same(x, d, y, d, name(n))
		if d < a {
			continue
		}
		r.same(w, d-len(x.Shape)+len(w.Shape), y, d, name(n))
		if !r.dead(x, d) || d != len(x.Shape)-1 || a != d || !w.IsConst() {
			r.keep(x, d, name(n)+" takes the mean of squares over this axis")
		}
	}
}, "RMSNormalization")

// A division by a norm.
var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	a := normal(n.Int("axis", -1), len(x.Shape))
	for d := range x.Shape {
		r.same(x, d, y, d, name(n))
		if d == a && !r.dead(x, d) {
			r.keep(x, d, name(n)+" takes the norm over this axis")
		}
	}
}, "LpNormalization")
