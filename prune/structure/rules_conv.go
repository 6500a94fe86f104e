package structure

import "pare/graph"

// Convolution: output channels are rows of the kernel, input channels its
// columns. In a grouped convolution the same position goes in every group, so
// that groups stay equal; in a depthwise one a channel is a group.
var _ = add(func(r *relation, n *graph.Node) {
	x, w, b, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	g := n.Int("group", 1)
	why := name(n) + " slides over this axis"
	r.same(x, 0, y, 0, name(n))
	r.keepFrom(x, 2, why)
	r.keepFrom(w, 2, why)
	r.keepFrom(y, 2, why)
	r.same(y, 1, w, 0, name(n))
	r.same(b, 0, w, 0, name(n))
	if g == 1 {
		r.same(x, 1, w, 1, name(n))
		return
	}
	co, ci := w.Shape[0].Mul/g, w.Shape[1].Mul
	if ci == 1 { // depthwise, with co outputs for each input
		for c := range g {
			for k := range co {
				r.tie1(x, 1, c, w, 0, c*co+k)
			}
		}
		return
	}
	for k := range g {
		r.tie(x, 1, k*ci, w, 1, 0, ci)
		r.tie(w, 0, k*co, w, 0, 0, co)
	}
}, "Conv")

// Transposed convolution: the kernel is [in, out/groups, k...].
var _ = add(func(r *relation, n *graph.Node) {
	x, w, b, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	if n.Int("group", 1) != 1 {
		r.opaque(n, name(n)+" has groups")
		return
	}
	why := name(n) + " slides over this axis"
	r.same(x, 0, y, 0, name(n))
	r.same(x, 1, w, 0, name(n))
	r.same(y, 1, w, 1, name(n))
	r.same(b, 0, w, 1, name(n))
	r.keepFrom(x, 2, why)
	r.keepFrom(w, 2, why)
	r.keepFrom(y, 2, why)
}, "ConvTranspose")

// Pooling and resizing keep channels and mix positions.
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

// Normalisations by channel.
var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	for d := range x.Shape {
		r.same(x, d, y, d, name(n))
	}
	for _, p := range n.Inputs[1:] {
		r.same(x, 1, p, 0, name(n))
	}
	for _, p := range n.Outputs[1:] {
		r.same(x, 1, p, 0, name(n))
	}
	if n.Op == "InstanceNormalization" {
		r.keepFrom(x, 2, name(n)+" normalises over this axis")
	}
}, "BatchNormalization", "InstanceNormalization")

// Layer normalisation mixes the axes from `axis` on: removing a position would
// move the mean and variance of the others.
var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	a := normal(n.Int("axis", -1), len(x.Shape))
	why := name(n) + " normalises over this axis"
	for d := range x.Shape {
		if d < a {
			r.same(x, d, y, d, name(n))
			continue
		}
		r.keep(x, d, why)
		r.keep(y, d, why)
		for _, p := range n.Inputs[1:] {
			if p != nil {
				r.keep(p, d-len(x.Shape)+len(p.Shape), why)
			}
		}
	}
}, "LayerNormalization", "RMSNormalization")
