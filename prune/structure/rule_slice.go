package structure

import (
	"errors"

	"pare/graph"
)

// Slice takes a range of positions, with steps, of some axes.
var _ = register(Rule{Tie: tieSlice, Adapt: adaptSlice, Zeros: zeroAsFirst, Flow: FlowScales}, "Slice")

func tieSlice(r *Relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	p, ok := sliceOf(r.g, n)
	if !ok {
		r.Opaque("slices axes that are not constant")
		return
	}
	for d := range x.Shape {
		s, cut := p[d]
		switch {
		case !cut || s.known && s.start == 0 && s.step == 1 && x.Shape[d] == y.Shape[d]:
			r.Same(x, d, y, d)
		case !s.known:
			r.Keep(x, d, "slices by values that are not constant")
			r.Keep(y, d, "slices by values that are not constant")
		case r.Size(y, d) == 0 && y.Shape[d] == graph.N(1):
			r.KeepOne(x, d, s.start, "takes a single position")
		case r.Size(y, d) > 0:
			r.TiePairs(x, d, y, d, func(yield func(i, j int) bool) {
				for j := range y.Shape[d].Mul {
					if !yield(s.start+j*s.step, j) {
						return
					}
				}
			})
		default:
			r.Keep(x, d, "slices this axis")
			r.Keep(y, d, "slices this axis")
		}
	}
}

// slice is the range of one axis.
type slice struct {
	from, to, step int  // as the node states them
	stated         bool // from, to and step are constant
	start          int  // within the axis
	known          bool // start and step are
}

// sliceOf gives the ranges of a Slice by axis; false where its axes are not
// constant.
func sliceOf(g *graph.Graph, n *graph.Node) (map[int]slice, bool) {
	starts, ends, axes := n.Ints("starts"), n.Ints("ends"), n.Ints("axes")
	var steps []int
	known, stated := true, true
	count := len(starts)
	if g.Version("") >= 10 {
		starts, known = ints(n.In(1))
		ends, stated = ints(n.In(2))
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
		if known && stated {
			s.from, s.to, s.stated = starts[i], ends[i], true
		}
		if known && shape[a].Known() {
			s.start, s.known = within(starts[i], s.step, shape[a].Mul), true
		}
		out[a] = s
	}
	return out, true
}

// within gives where a range begins on an axis of a size.
func within(start, step, size int) int {
	if start < 0 {
		start += size
	}
	if step < 0 {
		return min(max(start, 0), size-1)
	}
	return min(max(start, 0), size)
}

// adaptSlice moves the ranges of axes that are cut. Where what is left of a
// range is no range with equal steps, a Gather takes it.
func adaptSlice(c *Cutting) error {
	x, y := c.Old.In(0), c.Old.Out(0)
	p, ok := sliceOf(c.Graph, c.Old)
	if !ok {
		return errors.New("its axes are not constant")
	}
	ranges := make([][]int, 4) // starts, ends, axes, steps
	add := func(v ...int) {
		for i := range ranges {
			ranges[i] = append(ranges[i], v[i])
		}
	}
	changed := false
	for d := range x.Shape {
		s, cut := p[d]
		if !cut {
			continue
		}
		k := c.Kept(x, d)
		if k == nil { // as it was
			if !s.stated {
				return errors.New("its range is not constant")
			}
			add(s.from, s.to, d, s.step)
			continue
		}
		changed = true
		ky := c.Kept(y, d)
		var at []int
		for j := range y.Shape[d].Mul {
			if ky == nil || ky.Kept(j) {
				at = append(at, count(k, 0, s.start+j*s.step))
			}
		}
		if step, ok := even(at); ok {
			add(at[0], at[len(at)-1]+1, d, step)
		} else {
			c.After("Gather", []*graph.Value{c.Ints(y.Name+"/at", at)}, graph.MakeAttr("axis", d))
		}
	}
	switch n := c.New; {
	case !changed:
	case ranges[0] == nil:
		n.Op, n.Attrs, n.Inputs = "Identity", nil, n.Inputs[:1]
	case c.Graph.Version("") < 10:
		n.Set("starts", ranges[0]).Set("ends", ranges[1]).Set("axes", ranges[2])
	default:
		for i, v := range ranges {
			c.SetInput(i+1, v)
		}
	}
	return nil
}

// even gives the step of positions that are equally far apart.
func even(at []int) (step int, ok bool) {
	step = 1
	if len(at) > 1 {
		step = at[1] - at[0]
	}
	for i := range at {
		if at[i] != at[0]+i*step {
			return 0, false
		}
	}
	return step, step > 0
}
