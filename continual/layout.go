package continual

import (
	"slices"

	"pare/graph"
	"pare/tensor"
)

// place finds the axis of the frames behind a Reshape: the one of their number with as many
// numbers in front. Behind a sample's axis they may lie on one axis with it (folded).
func place(v value, in, out graph.Shape) (axis int, folded, ok bool) {
	t := graph.N(v.frames)
	if v.folded {
		if v.axis != 0 || len(in) == 0 {
			return 0, false, false
		}
		outer, exact := in[0].Over(t)
		if !exact {
			return 0, false, false
		}
		for a := range out {
			if out[a] == t && out.Size(0, a) == outer {
				return a, false, true
			}
		}
		return 0, true, len(out) > 0 && out[0] == in[0]
	}
	before := in.Size(0, v.axis)
	for a := range out {
		if out[a] == t && out.Size(0, a) == before {
			return a, false, true
		}
	}
	return 0, true, len(out) > 0 && out[0] == before.Times(t)
}

// reshape gives frames another shape in which they still lie along an axis; else it takes
// them as one: a layer over all frames of a clip reads a window of them.
func reshape(c *converter, n *graph.Node, in []value) ([]value, error) {
	x := in[0]
	if x.kind != timed {
		return nil, no(n, "has a shape that is computed of frames")
	}
	shape := n.Out(0).Shape
	axis, folded, ok := place(x, n.In(0).Shape, shape)
	if !ok {
		w, err := c.windows(in[:1])
		if err != nil {
			return nil, never(n, "%v", err)
		}
		w = append(w, in[1:]...)
		if n.Is("Reshape") {
			to, err := c.target(n, shape)
			if err != nil {
				return nil, err
			}
			w = []value{w[0], {Value: to}}
		}
		return c.onWindows(n, w)
	}
	to := slices.Clone(shape)
	if m := graph.N(c.per(x)); folded {
		outer, _ := to[0].Over(graph.N(x.frames))
		to[0] = outer.Times(m)
	} else {
		to[axis] = m
	}
	ints, err := c.target(n, to)
	if err != nil {
		return nil, err
	}
	x.Value, x.axis, x.folded = c.b.Op("Reshape", x.Value, ints), axis, folded
	return []value{x}, nil
}

// target is a shape as Reshape takes it; one size may be free.
func (c *converter) target(n *graph.Node, s graph.Shape) (*graph.Value, error) {
	ints := make([]int, len(s))
	free := 0
	for i, d := range s {
		if ints[i] = d.Mul; !d.Known() {
			ints[i] = -1
			free++
		}
	}
	if free > 1 {
		return nil, never(n, "makes the shape %v, in which more than one size is free: fix all but the batch", s)
	}
	return c.b.Ints(ints...), nil
}

func transpose(c *converter, n *graph.Node, in []value) ([]value, error) {
	x := in[0]
	if x.folded {
		return nil, never(n, "moves the axis that samples and frames share")
	}
	perm := n.Ints("perm")
	if perm == nil {
		for i := range n.In(0).Shape {
			perm = append([]int{i}, perm...)
		}
	}
	k := c.emit(n, in)
	x.axis = slices.Index(perm, x.axis)
	return c.outs(k, x), nil
}

// constInts are the whole numbers of an attribute, or of a constant input.
func constInts(n *graph.Node, attr string, input int) ([]int, bool) {
	if v := n.Ints(attr); v != nil {
		return v, true
	}
	v := n.In(input)
	if v == nil {
		return nil, true
	}
	return v.Ints()
}

