package structure

import (
	"pare/graph"
)

// Shape reads sizes; a smaller axis shows in it by itself.
var _ = add(func(r *relation, n *graph.Node) { r.keepAll(n.Out(0), name(n)) }, "Shape", "Size")

var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	perm := n.Ints("perm")
	for d := range y.Shape {
		s := len(x.Shape) - 1 - d
		if perm != nil {
			s = normal(perm[d], len(x.Shape))
		}
		r.same(x, s, y, d, name(n))
	}
}, "Transpose")

var _ = add(func(r *relation, n *graph.Node) {
	y := n.Out(0)
	a := normal(n.Int("axis", 0), len(y.Shape))
	off := 0
	for _, x := range n.Inputs {
		for d := range x.Shape {
			if d != a {
				r.same(x, d, y, d, name(n))
			}
		}
		if !x.Shape[a].Known() || !y.Shape[a].Known() {
			r.opaque(n, name(n)+" joins axes of unknown size")
			return
		}
		for i := range x.Shape[a].Mul {
			if r.size(x, a) == 0 { // a single position is not tracked and stays
				r.keepOne(y, a, off, name(n)+" joins a single position")
				continue
			}
			r.tie1(x, a, i, y, a, off+i)
		}
		off += x.Shape[a].Mul
	}
}, "Concat")

// keepOne protects one position of an axis.
func (r *relation) keepOne(v *graph.Value, dim, i int, why string) {
	if r.size(v, dim) > 0 {
		t := r.root(int32(r.base[Axis{v, dim}] + i))
		if _, ok := r.protect[t]; !ok {
			r.protect[t] = why
		}
	}
}

var _ = add(func(r *relation, n *graph.Node) {
	x := n.In(0)
	a := normal(n.Int("axis", 0), len(x.Shape))
	off := 0
	fixed := n.In(1) != nil && !n.In(1).IsConst()
	for _, y := range n.Outputs {
		if y == nil || !y.Shape[a].Known() || !x.Shape[a].Known() || fixed {
			r.opaque(n, name(n)+" splits an axis by sizes that are not constant")
			return
		}
		for d := range x.Shape {
			if d != a {
				r.same(x, d, y, d, name(n))
			}
		}
		if r.size(y, a) == 0 {
			r.keepOne(x, a, off, name(n)+" splits off a single position")
		} else {
			r.tie(y, a, 0, x, a, off, y.Shape[a].Mul)
		}
		off += y.Shape[a].Mul
	}
}, "Split")

var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	p, ok := sliceOf(r.g, n)
	if !ok {
		r.opaque(n, name(n)+" slices by values that are not constant")
		return
	}
	for d := range x.Shape {
		s, cut := p[d]
		switch {
		case !cut || s.start == 0 && s.step == 1 && x.Shape[d] == y.Shape[d]:
			r.same(x, d, y, d, name(n))
		case s.step == 1 && r.size(y, d) > 0:
			r.tie(y, d, 0, x, d, s.start, y.Shape[d].Mul)
		default:
			r.keep(x, d, name(n)+" strides over this axis")
			r.keep(y, d, name(n)+" strides over this axis")
		}
	}
}, "Slice")

// slice is the constant range of one axis, its start within the axis.
type slice struct{ start, step int }

// sliceOf gives the ranges of a Slice by axis; false where they are computed.
func sliceOf(g *graph.Graph, n *graph.Node) (map[int]slice, bool) {
	starts, axes := n.Ints("starts"), n.Ints("axes")
	var steps []int
	if g.Version("") >= 10 {
		var ok bool
		if starts, ok = ints(n.In(1)); !ok {
			return nil, false
		}
		if n.In(3) != nil {
			if axes, ok = ints(n.In(3)); !ok {
				return nil, false
			}
		}
		if n.In(4) != nil {
			if steps, ok = ints(n.In(4)); !ok {
				return nil, false
			}
		}
	}
	out := map[int]slice{}
	shape := n.In(0).Shape
	for i, s := range starts {
		a := i
		if axes != nil {
			a = normal(axes[i], len(shape))
		}
		step := 1
		if steps != nil {
			step = steps[i]
		}
		if !shape[a].Known() {
			out[a] = slice{s, 0}
			continue
		}
		size := shape[a].Mul
		if s < 0 {
			s += size
		}
		out[a] = slice{min(max(s, 0), size), step}
	}
	return out, true
}

