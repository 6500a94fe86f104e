package structure

import (
	"errors"
	"math"
	"slices"

	"pare/graph"
)

// Slice takes a range of positions, with steps, of some axes.
var _ = register(Rule{Tie: tieSlice, Adapt: adaptSlice, Zeros: zeroAsFirst, Flow: FlowScales}, "Slice")

func tieSlice(r *Relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	p, ok := sliceOf(r.numbers, n)
	if !ok {
		r.Opaque("slices axes that are not constant")
		return
	}
	for d := range x.Shape {
		s, cut := p[d]
		switch {
		case !cut || s.whole(x, y, d):
			r.Same(x, d, y, d)
		case !s.known:
			r.Keep(x, d, "slices by values that are not constant")
			r.Keep(y, d, "slices by values that are not constant")
		case r.Size(y, d) == 0 && y.Shape[d] == graph.N(1):
			r.KeepOne(x, d, s.start, "takes a single position")
		case r.Size(y, d) > 0:
			r.TiePairs(x, d, y, d, func(yield func(i, j int) bool) {
				for j := range y.Shape[d].Mul {
					if !yield(s.start+j*s.step.n, j) {
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
	entry          int    // which of the node's ranges it is
	from, to, step number // as the node states them
	start          int    // within the axis
	known          bool   // start and step are
}

// whole says whether the range is all of an axis in its order. Where as many
// positions come out as go in, one after another, where it begins need not be known.
func (s slice) whole(x, y *graph.Value, d int) bool {
	return s.step == number{1, true} && x.Shape[d].Known() && x.Shape[d] == y.Shape[d]
}

// sliceOf gives the ranges of a Slice by axis; false where its axes are not
// constant.
func sliceOf(k *numbers, n *graph.Node) (map[int]slice, bool) {
	starts, ends, axes := stated(n.Ints("starts")), stated(n.Ints("ends")), stated(n.Ints("axes"))
	var steps []number
	given := n.Attr("axes") != nil
	if k.g.Version("") >= 10 {
		var ok bool
		if starts, ok = k.of(n.In(1)); !ok {
			return nil, false
		}
		if ends, ok = k.of(n.In(2)); !ok {
			return nil, false
		}
		if given = n.In(3) != nil; given {
			if axes, ok = k.of(n.In(3)); !ok {
				return nil, false
			}
		}
		if n.In(4) != nil {
			if steps, ok = k.of(n.In(4)); !ok {
				return nil, false
			}
		}
	}
	out := map[int]slice{}
	shape := n.In(0).Shape
	if len(ends) != len(starts) || given && len(axes) != len(starts) || steps != nil && len(steps) != len(starts) || len(starts) > len(shape) {
		return nil, false
	}
	for i := range starts {
		a := i
		if given {
			if !axes[i].known {
				return nil, false
			}
			a = normal(axes[i].n, len(shape))
		}
		if a < 0 || a >= len(shape) {
			return nil, false
		}
		s := slice{entry: i, from: starts[i], to: ends[i], step: number{1, true}}
		if steps != nil {
			s.step = steps[i]
		}
		if s.from.known && s.step.known && shape[a].Known() {
			s.start, s.known = within(s.from.n, s.step.n, shape[a].Mul), true
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
// range is no range with equal steps, a Gather takes it. Ranges of other axes
// stay as they are, however they are computed.
func adaptSlice(c *Cutting) error {
	x, y := c.Old.In(0), c.Old.Out(0)
	p, ok := sliceOf(c.numbers, c.Old)
	if !ok {
		return errors.New("its axes are not constant")
	}
	ranges := make([][]int, 4) // starts, ends, axes, steps
	add := func(v ...int) {
		for i := range ranges {
			ranges[i] = append(ranges[i], v[i])
		}
	}
	cut := map[int][3]int{} // by entry: start, end, step
	allStated := true
	for d := range x.Shape {
		s, sliced := p[d]
		if !sliced {
			continue
		}
		k := c.Kept(x, d)
		if k == nil { // as it was
			allStated = allStated && s.from.known && s.to.known && s.step.known
			add(s.from.n, s.to.n, d, s.step.n)
			continue
		}
		at, err := s.left(c, d)
		if err != nil {
			return err
		}
		if len(at) == 0 {
			return errors.New("nothing is left of its range")
		}
		if step, ok := even(at); ok {
			add(at[0], at[len(at)-1]+1, d, step)
			cut[s.entry] = [3]int{at[0], at[len(at)-1] + 1, step}
		} else {
			c.After("Gather", []*graph.Value{c.Ints(y.Name+"/at", at)}, graph.MakeAttr("axis", d))
			cut[s.entry] = [3]int{0, math.MaxInt64, 1}
		}
	}
	switch n := c.New; {
	case len(cut) == 0:
	case ranges[0] == nil:
		n.Op, n.Attrs, n.Inputs = "Identity", nil, n.Inputs[:1]
	case c.Graph.Version("") < 10:
		n.Set("starts", ranges[0]).Set("ends", ranges[1]).Set("axes", ranges[2])
	case !allStated:
		c.overwriteRanges(cut)
	default:
		for i, v := range ranges {
			c.SetInput(i+1, v)
		}
	}
	return nil
}

// left lists the positions that are left of a range of an axis that is cut.
func (s slice) left(c *Cutting, d int) ([]int, error) {
	x, y := c.Old.In(0), c.Old.Out(0)
	k, ky := c.Kept(x, d), c.Kept(y, d)
	start := s.start
	switch {
	case s.whole(x, y, d):
		start = 0
	case !s.known:
		return nil, errors.New("its range is not constant")
	}
	var at []int
	for j := range y.Shape[d].Mul {
		if ky == nil || ky.Kept(j) {
			at = append(at, count(k, 0, start+j*s.step.n))
		}
	}
	return at, nil
}

// overwriteRanges changes some of the ranges of a Slice among which others are
// computed.
func (c *Cutting) overwriteRanges(cut map[int][3]int) {
	for i := range 3 {
		with := map[int]int{}
		for entry, v := range cut {
			with[entry] = v[i]
		}
		if i < 2 {
			c.overwrite(i+1, with)
			continue
		}
		if c.New.In(4) == nil { // all steps are 1
			ones := slices.Repeat([]int64{1}, c.Old.In(1).Shape[0].Mul)
			for len(c.New.Inputs) < 5 {
				c.New.Inputs = append(c.New.Inputs, nil)
			}
			c.New.Inputs[4] = c.Graph.Const(c.Old.In(1).Name+"/steps", vector(c.Old.In(1).DType, ones), graph.Frozen)
		}
		c.overwrite(4, with)
	}
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
