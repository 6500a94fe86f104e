package continual

import (
	"strings"

	"pare/graph"
)

// globalPool pools every frame by itself, and then over the frames of a clip.
func globalPool(c *converter, n *graph.Node, in []value) ([]value, error) {
	x := in[0]
	if x.axis == 0 {
		return c.outs(c.emit(n, in), x), nil
	}
	if x.axis == 1 {
		return nil, no(n, "takes frames for channels")
	}
	over := "ReduceMean"
	if n.Is("GlobalMaxPool") {
		over = "ReduceMax"
	}
	var axes []int
	for a := 2; a < len(n.In(0).Shape); a++ {
		axes = append(axes, a)
	}
	return c.reduced(x, over, axes, true)
}

// reduce reduces over axes other than time frame by frame, and over time on the frames of
// a clip.
func reduce(c *converter, n *graph.Node, in []value) ([]value, error) {
	x := in[0]
	rank := len(n.In(0).Shape)
	keep := n.Int("keepdims", 1) != 0
	var axes []int
	if n.Is("ArgMax", "ArgMin") {
		axes = []int{axisOf(n.Int("axis", 0), rank)}
	} else {
		given, ok := constInts(n, "axes", 1)
		if !ok {
			return nil, no(n, "reduces axes that are computed")
		}
		if axes = positive(given, rank); len(axes) == 0 {
			if n.Int("noop_with_empty_axes", 0) != 0 {
				return c.outs(c.emit(n, in), x), nil
			}
			for a := range rank {
				axes = append(axes, a)
			}
		}
	}
	over, before := false, 0
	for _, a := range axes {
		over = over || a == x.axis
		if a < x.axis {
			before++
		}
	}
	switch {
	case over && x.folded:
		return nil, never(n, "runs over samples")
	case over && n.Is("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"):
		return c.reduced(x, n.Op, axes, keep)
	case over:
		w, err := c.windows(in[:1])
		if err != nil {
			return nil, err
		}
		return c.onWindows(n, append(w, in[1:]...))
	}
	y := x
	if !keep {
		y.axis -= before
	}
	y.wild = y.wild || wild[n.Op] || strings.HasPrefix(n.Op, "ReduceLog")
	return c.outs(c.emit(n, in), y), nil
}

// reduced reduces over axes of which one is time: over the others first.
func (c *converter) reduced(x value, over string, axes []int, keep bool) ([]value, error) {
	var others []int
	for _, a := range axes {
		if a != x.axis {
			others = append(others, a)
		}
	}
	if len(others) > 0 {
		x.Value, x.raw = c.b.Reduce(over, x.Value, true, others...), false
	}
	w, err := c.whole(x)
	if err != nil {
		return nil, err
	}
	w.Value = c.b.Reduce(over, w.Value, true, x.axis)
	if !keep {
		w.Value = c.b.Squeeze(w.Value, axes...)
	}
	return []value{w}, nil
}
