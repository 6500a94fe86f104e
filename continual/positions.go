package continual

import (
	"pare/graph"
	"pare/tensor"
)

// table is vectors of positions that are dealt out in turn.
type table struct {
	of    *graph.Value
	index *graph.Value // of the vectors of this step's frames
	lag   int
}

// positions gives in the place of numbers that a clip network has for every frame, along
// axis d, those of the recycling positional encoding: a frame keeps the vector of its
// arrival, index t mod the table's length.
func (c *converter) positions(n *graph.Node, v value, d int, like value, in []value) (value, error) {
	if !n.Is("Add") || len(in) != 2 {
		return v, no(n, "has numbers of its own for every frame of a clip")
	}
	if like.folded {
		return v, never(n, "adds positions where samples and frames lie on one axis")
	}
	if c.Positions != "recycle" {
		return v, no(n, "adds positions, which are counted from the first frame of each clip, so that those of a frame would change at every step: give {Positions} recycle for a frame to keep the position of its arrival, and train with clips that begin at any position")
	}
	of := tableOf(v.Value, d)
	size := of.Shape[d].Mul
	if !of.Shape[d].Known() || !of.IsConst() {
		return v, never(n, "adds positions that are computed")
	}
	if size < 2*like.frames-1 {
		c.note("node %s: the table has %d positions for clips of %d frames, fewer than the %d of the recycling positional encoding: the network must have been trained with clips that begin at any of them", called(n), size, like.frames, 2*like.frames-1)
	}
	index := c.turnOf(of, size, like)
	v.Value = c.b.Attr("Gather", []graph.Attr{graph.MakeAttr("axis", d)}, of, index)
	return v, nil
}

// tableOf is the table that a value is the beginning of.
func tableOf(v *graph.Value, d int) *graph.Value {
	n := v.From
	if n == nil || !n.Is("Slice") || !n.In(0).IsConst() {
		return v
	}
	starts, ok0 := constInts(n, "starts", 1)
	axes, ok1 := constInts(n, "axes", 3)
	if !ok0 || !ok1 || len(starts) != 1 || starts[0] != 0 || len(axes) != 1 || axisOf(axes[0], len(v.Shape)) != d || n.In(4) != nil {
		return v
	}
	return n.In(0)
}

// turnOf is the index of each of this step's frames: their number mod the table's length.
// It is counted on a state of its own, which never grows.
func (c *converter) turnOf(of *graph.Value, size int, like value) *graph.Value {
	m := c.per(like)
	for _, t := range c.tables {
		if t.of == of && t.lag == like.lag {
			return t.index
		}
	}
	t := &table{of: of, lag: like.lag}
	full := c.b.Const(tensor.From([]float32{float32(size)}, 1))
	wrap := func(x *graph.Value) *graph.Value { // of a number below twice the length
		over := c.b.Op("Clip", c.b.Op("Sub", x, c.b.Const(tensor.From([]float32{float32(size - 1)}, 1))), c.b.Const(tensor.Scalar(float32(0))), c.b.Const(tensor.Scalar(float32(1))))
		return c.b.Op("Sub", x, c.b.Op("Mul", over, full))
	}
	c.state("position", graph.Dims(1), tensor.Float32, func(in *graph.Value) *graph.Value {
		ahead := make([]float32, m)
		for j := range ahead {
			ahead[j] = float32(((j-like.lag)%size + size) % size)
		}
		t.index = c.b.Attr("Cast", []graph.Attr{graph.MakeAttr("to", int(tensor.Int64))}, wrap(c.b.Op("Add", in, c.b.Const(tensor.From(ahead, m)))))
		return wrap(c.b.Op("Add", in, c.b.Const(tensor.From([]float32{float32(m % size)}, 1))))
	})
	c.states[len(c.states)-1].Clock = true
	c.tables = append(c.tables, t)
	return t.index
}
