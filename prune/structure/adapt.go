package structure

import (
	"errors"
	"math"

	"pare/graph"
	"pare/prune"
	"pare/tensor"
)

// adapt changes what a node says in numbers about axes that were cut: the
// groups of a convolution, the shape of a Reshape, the range of a Slice ...
// old is the node in the uncut network, whose uses are given, n its copy in c.
func adapt(c *graph.Graph, old, n *graph.Node, uses map[*graph.Value][]graph.Use, gone map[Axis]*prune.Mask) error {
	keep := func(v *graph.Value, d int) *prune.Mask {
		if v == nil {
			return nil
		}
		return gone[Axis{v, d}]
	}
	touched := false
	for _, v := range append(append([]*graph.Value{}, old.Inputs...), old.Outputs...) {
		if v == nil {
			continue
		}
		for d := range v.Shape {
			touched = touched || keep(v, d) != nil
		}
	}
	if !touched {
		return nil
	}
	switch {
	case old.Is("Conv"):
		adaptGroups(old, n, keep(old.In(0), 1), keep(old.In(1), 1))
	case old.Is("ConvTranspose"):
		adaptGroups(old, n, keep(old.Out(0), 1), keep(old.In(1), 1))
	case old.Is("GroupNormalization"):
		if k := keep(old.In(0), 1); k != nil {
			n.Set("num_groups", old.Int("num_groups", 1)*k.Count()/k.Len)
		}
	case old.Is("LSTM", "GRU", "RNN"):
		if k := keep(old.In(2), 2); k != nil {
			n.Set("hidden_size", k.Count())
		}
	case old.Is("LayerNormalization"):
		adaptLayerNorm(c, old, n, uses, keep)
	case old.Is("RMSNormalization"):
		adaptRMS(c, old, n, keep)
	case old.Is("ReduceMean"):
		adaptMean(c, old, n, keep)
	case old.Is("Reshape", "Expand"):
		adaptShape(c, old, n, 1, keep)
	case old.Is("ConstantOfShape"):
		adaptShape(c, old, n, 0, keep)
	case old.Is("Resize"):
		if old.In(3) != nil {
			adaptShape(c, old, n, 3, keep)
		}
	case old.Is("Slice"):
		return adaptSlice(c, old, n, keep)
	case old.Is("Pad"):
		return adaptPad(c, old, n, keep)
	case old.Is("Split"):
		return adaptSplit(c, old, n, keep)
	case old.Is("Gather"):
		adaptGather(c, old, n, keep)
	case old.Is("ScatterND"):
		adaptScatter(c, old, n, keep)
	}
	return nil
}

// constInts makes a constant vector.
func constInts(c *graph.Graph, name string, v []int) *graph.Value {
	t := tensor.New(tensor.Int64, len(v))
	for k, x := range v {
		tensor.Of[int64](t)[k] = int64(x)
	}
	return c.Const(name, t, graph.Frozen)
}

// setInput gives the node a constant of its own as input i.
func setInput(c *graph.Graph, n *graph.Node, i int, v []int) {
	for len(n.Inputs) <= i {
		n.Inputs = append(n.Inputs, nil)
	}
	stem := n.Name
	if old := n.Inputs[i]; old != nil {
		stem = old.Name
	}
	n.Inputs[i] = constInts(c, stem, v)
}

type keeper func(v *graph.Value, d int) *prune.Mask

// adaptGroups gives a grouped convolution that loses whole groups their
// number: where the axis of all channels is cut and that of one group is not.
func adaptGroups(old, n *graph.Node, all, one *prune.Mask) {
	if g := old.Int("group", 1); g > 1 && all != nil && one == nil {
		n.Set("group", g*all.Count()/all.Len)
	}
}

