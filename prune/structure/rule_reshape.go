package structure

import (
	"slices"
	"sort"

	"pare/graph"
)

// Reshape and Flatten regroup axes. Of each run of axes that becomes another
// run, one axis before and one after carry the channels, and a position of the
// one goes with those of the other that hold the same elements: of [C H W] ->
// [C*H*W] a channel goes with H*W positions in a row, of [heads*d] -> [heads d]
// a head with d positions, of [C H W] -> [groups C/groups*H*W] the channels of
// a group with the group. The other axes of the run are protected.
var (
	_ = register(Rule{Tie: tieReshape, Adapt: adaptShape(1), Zeros: zeroAsFirst, Separate: true, Flow: FlowScales}, "Reshape")
	_ = register(Rule{Tie: tieReshape, Zeros: zeroAsFirst, Separate: true, Flow: FlowScales}, "Flatten")
)

func tieReshape(r *Relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	runs, ok := matchRuns(x.Shape, y.Shape)
	if !ok {
		r.Opaque("regroups axes in a way that cannot be followed")
		return
	}
	for i, k := range runs {
		if len(k.in) == 1 && len(k.out) == 1 {
			r.Same(x, k.in[0], y, k.out[0])
			continue
		}
		r.regroup(i, x, k.in, y, k.out)
	}
}

// pair is an axis before and one after that may carry the channels of a run.
type pair struct{ in, out int }

// regroup ties the axes of a run.
func (r *Relation) regroup(part int, x *graph.Value, in []int, y *graph.Value, out []int) {
	var pairs []pair
	after := carriers(y, out)
	if r.shuffled(y, out) { // the larger of the two is what stays together
		sort.SliceStable(after, func(a, b int) bool { return y.Shape[after[a]].Mul > y.Shape[after[b]].Mul })
	}
	for _, i := range carriers(x, in) {
		for _, j := range after {
			if period(x, in, i)%period(y, out, j) == 0 || period(y, out, j)%period(x, in, i) == 0 {
				pairs = append(pairs, pair{i, j})
			}
		}
	}
	const what = "mixes this axis with others"
	pick := pair{-1, -1}
	if len(pairs) > 0 {
		axes := make([][]Axis, len(pairs))
		for k, p := range pairs {
			axes[k] = []Axis{{x, p.in}, {y, p.out}}
		}
		k := r.choose(part, axes)
		if k < 0 {
			return
		}
		pick = pairs[k]
		s, t := stride(x, in, pick.in), stride(y, out, pick.out)
		n := max(period(x, in, pick.in), period(y, out, pick.out))
		r.TiePairs(x, pick.in, y, pick.out, overlap(n, s, t, x.Shape[pick.in].Mul, y.Shape[pick.out].Mul))
	}
	for _, d := range in {
		if d != pick.in {
			r.Keep(x, d, what)
		}
	}
	for _, d := range out {
		if d != pick.out {
			r.Keep(y, d, what)
		}
	}
}

// overlap lists the pairs of positions of two axes that hold a common element,
// of n elements in a row: strides s and t, sizes a and b. Where each position of
// one axis holds all those of the other, every pair has one; those that tie them
// all are enough.
func overlap(n, s, t, a, b int) func(yield func(i, j int) bool) {
	return func(yield func(i, j int) bool) {
		rows := func(k int) bool { return yield(k, 0) }
		columns := func(k int) bool { return yield(0, k) }
		switch {
		case s%(t*b) == 0:
			_ = upTo(b, columns) && upTo(a, rows)
		case t%(s*a) == 0:
			_ = upTo(a, rows) && upTo(b, columns)
		default:
			for e := 0; e < n; e = min((e/s+1)*s, (e/t+1)*t) {
				if !yield(e/s%a, e/t%b) {
					return
				}
			}
		}
	}
}

// upTo calls f with 0 to n-1 until it is false.
func upTo(n int, f func(k int) bool) bool {
	for k := range n {
		if !f(k) {
			return false
		}
	}
	return true
}

// maxPeriod bounds the elements that regroup looks at.
const maxPeriod = 1 << 24

// carriers lists the axes of a run that may carry channels, those to try first
// in front: the last but one, which is the head of [heads d] and of [3 heads d],
// then the larger ones. Their sizes, and those within them, must be known.
func carriers(v *graph.Value, dims []int) []int {
	var c []int
	for _, d := range dims {
		if v.Shape[d].Known() && v.Shape[d].Mul > 1 && period(v, dims, d) > 0 {
			c = append(c, d)
		}
	}
	sort.SliceStable(c, func(i, j int) bool { return v.Shape[c[i]].Mul > v.Shape[c[j]].Mul })
	if len(dims) > 1 {
		head := dims[len(dims)-2]
		if i := slices.Index(c, head); i > 0 {
			c = slices.Insert(slices.Delete(c, i, i+1), 0, head)
		}
	}
	return c
}

// shuffled says whether two axes are swapped at once, as a shuffle of channels
// does.
func (r *Relation) shuffled(y *graph.Value, dims []int) bool {
	u := r.uses[y]
	if len(dims) != 2 || len(u) != 1 || !u[0].Node.Is("Transpose") {
		return false
	}
	p := u[0].Node.Ints("perm")
	for i := range p[:max(0, len(p)-1)] {
		if p[i] == dims[1] && p[i+1] == dims[0] {
			return true
		}
	}
	return false
}

// stride is the number of elements of a run from one position of axis d to the
// next; 0 where it is not known.
func stride(v *graph.Value, dims []int, d int) int {
	s := 1
	for _, e := range dims[slices.Index(dims, d)+1:] {
		if !v.Shape[e].Known() || s > maxPeriod {
			return 0
		}
		s *= v.Shape[e].Mul
	}
	return s
}

// period is the number of elements after which the positions of axis d repeat;
// 0 where it is not known, or too large to look at.
func period(v *graph.Value, dims []int, d int) int {
	if p := stride(v, dims, d) * v.Shape[d].Mul; p <= maxPeriod {
		return p
	}
	return 0
}

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
			} else if len(k.in) < len(ia) {
				p = p.Times(a[ia[len(k.in)]])
				k.in = ia[:len(k.in)+1]
			} else {
				return nil, false
			}
		}
		out = append(out, k)
		ia, ib = ia[len(k.in):], ib[len(k.out):]
	}
	return out, len(ia) == 0 && len(ib) == 0
}
