package structure

import (
	"errors"

	"pare/graph"
	"pare/prune"
	"pare/tensor"
)

// adapt changes what a node says in numbers about axes that were cut: the
// groups of a convolution, the shape of a Reshape, the range of a Slice ...
// old is the node in the uncut network, n its copy in c.
func adapt(c *graph.Graph, old, n *graph.Node, gone map[Axis]*prune.Mask) error {
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
		if w := old.In(1); old.Int("group", 1) > 1 && w.Shape[1].Mul == 1 {
			if k := keep(old.In(0), 1); k != nil {
				n.Set("group", k.Count())
			}
		}
	case old.Is("Reshape"):
		return adaptShape(c, old, n, keep)
	case old.Is("Expand"):
		return adaptShape(c, old, n, keep)
	case old.Is("Slice"):
		return adaptSlice(c, old, n, keep)
	case old.Is("Pad"):
		return adaptPad(c, old, n, keep)
	case old.Is("Split"):
		return adaptSplit(c, old, n, keep)
	case old.Is("Gather"):
		adaptGather(c, old, n, keep)
	}
	return nil
}

// setInput gives the node a constant of its own as input i.
func setInput(c *graph.Graph, n *graph.Node, i int, v []int) {
	t := tensor.New(tensor.Int64, len(v))
	for k, x := range v {
		tensor.Of[int64](t)[k] = int64(x)
	}
	for len(n.Inputs) <= i {
		n.Inputs = append(n.Inputs, nil)
	}
	stem := n.Name
	if old := n.Inputs[i]; old != nil {
		stem = old.Name
	}
	n.Inputs[i] = c.Const(stem, t, graph.Frozen)
}

type keeper func(v *graph.Value, d int) *prune.Mask

func adaptShape(c *graph.Graph, old, n *graph.Node, keep keeper) error {
	shape, ok := ints(old.In(1))
	if !ok {
		return errors.New("its shape is not constant")
	}
	y := old.Out(0)
	off := len(y.Shape) - len(shape) // Expand may give fewer axes
	changed := false
	for d := range shape {
		if k := keep(y, d+off); k != nil && shape[d] > 1 {
			shape[d] = k.Count()
			changed = true
		}
	}
	if changed {
		setInput(c, n, 1, shape)
	}
	return nil
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

func adaptSlice(c *graph.Graph, old, n *graph.Node, keep keeper) error {
	g := c.Version("")
	x, y := old.In(0), old.Out(0)
	p, ok := sliceOf(c, old)
	if !ok {
		return errors.New("its range is not constant")
	}
	starts, ends, axes, steps := []int{}, []int{}, []int{}, []int{}
	for d := range x.Shape {
		s, cut := p[d]
		if !cut {
			continue
		}
		k := keep(x, d)
		if k == nil && keep(y, d) == nil { // as it was
			os, oe, _ := rawSlice(c, old, d)
			starts, ends, axes, steps = append(starts, os), append(ends, oe), append(axes, d), append(steps, s.step)
			continue
		}
		size := y.Shape[d].Mul
		from, to := s.start, s.start+size
		if k != nil {
			from, to = count(k, 0, s.start), count(k, 0, s.start+size)
		}
		starts, ends, axes, steps = append(starts, from), append(ends, to), append(axes, d), append(steps, 1)
	}
	if g < 10 {
		n.Set("starts", starts).Set("ends", ends).Set("axes", axes)
		return nil
	}
	setInput(c, n, 1, starts)
	setInput(c, n, 2, ends)
	setInput(c, n, 3, axes)
	setInput(c, n, 4, steps)
	return nil
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
