package continual

import (
	"slices"

	"pare/graph"
	"pare/graph/op"
)

// Where a network reads one frame of what attention makes, the other frames need not be
// made: the choice is moved before the layers that treat frames one by one, up to the
// queries. That leaves single-output attention.

// chooser moves choices of a frame towards the inputs.
type chooser struct {
	b     *op.Builder
	mixes map[*graph.Value]bool // attention has made it
	made  map[chosen]*graph.Value
}

// chosen is position i of an axis, which stays with length 1.
type chosen struct {
	of   *graph.Value
	axis int
	i    int
}

// selectEarly moves choices of one of the frames of a clip. The result computes the same.
func selectEarly(g *graph.Graph, frames int) error {
	s := &chooser{b: op.NewBuilder(g, "frame"), mixes: map[*graph.Value]bool{}, made: map[chosen]*graph.Value{}}
	nodes := slices.Clone(g.Nodes)
	for _, n := range nodes {
		mixes := n.Is("MatMul") && !n.In(0).IsConst() && !n.In(1).IsConst() && square(n.Out(0).Shape, frames) || n.Is("Attention")
		for _, v := range n.Inputs {
			mixes = mixes || s.mixes[v]
		}
		for _, o := range n.Outputs {
			s.mixes[o] = mixes
		}
	}
	for _, n := range nodes {
		if n.In(0) == nil || !s.mixes[n.In(0)] {
			continue
		}
		axis, i, keep, ok := choice(n, frames)
		if !ok {
			continue
		}
		y := s.row(n.In(0), axis, i)
		if !keep {
			y = s.b.Squeeze(y, axis)
		}
		g.ReplaceUses(n.Out(0), y)
	}
	if err := s.b.Err(); err != nil {
		return err
	}
	if err := g.Sort(); err != nil {
		return err
	}
	g.Prune()
	return op.InferAll(g)
}

// square says whether a shape ends in that of products of frames with frames.
func square(s graph.Shape, frames int) bool {
	return len(s) > 1 && s[len(s)-1] == graph.N(frames) && s[len(s)-2] == graph.N(frames)
}

// choice says which one frame a node takes.
func choice(n *graph.Node, frames int) (axis, i int, keep, ok bool) {
	rank := len(n.In(0).Shape)
	switch {
	case n.Is("Gather"):
		axis = axisOf(n.Int("axis", 0), rank)
		at, known := constInts(n, "", 1)
		if !known || len(at) != 1 || len(n.In(1).Shape) > 1 {
			return 0, 0, false, false
		}
		i, keep = axisOf(at[0], frames), len(n.In(1).Shape) == 1
	case n.Is("Slice"):
		starts, ok0 := constInts(n, "starts", 1)
		ends, ok1 := constInts(n, "ends", 2)
		axes, ok2 := constInts(n, "axes", 3)
		if !ok0 || !ok1 || !ok2 || len(starts) != 1 || len(ends) != 1 || len(axes) != 1 || n.In(4) != nil {
			return 0, 0, false, false
		}
		axis, i, keep = axisOf(axes[0], rank), axisOf(starts[0], frames), true
		if end := min(ends[0], frames); axisOf(end, frames) != i+1 {
			return 0, 0, false, false
		}
	default:
		return 0, 0, false, false
	}
	return axis, i, keep, axis >= 0 && axis < rank && n.In(0).Shape[axis] == graph.N(frames) && i >= 0 && i < frames
}

// row is position i of an axis of a value, made from one position of what it is made of.
func (s *chooser) row(v *graph.Value, axis, i int) *graph.Value {
	key := chosen{v, axis, i}
	if y := s.made[key]; y != nil {
		return y
	}
	y := s.through(v, axis, i)
	if y == nil {
		y = s.b.Op("Slice", v, s.b.Ints(i), s.b.Ints(i+1), s.b.Ints(axis))
	}
	s.made[key] = y
	return y
}

// through moves the choice before the node that makes a value; nil: it cannot.
func (s *chooser) through(v *graph.Value, axis, i int) *graph.Value {
	n := v.From
	if n == nil || !s.mixes[v] || len(n.Outputs) != 1 || n.Domain != "" {
		return nil
	}
	rank := len(v.Shape)
	in := slices.Clone(n.Inputs)
	attrs := n.Attrs
	switch r := rules[n.Op]; {
	case r != nil && isElementwise(n):
		for k, x := range in {
			if d := axis - rank + len(x.Shape); d >= 0 && x.Shape[d] != graph.N(1) {
				in[k] = s.row(x, d, i)
			}
		}
	case n.Is("LayerNormalization", "RMSNormalization") && axis < axisOf(n.Int("axis", -1), rank),
		n.Is("Softmax") && axisOf(n.Int("axis", -1), rank) == rank-1 && axis < rank-1:
		in[0] = s.row(in[0], axis, i)
	case n.Is("MatMul") && axis == rank-2 && len(in[0].Shape) > 1 && len(in[1].Shape) > 1:
		in[0] = s.row(in[0], len(in[0].Shape)-2, i)
	case n.Is("Transpose"):
		perm := n.Ints("perm")
		if perm == nil {
			return nil
		}
		in[0] = s.row(in[0], perm[axis], i)
	case n.Is("Reshape"):
		from := in[0].Shape
		at := slices.IndexFunc(from, func(d graph.Dim) bool { return d == v.Shape[axis] })
		for ; at >= 0 && at < len(from); at++ {
			if from[at] == v.Shape[axis] && from.Size(0, at) == v.Shape.Size(0, axis) {
				break
			}
		}
		to, ok := reshapeTo(v.Shape, axis)
		if at < 0 || at == len(from) || !ok {
			return nil
		}
		in = []*graph.Value{s.row(in[0], at, i), s.b.Ints(to...)}
		attrs = nil
	default:
		return nil
	}
	return s.b.Attr(n.Op, attrs, in...)
}

// reshapeTo is a shape with one axis of length 1; false where more than one size is free.
func reshapeTo(shape graph.Shape, axis int) ([]int, bool) {
	out, free := make([]int, len(shape)), 0
	for a, d := range shape {
		out[a] = d.Mul
		if !d.Known() {
			out[a] = -1
			free++
		}
	}
	out[axis] = 1
	return out, free < 2
}

// isElementwise says whether a node treats numbers one by one.
func isElementwise(n *graph.Node) bool {
	switch n.Op {
	case "Add", "Sub", "Mul", "Div", "Pow", "Relu", "Gelu", "Erf", "Tanh", "Sigmoid", "Identity", "Sqrt", "Neg", "Abs", "Exp", "LeakyRelu", "HardSwish", "Softplus", "Where", "Min", "Max":
		return true
	}
	return false
}
