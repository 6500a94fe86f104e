package structure

import (
	"pare/graph"
	"pare/tensor"
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

// Concat puts the positions of its inputs one after another.
var _ = add(func(r *relation, n *graph.Node) {
	y := n.Out(0)
	a := normal(n.Int("axis", 0), len(y.Shape))
	known := y.Shape[a].Known()
	for _, x := range n.Inputs {
		for d := range x.Shape {
			if d != a {
				r.same(x, d, y, d, name(n))
			}
		}
		known = known && x.Shape[a].Known()
	}
	off := 0
	for _, x := range n.Inputs {
		switch {
		case !known:
			r.keep(x, a, name(n)+" joins axes of unknown size")
			r.keep(y, a, name(n)+" joins axes of unknown size")
		case x.Shape[a].Mul == 1: // a single position is not tracked and stays
			r.keepOne(y, a, off, name(n)+" joins a single position")
		default:
			r.tie(x, a, 0, y, a, off, x.Shape[a].Mul)
		}
		off += x.Shape[a].Mul
	}
}, "Concat")

// keepOne protects one position of an axis.
func (r *relation) keepOne(v *graph.Value, dim, i int, why string) {
	if r.size(v, dim) > 0 {
		t := r.root(r.base[Axis{v, dim}] + int32(i))
		if _, ok := r.protect[t]; !ok {
			r.protect[t] = why
		}
	}
}

// Split is Concat backwards.
var _ = add(func(r *relation, n *graph.Node) {
	x := n.In(0)
	a := normal(n.Int("axis", 0), len(x.Shape))
	known := x.Shape[a].Known() && (n.In(1) == nil || n.In(1).IsConst())
	for _, y := range n.Outputs {
		if y == nil {
			known = false
			continue
		}
		for d := range x.Shape {
			if d != a {
				r.same(x, d, y, d, name(n))
			}
		}
		known = known && y.Shape[a].Known()
	}
	off := 0
	for _, y := range n.Outputs {
		switch {
		case !known:
			r.keep(x, a, name(n)+" splits by sizes that are not constant")
			r.keep(y, a, name(n)+" splits by sizes that are not constant")
			continue
		case y.Shape[a].Mul == 1:
			r.keepOne(x, a, off, name(n)+" splits off a single position")
		default:
			r.tie(y, a, 0, x, a, off, y.Shape[a].Mul)
		}
		off += y.Shape[a].Mul
	}
}, "Split")

var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	p, ok := sliceOf(r.g, n)
	if !ok {
		r.opaque(n, name(n)+" slices axes that are not constant")
		return
	}
	for d := range x.Shape {
		s, cut := p[d]
		switch {
		case !cut || s.known && s.start == 0 && s.step == 1 && x.Shape[d] == y.Shape[d]:
			r.same(x, d, y, d, name(n))
		case !s.known:
			r.keep(x, d, name(n)+" slices by values that are not constant")
			r.keep(y, d, name(n)+" slices by values that are not constant")
		case r.size(y, d) == 0 && y.Shape[d] == graph.N(1):
			r.keepOne(x, d, s.start, name(n)+" takes a single position")
		case r.size(y, d) > 0:
			r.tieAll(x, d, y, d, func(yield func(i, j int) bool) {
				for j := range y.Shape[d].Mul {
					if !yield(s.start+j*s.step, j) {
						return
					}
				}
			})
		default:
			r.keep(x, d, name(n)+" slices this axis")
			r.keep(y, d, name(n)+" slices this axis")
		}
	}
}, "Slice")

// slice is the range of one axis: its start within the axis, where it is
// known, and its step.
type slice struct {
	start, step int
	known       bool
}

// sliceOf gives the ranges of a Slice by axis; false where its axes are not
// constant.
func sliceOf(g *graph.Graph, n *graph.Node) (map[int]slice, bool) {
	starts, axes := n.Ints("starts"), n.Ints("axes")
	var steps []int
	known := true
	count := len(starts)
	if g.Version("") >= 10 {
		starts, known = ints(n.In(1))
		if n.In(3) != nil {
			var ok bool
			if axes, ok = ints(n.In(3)); !ok {
				return nil, false
			}
		}
		if n.In(4) != nil {
			var ok bool
			steps, ok = ints(n.In(4))
			known = known && ok
		}
		d := n.In(1).Shape
		if len(d) != 1 || !d[0].Known() {
			return nil, false
		}
		count = d[0].Mul
	}
	out := map[int]slice{}
	shape := n.In(0).Shape
	for i := range count {
		a := i
		if axes != nil {
			a = normal(axes[i], len(shape))
		}
		s := slice{step: 1}
		if steps != nil {
			s.step = steps[i]
		}
		if !known || !shape[a].Known() {
			out[a] = s
			continue
		}
		s.start, s.known = starts[i], true
		size := shape[a].Mul
		if s.start < 0 {
			s.start += size
		}
		if s.start = max(s.start, 0); s.step < 0 {
			s.start = min(s.start, size-1)
		} else {
			s.start = min(s.start, size)
		}
		out[a] = s
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
	off := len(y.Shape) - len(x.Shape)
	for d := range x.Shape {
		r.same(x, d, y, d+off, name(n)+" repeats this axis")
	}
}, "Expand")

// additive are the reductions to which zeros add nothing; ReduceMean is told how
// many there were (see adapt).
var additive = map[string]bool{"ReduceSum": true, "ReduceMean": true, "ReduceL1": true, "ReduceL2": true, "ReduceSumSquare": true}

