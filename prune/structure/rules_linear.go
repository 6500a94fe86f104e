package structure

import (
	"strings"

	"pare/graph"
)

// Gemm: y = A*B + C, either side transposed or not.
var _ = add(func(r *relation, n *graph.Node) {
	a, b, c, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	ta, tb := n.Int("transA", 0), n.Int("transB", 0)
	r.same(a, ta, y, 0, name(n))
	r.same(b, 1-tb, y, 1, name(n))
	r.contract(a, 1-ta, b, tb)
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
		r.contract(a, ra-1, b, 0)
		for d := range ra - 1 {
			r.same(a, d, y, d, name(n))
		}
		return
	}
	r.contract(a, ra-1, b, rb-2)
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

// Einsum: axes of one letter go together; a letter that the result lacks is
// summed over.
var _ = add(func(r *relation, n *graph.Node) {
	left, right, ok := strings.Cut(strings.ReplaceAll(n.Str("equation", ""), " ", ""), "->")
	terms := strings.Split(left, ",")
	if !ok || strings.Contains(left, ".") || len(terms) != len(n.Inputs) {
		r.opaque(n, name(n)+" has an equation that cannot be followed")
		return
	}
	type place struct {
		v   *graph.Value
		dim int
	}
	at := map[rune][]place{}
	for i, t := range terms {
		for d, c := range t {
			if strings.Count(t, string(c)) > 1 {
				r.opaque(n, name(n)+" takes a diagonal")
				return
			}
			at[c] = append(at[c], place{n.In(i), d})
		}
	}
	for d, c := range right {
		for _, p := range at[c] {
			r.same(p.v, p.dim, n.Out(0), d, name(n))
		}
	}
	for c, ps := range at {
		if strings.ContainsRune(right, c) {
			continue
		}
		zero := false
		for _, p := range ps {
			r.same(ps[0].v, ps[0].dim, p.v, p.dim, name(n))
			zero = zero || r.dead(p.v, p.dim)
		}
		if !zero {
			for _, p := range ps {
				r.keep(p.v, p.dim, name(n)+" sums over this axis, where a channel that is cut need not be zero")
			}
		}
	}
}, "Einsum")

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
			r.keepAll(idx, name(n)+" reads indices")
			size := r.size(x, a)
			if size == 0 {
				r.keep(y, a, name(n)+" repeats a position")
				return
			}
			r.tieAll(x, a, y, a, func(yield func(i, j int) bool) {
				for j, i := range is {
					if !yield(normal(int(i), size), j) {
						return
					}
				}
			})
			return
		}
	}
	r.keep(x, a, name(n)+" looks up this axis")
	for d := range idx.Shape {
		r.same(idx, d, y, a+d, name(n))
	}
}, "Gather")

// GatherElements looks up one axis; the others are those of the indices.
var _ = add(func(r *relation, n *graph.Node) {
	x, idx, y := n.In(0), n.In(1), n.Out(0)
	a := normal(n.Int("axis", 0), len(x.Shape))
	for d := range x.Shape {
		if d == a {
			r.keep(x, d, name(n)+" looks up this axis")
			r.same(idx, d, y, d, name(n))
			continue
		}
		r.same(x, d, y, d, name(n)+" takes a part of this axis")
		r.same(idx, d, y, d, name(n))
		if r.size(x, d) != r.size(y, d) {
			r.keep(x, d, name(n)+" takes a part of this axis")
			r.keep(y, d, name(n)+" takes a part of this axis")
		}
	}
}, "GatherElements")