func ints(v *graph.Value) ([]int, bool) {
	if !v.IsConst() {
		return nil, false
	}
	s, err := v.Const.Int64s()
	if err != nil {
		return nil, false
	}
	out := make([]int, len(s))
	for i, x := range s {
		out[i] = int(x)
	}
	return out, true
}

// Pad ties the old positions; the new ones are free, so that what is added to
// them may go with them.
var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	p, ok := padsOf(r.g, n)
	if !ok {
		r.opaque(n, name(n)+" pads by values that are not constant")
		return
	}
	mode := n.Str("mode", "constant")
	rank := len(x.Shape)
	for d := range x.Shape {
		before, after := p[d], p[d+rank]
		switch {
		case before == 0 && after == 0:
			r.same(x, d, y, d, name(n))
		case mode == "constant" && before >= 0 && after >= 0 && r.size(x, d) > 0:
			r.tie(x, d, 0, y, d, before, x.Shape[d].Mul)
		default:
			r.keep(x, d, name(n)+" pads this axis")
			r.keep(y, d, name(n)+" pads this axis")
		}
	}
}, "Pad")

// padsOf gives begins and ends by axis (2*rank numbers); false where computed.
func padsOf(g *graph.Graph, n *graph.Node) ([]int, bool) {
	rank := len(n.In(0).Shape)
	p := n.Ints("pads")
	if g.Version("") >= 11 {
		var ok bool
		if p, ok = ints(n.In(1)); !ok {
			return nil, false
		}
		if n.In(3) != nil {
			axes, ok := ints(n.In(3))
			if !ok || len(p) != 2*len(axes) {
				return nil, false
			}
			full := make([]int, 2*rank)
			for i, a := range axes {
				a = normal(a, rank)
				full[a], full[a+rank] = p[i], p[i+len(axes)]
			}
			p = full
		}
	}
	return p, len(p) == 2*rank
}

var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	// both drop or insert axes of one position: the others follow in order
	i := 0
	for d := range y.Shape {
		if y.Shape[d] == graph.N(1) {
			continue
		}
		for i < len(x.Shape) && x.Shape[i] == graph.N(1) {
			i++
		}
		if i == len(x.Shape) {
			return
		}
		r.same(x, i, y, d, name(n))
		i++
	}
}, "Squeeze", "Unsqueeze")

var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	if n.Op == "Expand" && !n.In(1).IsConst() {
		// the wanted shape follows the network's own shapes when it runs
		r.opaque(n, name(n)+" expands to a computed shape")
		return
	}
	off := len(y.Shape) - len(x.Shape)
	for d := range x.Shape {
		r.same(x, d, y, d+off, name(n)+" repeats this axis")
	}
}, "Expand")

var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	keep := n.Int("keepdims", 1) != 0
	axes := map[int]bool{}
	as := n.Ints("axes")
	if len(n.Inputs) > 1 && n.In(1) != nil {
		var ok bool
		if as, ok = ints(n.In(1)); !ok {
			r.opaque(n, name(n)+" reduces axes that are not constant")
			return
		}
	}
	if n.Is("ArgMax", "ArgMin") {
		as = []int{n.Int("axis", 0)}
	}
	if len(as) == 0 && n.Int("noop_with_empty_axes", 0) == 0 {
		for d := range x.Shape {
			as = append(as, d)
		}
	}
	for _, a := range as {
		axes[normal(a, len(x.Shape))] = true
	}
	o := 0
	for d := range x.Shape {
		if axes[d] {
			r.keep(x, d, name(n)+" reduces this axis")
			if keep {
				o++
			}
			continue
		}
		r.same(x, d, y, o, name(n))
		o++
	}
}, "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
	"ReduceLogSum", "ReduceLogSumExp", "ArgMax", "ArgMin")