var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	keep := n.Int("keepdims", 1) != 0
	axes := map[int]bool{}
	as, ok := reduced(n)
	if !ok {
		r.opaque(n, name(n)+" reduces axes that are not constant")
		return
	}
	for _, a := range as {
		axes[normal(a, len(x.Shape))] = true
	}
	o := 0
	for d := range x.Shape {
		if axes[d] {
			if !additive[n.Op] || !r.dead(x, d) || n.Op == "ReduceMean" && x.DType != tensor.Float32 {
				r.keep(x, d, name(n)+" reduces this axis, where a channel that is cut need not be zero")
			}
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

// reduced lists the axes of a reduction; false where they are computed.
func reduced(n *graph.Node) ([]int, bool) {
	if n.Is("ArgMax", "ArgMin") {
		return []int{n.Int("axis", 0)}, true
	}
	as := n.Ints("axes")
	if n.In(1) != nil {
		var ok bool
		if as, ok = ints(n.In(1)); !ok {
			return nil, false
		}
	}
	if len(as) == 0 && n.Int("noop_with_empty_axes", 0) == 0 {
		for d := range n.In(0).Shape {
			as = append(as, d)
		}
	}
	return as, true
}

// Tile repeats the positions of an axis.
var _ = add(func(r *relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	for d := range x.Shape {
		a, b := r.size(x, d), r.size(y, d)
		if a == 0 || b == 0 {
			r.keep(x, d, name(n)+" repeats this axis")
			r.keep(y, d, name(n)+" repeats this axis")
			continue
		}
		r.tieAll(x, d, y, d, overlap(b, 1, 1, a, b))
	}
}, "Tile")

// ConstantOfShape makes positions that are free.
var _ = add(func(r *relation, n *graph.Node) {
	a := n.Attr("value")
	for d := range n.Out(0).Shape {
		zero := a == nil
		if !zero && a.T != nil {
			x, err := a.T.Float64s()
			zero = err == nil && len(x) == 1 && x[0] == 0
		}
		r.zero[Axis{n.Out(0), d}] = zero
	}
}, "ConstantOfShape")

// What runs along some axes leaves the others as they are.
var _ = add(func(r *relation, n *graph.Node) {
	x := n.In(0)
	along := map[int]bool{}
	switch n.Op {
	case "Trilu":
		along[len(x.Shape)-1], along[len(x.Shape)-2] = true, true
	case "LRN":
		along[1] = true
	case "TopK":
		along[normal(n.Int("axis", -1), len(x.Shape))] = true
	case "ReverseSequence":
		along[n.Int("time_axis", 0)], along[n.Int("batch_axis", 1)] = true, true
	case "MeanVarianceNormalization":
		axes := n.Ints("axes")
		if axes == nil {
			axes = []int{0, 2, 3}
		}
		for _, a := range axes {
			along[normal(a, len(x.Shape))] = true
		}
	default:
		a, ok := ints(n.In(1))
		for d := range x.Shape {
			along[d] = !ok || len(a) != 1 || d == normal(a[0], len(x.Shape))
		}
	}
	for _, y := range n.Outputs {
		for d := range x.Shape {
			if along[d] {
				r.keep(x, d, name(n)+" runs along this axis")
				if y != nil {
					r.keep(y, d, name(n)+" runs along this axis")
				}
				continue
			}
			r.same(x, d, y, d, name(n))
		}
	}
}, "CumSum", "CumProd", "Trilu", "LRN", "TopK", "ReverseSequence", "MeanVarianceNormalization")

// ScatterND writes over the places that the indices name; where they are whole
// rows of constant number, a row goes with what is written to it.
var _ = add(func(r *relation, n *graph.Node) {
	x, idx, up, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	q := len(x.Shape)
	if d := idx.Shape; len(d) > 0 && d[len(d)-1].Known() {
		q = d[len(d)-1].Mul
	}
	r.keepAll(idx, name(n)+" reads indices")
	rows, ok := scattered(n)
	for d := range x.Shape {
		r.same(x, d, y, d, name(n))
		switch {
		case d >= q:
			r.same(up, d-q+len(idx.Shape)-1, y, d, name(n))
		case ok && r.size(x, 0) > 0 && r.size(up, 0) > 0:
			r.tieAll(y, 0, up, 0, func(yield func(i, j int) bool) {
				for j, i := range rows {
					if !yield(i, j) {
						return
					}
				}
			})
		default:
			r.keep(x, d, name(n)+" writes over places of this axis")
		}
	}
	for d := range up.Shape {
		if d < len(idx.Shape)-1 && !ok {
			r.keep(up, d, name(n)+" writes over places of this axis")
		}
	}
}, "ScatterND")

// scattered gives the rows that a ScatterND writes to, where they are constant.
func scattered(n *graph.Node) ([]int, bool) {
	rows, ok := ints(n.In(1))
	if s := n.In(1).Shape; !ok || len(s) != 2 || s[1] != graph.N(1) {
		return nil, false
	}
	if d := n.In(0).Shape[0]; d.Known() {
		for k := range rows {
			rows[k] = normal(rows[k], d.Mul)
		}
	}
	return rows, true
}

// GatherND keeps the axes behind those that the indices name.
var _ = add(func(r *relation, n *graph.Node) {
	x, idx, y := n.In(0), n.In(1), n.Out(0)
	b := n.Int("batch_dims", 0)
	d := idx.Shape
	if len(d) == 0 || !d[len(d)-1].Known() {
		r.opaque(n, name(n)+" has indices of unknown size")
		return
	}
	q := d[len(d)-1].Mul
	r.keepAll(idx, name(n)+" reads indices")
	for k := range y.Shape {
		if k < len(d)-1 {
			r.keep(y, k, name(n)+" looks this axis up")
		}
	}
	for k := range x.Shape {
		if k < b+q {
			r.keep(x, k, name(n)+" looks up this axis")
		} else {
			r.same(x, k, y, k-b-q+len(d)-1, name(n))
		}
	}
}, "GatherND")