// squeeze removes or adds axes of length 1.
func squeeze(c *converter, n *graph.Node, in []value) ([]value, error) {
	x := in[0]
	if x.folded {
		x.axis = 0
		return c.outs(c.emit(n, in), x), nil
	}
	axes, ok := constInts(n, "axes", 1)
	if !ok {
		return nil, no(n, "has axes that are computed")
	}
	rank := len(n.In(0).Shape)
	if n.Is("Squeeze") {
		if axes == nil {
			for a, d := range n.In(0).Shape {
				if d == graph.N(1) {
					axes = append(axes, a)
				}
			}
		}
		was := x.axis
		for _, a := range axes {
			if axisOf(a, rank) < was {
				x.axis--
			}
		}
		x.Value = c.b.Squeeze(x.Value, positive(axes, rank)...)
		return []value{x}, nil
	}
	rank = len(n.Out(0).Shape)
	axes = positive(axes, rank)
	slices.Sort(axes)
	for _, a := range axes {
		if a <= x.axis {
			x.axis++
		}
	}
	return c.outs(c.emit(n, in), x), nil
}

func positive(axes []int, rank int) []int {
	out := make([]int, len(axes))
	for i, a := range axes {
		out[i] = axisOf(a, rank)
	}
	return out
}

func expand(c *converter, n *graph.Node, in []value) ([]value, error) {
	x := in[0]
	out := n.Out(0).Shape
	if x.kind != timed || x.folded || out == nil {
		return nil, no(n, "has a shape that is computed of frames")
	}
	a := len(out) - len(n.In(0).Shape) + x.axis
	to := slices.Clone(out)
	to[a] = graph.N(1)
	ints := make([]int, len(to))
	for i, d := range to {
		if ints[i] = d.Mul; !d.Known() {
			ints[i] = 1
			if k := i - len(out) + len(n.In(0).Shape); k < 0 || n.In(0).Shape[k] != d {
				return nil, never(n, "spreads to the free size %v", d)
			}
		}
	}
	x.Value, x.axis = c.b.Op("Expand", x.Value, c.b.Ints(ints...)), a
	return []value{x}, nil
}

func concat(c *converter, n *graph.Node, in []value) ([]value, error) {
	axis := axisOf(n.Int("axis", 0), len(n.Out(0).Shape))
	for i, v := range in {
		if v.kind != timed || v.axis == axis || v.axis != in[0].axis || v.folded != in[0].folded {
			return nil, no(n, "joins %q along time, or with what has no frames", n.Inputs[i].Name)
		}
	}
	in, like, err := c.align(n, in)
	if err != nil {
		return nil, err
	}
	return c.outs(c.emit(n, in), like), nil
}

func split(c *converter, n *graph.Node, in []value) ([]value, error) {
	if axisOf(n.Int("axis", 0), len(n.In(0).Shape)) == in[0].axis {
		return nil, no(n, "splits time")
	}
	return c.outs(c.emit(n, in), in[0]), nil
}

// slice along time skips frames at the beginning and at the end of a clip, and may leave
// some out between: the frames that stay come later by those that are skipped before them.
func slice(c *converter, n *graph.Node, in []value) ([]value, error) {
	x := in[0]
	rank := len(n.In(0).Shape)
	starts, ok0 := constInts(n, "starts", 1)
	ends, ok1 := constInts(n, "ends", 2)
	axes, ok2 := constInts(n, "axes", 3)
	steps, ok3 := constInts(n, "steps", 4)
	if !ok0 || !ok1 || !ok2 || !ok3 || x.kind != timed || len(starts) != len(ends) {
		return nil, no(n, "has a range that is computed")
	}
	if axes == nil {
		for i := range starts {
			axes = append(axes, i)
		}
	}
	if steps == nil {
		steps = slices.Repeat([]int{1}, len(starts))
	}
	at := slices.Index(positive(axes, rank), x.axis)
	if at < 0 {
		return c.outs(c.emit(n, in), x), nil
	}
	if x.folded || steps[at] < 1 {
		return nil, no(n, "takes frames backwards, or of several samples")
	}
	bound := func(i int) int {
		if i < 0 {
			i += x.frames
		}
		return min(max(i, 0), x.frames)
	}
	lo, hi := bound(starts[at]), bound(ends[at])
	if hi <= lo {
		return nil, never(n, "takes no frame")
	}
	y := x.slides(1, steps[at], -lo, hi-x.frames)
	v, err := c.read(x, 1, steps[at], -lo, y.lag, false)
	if err != nil {
		return nil, err
	}
	if steps[at] > 1 {
		v = c.b.Op("Slice", v, c.b.Ints(0), c.b.Ints(v.Shape[x.axis].Mul), c.b.Ints(x.axis), c.b.Ints(steps[at]))
	}
	y.Value = v
	if len(starts) == 1 {
		return []value{y}, nil
	}
	cut := func(list []int) *graph.Value { return c.b.Ints(slices.Delete(slices.Clone(list), at, at+1)...) }
	y.Value = c.b.Op("Slice", y.Value, cut(starts), cut(ends), cut(axes), cut(steps))
	return []value{y}, nil
}