// adaptShape changes the wanted shape, input i, of a node where its output is
// cut. In a shape that is computed the numbers that change are written over.
func adaptShape(c *graph.Graph, old, n *graph.Node, i int, keep keeper) {
	y := old.Out(0)
	shape, known := ints(old.In(i))
	rank := len(shape)
	if !known {
		rank = old.In(i).Shape[0].Mul
		shape = make([]int, rank)
	}
	off := len(y.Shape) - rank // Expand may give fewer axes
	over := make([]bool, rank)
	changed := false
	for d := range shape {
		if k := keep(y, d+off); k != nil && (!known || shape[d] > 1) {
			shape[d], over[d], changed = k.Count(), true, true
		}
	}
	switch {
	case !changed:
	case known:
		setInput(c, n, i, shape)
	default:
		was := n.Inputs[i]
		setInput(c, n, i, shape)
		mask := c.Const(was.Name+"/cut", &tensor.Tensor{DType: tensor.Bool, Shape: []int{rank}, Data: over}, graph.Frozen)
		w := c.Add("Where", "", []*graph.Value{mask, n.Inputs[i], was}, []string{was.Name + "/shape"})
		n.Inputs[i] = w.Outputs[0]
	}
}

// adaptMean makes the mean over an axis that lost zeros a mean over all that
// there were: times kept/all.
func adaptMean(c *graph.Graph, old, n *graph.Node, keep keeper) {
	x, y := old.In(0), old.Out(0)
	gone := map[int]bool{}
	as, _ := reduced(old)
	for _, a := range as {
		gone[normal(a, len(x.Shape))] = true
	}
	f := 1.0
	for d := range x.Shape {
		if k := keep(x, d); k != nil && gone[d] {
			f *= float64(k.Count()) / float64(k.Len)
		}
	}
	if f == 1 {
		return
	}
	adaptAfter(c, n, "Mul", []*graph.Value{nil, c.Const(y.Name+"/share", tensor.Scalar(float32(f)), graph.Frozen)})
}

// adaptRMS makes up for the zeros that the mean of squares lost: with r the
// share that is left, x/sqrt(r*mean+e)*w = x/sqrt(mean+e/r)*w/sqrt(r).
func adaptRMS(c *graph.Graph, old, n *graph.Node, keep keeper) {
	x := old.In(0)
	k := keep(x, len(x.Shape)-1)
	if k == nil {
		return
	}
	r := float64(k.Count()) / float64(k.Len)
	n.Set("epsilon", float32(float64(old.Float("epsilon", 1e-5))/r))
	f := c.Const(n.Name+"/share", tensor.Scalar(float32(1/math.Sqrt(r))), graph.Frozen)
	n.Inputs[1] = c.Add("Mul", "", []*graph.Value{n.Inputs[1], f}, []string{n.Inputs[1].Name + "/whole"}).Outputs[0]
}

// count is the number of kept positions in [lo, hi).
func count(m *prune.Mask, lo, hi int) int {
	n := 0
	for i := lo; i < hi; i++ {
		if m.Kept(i) {
			n++
		}
	}
	return n
}

