package structure

import "pare/graph"

// Gather: the axes of the indices stand in the place of the gathered axis,
// which constant indices map and computed ones protect. The columns of a table of
// embeddings are channels.
var _ = register(Rule{
	Tie: tieGather,
	Makes: func(n *graph.Node) []Operand {
		if len(n.In(0).Shape) == 2 {
			return []Operand{{0, 1}}
		}
		return nil
	},
	Adapt: adaptGather, Zeros: zeroAsFirst, Flow: FlowScales,
}, "Gather")

func tieGather(r *Relation, n *graph.Node) {
	x, idx, y := n.In(0), n.In(1), n.Out(0)
	a := normal(n.Int("axis", 0), len(x.Shape))
	q := len(idx.Shape)
	for d := range x.Shape {
		switch {
		case d < a:
			r.Same(x, d, y, d)
		case d > a:
			r.Same(x, d, y, d+q-1)
		}
	}
	if at, ok := idx.Ints(); ok && q == 1 && r.Size(y, a) > 0 {
		r.KeepFrom(idx, 0, "reads indices")
		size := r.Size(x, a)
		if size == 0 {
			r.Keep(y, a, "repeats a position")
			return
		}
		for j := range at {
			at[j] = normal(at[j], size)
		}
		r.TiePairs(x, a, y, a, indexed(at))
		return
	}
	r.Keep(x, a, "looks up this axis")
	for d := range idx.Shape {
		r.Same(idx, d, y, a+d)
	}
}

// adaptGather renumbers constant indices.
func adaptGather(c *Cutting) error {
	x, y := c.Old.In(0), c.Old.Out(0)
	a := normal(c.Old.Int("axis", 0), len(x.Shape))
	kx := c.Kept(x, a)
	idx, ok := c.Old.In(1).Ints()
	if kx == nil || !ok {
		return nil
	}
	ky := c.Kept(y, a)
	var out []int
	for j, i := range idx {
		if ky == nil || ky.Kept(j) {
			out = append(out, count(kx, 0, normal(i, x.Shape[a].Mul)))
		}
	}
	c.SetInput(1, out)
	return nil
}

// GatherElements looks up one axis; the others are those of the indices.
var _ = register(Rule{Tie: tieGatherElements, Zeros: zeroAsFirst}, "GatherElements")

func tieGatherElements(r *Relation, n *graph.Node) {
	x, idx, y := n.In(0), n.In(1), n.Out(0)
	a := normal(n.Int("axis", 0), len(x.Shape))
	for d := range x.Shape {
		if d == a {
			r.Keep(x, d, "looks up this axis")
			r.Same(idx, d, y, d)
			continue
		}
		r.SameOr(x, d, y, d, "takes a part of this axis")
		r.Same(idx, d, y, d)
		if r.Size(x, d) != r.Size(y, d) {
			r.Keep(x, d, "takes a part of this axis")
			r.Keep(y, d, "takes a part of this axis")
		}
	}
}

// GatherND keeps the axes behind those that the indices name.
var _ = register(Rule{Tie: tieGatherND, Zeros: zeroAsFirst}, "GatherND")

func tieGatherND(r *Relation, n *graph.Node) {
	x, idx, y := n.In(0), n.In(1), n.Out(0)
	b := n.Int("batch_dims", 0)
	d := idx.Shape
	if len(d) == 0 || !d[len(d)-1].Known() {
		r.Opaque("has indices of unknown size")
		return
	}
	q := d[len(d)-1].Mul
	r.KeepFrom(idx, 0, "reads indices")
	for k := range y.Shape {
		if k < len(d)-1 {
			r.Keep(y, k, "looks this axis up")
		}
	}
	for k := range x.Shape {
		if k < b+q {
			r.Keep(x, k, "looks up this axis")
		} else {
			r.Same(x, k, y, k-b-q+len(d)-1)
		}
	}
}

// ScatterND writes over the places that the indices name; where they are whole
// rows of constant number, a row goes with what is written to it.
var _ = register(Rule{Tie: tieScatterND, Adapt: adaptScatterND, Zeros: Zeros{Pass: AllZero, Of: []int{0, 2}}}, "ScatterND")

func tieScatterND(r *Relation, n *graph.Node) {
	x, idx, up, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	q := len(x.Shape)
	if d := idx.Shape; len(d) > 0 && d[len(d)-1].Known() {
		q = d[len(d)-1].Mul
	}
	r.KeepFrom(idx, 0, "reads indices")
	rows, ok := scattered(n)
	for d := range x.Shape {
		r.Same(x, d, y, d)
		switch {
		case d >= q:
			r.Same(up, d-q+len(idx.Shape)-1, y, d)
		case ok && r.Size(x, 0) > 0 && r.Size(up, 0) > 0:
			r.TiePairs(y, 0, up, 0, indexed(rows))
		default:
			r.Keep(x, d, "writes over places of this axis")
		}
	}
	for d := range up.Shape {
		if d < len(idx.Shape)-1 && !ok {
			r.Keep(up, d, "writes over places of this axis")
		}
	}
}

// scattered gives the rows that a ScatterND writes to, where they are constant.
func scattered(n *graph.Node) ([]int, bool) {
	rows, ok := n.In(1).Ints()
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

// adaptScatterND renumbers the constant positions that are written to.
func adaptScatterND(c *Cutting) error {
	k := c.Kept(c.Old.In(0), 0)
	rows, ok := scattered(c.Old)
	if k == nil || !ok {
		return nil
	}
	var out []int
	for _, i := range rows {
		if k.Kept(i) {
			out = append(out, count(k, 0, i))
		}
	}
	at := c.Ints(c.Old.In(1).Name, out)
	at.Const = at.Const.Reshape(len(out), 1)
	at.Shape = graph.Dims(len(out), 1)
	c.New.Inputs[1] = at
	return nil
}