// gather along time takes one frame of a clip.
func gather(c *converter, n *graph.Node, in []value) ([]value, error) {
	axis := axisOf(n.Int("axis", 0), len(n.In(0).Shape))
	if in[0].kind == static { // a table, looked up for every frame
		x := in[1]
		y := x
		y.axis += axis
		return c.outs(c.emit(n, in), y), nil
	}
	x := in[0]
	if in[1].kind != static {
		return nil, no(n, "looks frames up by frames")
	}
	if axis != x.axis {
		if axis < x.axis {
			x.axis += len(n.In(1).Shape) - 1
		}
		return c.outs(c.emit(n, in), x), nil
	}
	at, ok := constInts(n, "", 1)
	if !ok || len(at) != 1 || x.folded {
		return nil, no(n, "picks several frames, or computed ones")
	}
	i := axisOf(at[0], x.frames)
	if i < 0 || i >= x.frames {
		return nil, never(n, "picks frame %d of %d", at[0], x.frames)
	}
	y := x.slides(1, c.per(x), -i, i+1-x.frames)
	v, err := c.read(x, 1, c.per(x), -i, y.lag, false)
	if err != nil {
		return nil, err
	}
	if y.Value, y.kind, y.frames = v, window, 1; len(n.In(1).Shape) == 0 {
		y.Value = c.b.Squeeze(v, axis)
	}
	return []value{y}, nil
}

// pad adds frames at the beginning, which are those before the stream, and at the end.
func pad(c *converter, n *graph.Node, in []value) ([]value, error) {
	x := in[0]
	rank := len(n.In(0).Shape)
	pads, ok := constInts(n, "pads", 1)
	axes, some := constInts(n, "", 3)
	if !ok || !some {
		return nil, no(n, "has a width that is computed")
	}
	if axes == nil {
		for i := range rank {
			axes = append(axes, i)
		}
	}
	axes = positive(axes, rank)
	if len(pads) != 2*len(axes) {
		return nil, never(n, "has %d widths for %d axes", len(pads), len(axes))
	}
	k := slices.Index(axes, x.axis)
	if k < 0 || pads[k] == 0 && pads[k+len(axes)] == 0 {
		return c.outs(c.emit(n, in), x), nil
	}
	zero := n.In(2) == nil || n.In(2).Const != nil && n.In(2).DType == tensor.Float32 && n.In(2).Const.Len() == 1 && n.In(2).Const.F32()[0] == 0
	if n.Str("mode", "constant") != "constant" || !zero || x.folded {
		return nil, no(n, "pads time with something else than zeros")
	}
	begin, end := pads[k], pads[k+len(axes)]
	y := x.slides(1, 1, begin, end)
	v, err := c.read(x, 1, 1, begin, y.lag, true)
	if err != nil {
		return nil, err
	}
	rest := slices.Clone(pads)
	rest[k], rest[k+len(axes)] = 0, 0
	y.Value, y.axis = v, x.axis
	if slices.ContainsFunc(rest, func(p int) bool { return p != 0 }) {
		args := []*graph.Value{v, c.b.Ints(rest...)}
		if n.In(3) != nil {
			args = append(args, c.b.Scalar(0, v), n.In(3))
		}
		y.Value = c.b.Op("Pad", args...)
	}
	return []value{y}, nil
}