// adaptSlice moves the ranges of axes that are cut. Where what is left of a
// range is no range with equal steps, a Gather takes it.
func adaptSlice(c *graph.Graph, old, n *graph.Node, keep keeper) error {
	x, y := old.In(0), old.Out(0)
	p, ok := sliceOf(c, old)
	if !ok {
		return errors.New("its axes are not constant")
	}
	starts, ends, axes, steps := []int{}, []int{}, []int{}, []int{}
	changed := false
	for d := range x.Shape {
		s, cut := p[d]
		if !cut {
			continue
		}
		k := keep(x, d)
		if k == nil { // as it was
			os, oe, ok := rawSlice(c, old, d)
			if !ok {
				return errors.New("its range is not constant")
			}
			starts, ends, axes, steps = append(starts, os), append(ends, oe), append(axes, d), append(steps, s.step)
			continue
		}
		changed = true
		ky := keep(y, d)
		var at []int
		for j := range y.Shape[d].Mul {
			if ky == nil || ky.Kept(j) {
				at = append(at, count(k, 0, s.start+j*s.step))
			}
		}
		if step, ok := even(at); ok {
			starts, ends, axes, steps = append(starts, at[0]), append(ends, at[len(at)-1]+1), append(axes, d), append(steps, step)
		} else {
			adaptAfter(c, n, "Gather", []*graph.Value{nil, constInts(c, y.Name+"/at", at)}, graph.MakeAttr("axis", d))
		}
	}
	switch {
	case !changed:
	case len(axes) == 0:
		n.Op, n.Attrs, n.Inputs = "Identity", nil, n.Inputs[:1]
	case c.Version("") < 10:
		n.Set("starts", starts).Set("ends", ends).Set("axes", axes)
	default:
		for i, v := range [][]int{starts, ends, axes, steps} {
			setInput(c, n, i+1, v)
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

// adaptAfter puts a node behind output 0 of n that takes over its name. Its
// first input is that output.
func adaptAfter(c *graph.Graph, n *graph.Node, op string, in []*graph.Value, attrs ...graph.Attr) {
	o := n.Outputs[0]
	m := c.Add(op, "", in, []string{o.Name + "/part"}, attrs...)
	n.Outputs[0], m.Outputs[0] = m.Outputs[0], o
	n.Outputs[0].From, o.From = n, m
	n.Outputs[0].DType = o.DType
	m.Inputs[0] = n.Outputs[0]
}

// rawSlice gives start and end of an axis as the node states them.
func rawSlice(g *graph.Graph, n *graph.Node, dim int) (start, end int, ok bool) {
	starts, ends, axes := n.Ints("starts"), n.Ints("ends"), n.Ints("axes")
	if g.Version("") >= 10 {
		starts, _ = ints(n.In(1))
		ends, _ = ints(n.In(2))
		axes = nil
		if n.In(3) != nil {
			axes, _ = ints(n.In(3))
		}
	}
	for i := range starts {
		a := i
		if axes != nil {
			a = normal(axes[i], len(n.In(0).Shape))
		}
		if a == dim {
			return starts[i], ends[i], true
		}
	}
	return 0, 0, false
}

func adaptPad(c *graph.Graph, old, n *graph.Node, keep keeper) error {
	p, ok := padsOf(c, old)
	if !ok {
		return errors.New("its pads are not constant")
	}
	x, y := old.In(0), old.Out(0)
	rank := len(x.Shape)
	p = append([]int{}, p...)
	for d := range x.Shape {
		if k := keep(y, d); k != nil && (p[d] != 0 || p[d+rank] != 0) {
			b, size := p[d], x.Shape[d].Mul
			p[d], p[d+rank] = count(k, 0, b), count(k, b+size, k.Len)
		}
	}
	if c.Version("") < 11 {
		n.Set("pads", p)
		return nil
	}
	setInput(c, n, 1, p)
	if len(n.Inputs) > 3 {
		n.Inputs = n.Inputs[:3] // all axes are given now
	}
	return nil
}

func adaptSplit(c *graph.Graph, old, n *graph.Node, keep keeper) error {
	x := old.In(0)
	a := normal(old.Int("axis", 0), len(x.Shape))
	if keep(x, a) == nil {
		return nil
	}
	var sizes []int
	for _, o := range old.Outputs {
		size := o.Shape[a].Mul
		if k := keep(o, a); k != nil {
			size = k.Count()
		}
		sizes = append(sizes, size)
	}
	if c.Version("") < 13 {
		n.Set("split", sizes)
		return nil
	}
	setInput(c, n, 1, sizes)
	for i := range n.Attrs {
		if n.Attrs[i].Name == "num_outputs" {
			n.Attrs = append(n.Attrs[:i], n.Attrs[i+1:]...)
			break
		}
	}
	return nil
}

// adaptGather renumbers constant indices.
func adaptGather(c *graph.Graph, old, n *graph.Node, keep keeper) {
	x, y := old.In(0), old.Out(0)
	a := normal(old.Int("axis", 0), len(x.Shape))
	kx := keep(x, a)
	idx, ok := ints(old.In(1))
	if kx == nil || !ok {
		return
	}
	ky := keep(y, a)
	var out []int
	for j, i := range idx {
		if ky == nil || ky.Kept(j) {
			out = append(out, count(kx, 0, normal(i, x.Shape[a].Mul)))
		}
	}
	setInput(c, n, 1, out)
}

// adaptScatter renumbers the constant positions that a ScatterND writes to.
func adaptScatter(c *graph.Graph, old, n *graph.Node, keep keeper) {
	k := keep(old.In(0), 0)
	rows, ok := scattered(old)
	if k == nil || !ok {
		return
	}
	var out []int
	for _, i := range rows {
		if k.Kept(i) {
			out = append(out, count(k, 0, i))
		}
	}
	n.Inputs[1] = constInts(c, old.In(1).Name, out)
	n.Inputs[1].Const = n.Inputs[1].Const.Reshape(len(out), 1)
	n.Inputs[1].Shape = graph.Dims(len(out), 1)
}
