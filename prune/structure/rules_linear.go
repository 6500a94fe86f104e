package structure

import "pare/graph"

// Gemm: y = A*B + C, either side transposed or not.
var _ = add(func(r *relation, n *graph.Node) {
	a, b, c, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	ta, tb := n.Int("transA", 0), n.Int("transB", 0)
	r.same(a, ta, y, 0, name(n))
	r.same(b, 1-tb, y, 1, name(n))
	r.same(a, 1-ta, b, tb, name(n))
	if c != nil {
		for d := range c.Shape {
			r.same(c, d, y, d+2-len(c.Shape), name(n))
		}
	}
}, "Gemm")

// MatMul: the last axis of A meets the last but one of B; leading axes are
// batches and broadcast.
var _ = add(func(r *relation, n *graph.Node) {
	a, b, y := n.In(0), n.In(1), n.Out(0)
	ra, rb, ry := len(a.Shape), len(b.Shape), len(y.Shape)
	if ra == 0 || rb == 0 {
		r.opaque(n, name(n)+" multiplies a scalar")
		return
	}
	if rb == 1 {
		r.same(a, ra-1, b, 0, name(n))
		for d := range ra - 1 {
			r.same(a, d, y, d, name(n))
		}
		return
	}
	r.same(a, ra-1, b, rb-2, name(n))
	r.same(b, rb-1, y, ry-1, name(n))
	if ra > 1 {
		r.same(a, ra-2, y, ry-2, name(n))
	}
	skip := 2 // trailing axes of y that are not batches
	if ra == 1 {
		skip = 1
	}
	for k := 0; k < ry-skip; k++ {
		d := ry - skip - 1 - k
		if e := ra - 3 - k; e >= 0 {
			r.same(a, e, y, d, name(n)+" broadcasts this axis")
		}
		if e := rb - 3 - k; e >= 0 {
			r.same(b, e, y, d, name(n)+" broadcasts this axis")
		}
	}
}, "MatMul")

// Gather: the axes of the indices stand in the place of the gathered axis,
// which constant indices map and computed ones protect.
var _ = add(func(r *relation, n *graph.Node) {
	x, idx, y := n.In(0), n.In(1), n.Out(0)
	a := normal(n.Int("axis", 0), len(x.Shape))
	q := len(idx.Shape)
	for d := range x.Shape {
		switch {
		case d < a:
			r.same(x, d, y, d, name(n))
		case d > a:
			r.same(x, d, y, d+q-1, name(n))
		}
	}
	if idx.IsConst() && q == 1 && r.size(y, a) > 0 {
		if is, err := idx.Const.Int64s(); err == nil {
			size := r.size(x, a)
			for j, i := range is {
				if k := normal(int(i), size); size > 0 {
					r.tie1(x, a, k, y, a, j)
				}
			}
			r.keepAll(idx, name(n)+" reads indices")
			return
		}
	}
	r.keep(x, a, name(n)+" looks up this axis")
	for d := range idx.Shape {
		r.same(idx, d, y, a+d, name(n))
	}
}, "Gather")
