package structure

import "pare/graph"

// Reshape and Flatten regroup axes. Where one axis becomes several, or several
// become one, a position of one of the several is a block of the one: of
// [C H W] -> [C*H*W] a channel is H*W positions in a row, of [heads*d] ->
// [heads d] a head is d positions. The other axes of the run are protected.
var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	if n.Op == "Reshape" && !n.In(1).IsConst() {
		r.opaque(n, name(n)+" reshapes to a computed shape")
		return
	}
	runs, ok := matchRuns(x.Shape, y.Shape)
	if !ok {
		r.opaque(n, name(n)+" regroups axes in a way that cannot be followed")
		return
	}
	for _, k := range runs {
		switch {
		case len(k.in) == 1 && len(k.out) == 1:
			r.same(x, k.in[0], y, k.out[0], name(n))
		case len(k.out) == 1:
			r.block(x, k.in, first(x, k.in), y, k.out[0], name(n))
		case len(k.in) == 1:
			r.block(y, k.out, unit(y, k.out), x, k.in[0], name(n))
		default:
			for _, d := range k.in {
				r.keep(x, d, name(n)+" mixes this axis with others")
			}
			for _, d := range k.out {
				r.keep(y, d, name(n)+" mixes this axis with others")
			}
		}
	}
}, "Reshape", "Flatten")

// run is a stretch of axes of equal product before and after.
type run struct{ in, out []int }

// matchRuns splits two shapes of equal size into the shortest runs of equal
// product. Axes of one position are dropped.
func matchRuns(a, b graph.Shape) ([]run, bool) {
	one := graph.N(1)
	drop := func(s graph.Shape) []int {
		var o []int
		for d := range s {
			if s[d] != one {
				o = append(o, d)
			}
		}
		return o
	}
	ia, ib := drop(a), drop(b)
	var out []run
	for len(ia) > 0 && len(ib) > 0 {
		k := run{ia[:1], ib[:1]}
		p, q := a[ia[0]], b[ib[0]]
		for p != q {
			// extend the side that divides the other
			if _, ok := q.Over(p); ok && len(k.in) < len(ia) {
				p = p.Times(a[ia[len(k.in)]])
				k.in = ia[:len(k.in)+1]
			} else if _, ok := p.Over(q); ok && len(k.out) < len(ib) {
				q = q.Times(b[ib[len(k.out)]])
				k.out = ib[:len(k.out)+1]
			} else if p.Known() && q.Known() && p.Mul < q.Mul && len(k.in) < len(ia) {
				p = p.Times(a[ia[len(k.in)]])
				k.in = ia[:len(k.in)+1]
			} else if len(k.out) < len(ib) {
				q = q.Times(b[ib[len(k.out)]])
				k.out = ib[:len(k.out)+1]
			} else {
				return nil, false
			}
		}
		out = append(out, k)
		ia, ib = ia[len(k.in):], ib[len(k.out):]
	}
	return out, len(ia) == 0 && len(ib) == 0
}

// first chooses the axis of a run that becomes one: the outermost, which is
// the channel of [C H W] and the head of [heads d].
func first(v *graph.Value, dims []int) int { return dims[0] }

// unit chooses the axis of a run that one axis becomes: the last but one,
// which is the head of [heads d] and of [3 heads d].
func unit(v *graph.Value, dims []int) int { return dims[len(dims)-2] }

// block ties position i of axis `pick` of v, one of dims, to all positions of
// the joined axis of w that have i in that place.
func (r *relation) block(v *graph.Value, dims []int, pick int, w *graph.Value, joined int, what string) {
	n := r.size(w, joined)
	inner, seen := 1, false
	for _, d := range dims {
		if !v.Shape[d].Known() {
			r.keep(w, joined, what+" joins axes of unknown size")
			for _, d := range dims {
				r.keep(v, d, what+" joins axes of unknown size")
			}
			return
		}
		if seen {
			inner *= v.Shape[d].Mul
		}
		if d == pick {
			seen = true
		} else {
			r.keep(v, d, what+" joins this axis with others")
		}
	}
	size := v.Shape[pick].Mul
	for j := range n {
		r.tie1(v, pick, j/inner%size, w, joined, j)
	}
}
