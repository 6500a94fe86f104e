package continual

import (
	"slices"

	"pare/graph"
	"pare/graph/op"
)

// matMul takes frames as rows, columns or a stack of matrices; two that both have frames
// are queries and keys, or go frame by frame.
func matMul(c *converter, n *graph.Node, in []value) ([]value, error) {
	a, b := in[0], in[1]
	ra, rb, rank := len(n.In(0).Shape), len(n.In(1).Shape), len(n.Out(0).Shape)
	if ra < 2 || rb < 2 {
		return nil, no(n, "multiplies by a vector")
	}
	if a.kind == timed && b.kind == timed && a.axis == ra-2 && b.axis == rb-1 && !a.folded && !b.folded {
		if a.frames != b.frames {
			return nil, no(n, "multiplies %d and %d frames", a.frames, b.frames)
		}
		return []value{{kind: scores, of: &pairs{q: a, k: b, scale: 1}}}, nil
	}
	if a.kind == timed && a.axis == ra-1 || b.kind == timed && b.axis == rb-2 {
		return nil, no(n, "sums over time")
	}
	stack := func(v value, r int) bool { return v.kind == timed && v.axis < r-2 } // it lies on a stack of matrices
	if a.kind == timed && b.kind == timed && (!stack(a, ra) || !stack(b, rb) || ra-a.axis != rb-b.axis || a.folded != b.folded) {
		return nil, no(n, "multiplies frames that lie along different axes")
	}
	axis, folded := rank-1, false
	switch {
	case a.kind == timed:
		axis, folded = rank-ra+a.axis, a.folded
	case stack(b, rb):
		axis, folded = rank-rb+b.axis, b.folded
	}
	for i, r := range []int{ra, rb} {
		if d := axis - rank + r; in[i].kind == static && d >= 0 && d < r-2 && n.In(i).Shape[d] != graph.N(1) {
			return nil, no(n, "has a weight of its own for every frame of a clip")
		}
	}
	in, like, err := c.align(n, in)
	if err != nil {
		return nil, err
	}
	like.axis, like.folded = axis, folded
	return c.outs(c.emit(n, in), like), nil
}

func gemm(c *converter, n *graph.Node, in []value) ([]value, error) {
	x := in[0]
	if x.kind != timed || x.axis != 0 || n.Int("transA", 0) != 0 || in[1].kind != static || len(in) > 2 && in[2].kind != static {
		return nil, no(n, "sums over time, or multiplies by frames")
	}
	if len(in) > 2 && n.In(2) != nil && len(n.In(2).Shape) == 2 && n.In(2).Shape[0] != graph.N(1) {
		return nil, no(n, "has numbers of its own for every frame of a clip")
	}
	return c.outs(c.emit(n, in), x), nil
}

// einsum goes frame by frame where the index of the frames is one of the result.
func einsum(c *converter, n *graph.Node, in []value) ([]value, error) {
	letters, out, err := op.Indices(n)
	if err != nil {
		return nil, never(n, "is not understood: %v", err)
	}
	var t rune
	for i, v := range in {
		if v.kind != timed {
			continue
		}
		if v.folded || v.axis >= len(letters[i]) {
			return nil, no(n, "multiplies frames of several samples")
		}
		if r := letters[i][v.axis]; t != 0 && r != t {
			return nil, no(n, "multiplies frames by other frames")
		} else {
			t = r
		}
	}
	for i, v := range in {
		if v.kind == static && slices.Contains(letters[i], t) {
			return nil, no(n, "has a weight of its own for every frame of a clip")
		}
	}
	axis := slices.Index(out, t)
	if axis < 0 {
		return nil, no(n, "sums over time")
	}
	in, like, err := c.align(n, in)
	if err != nil {
		return nil, err
	}
	like.axis = axis
	return c.outs(c.emit(n, in), like), nil
}
