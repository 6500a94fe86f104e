package structure

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/tensor"
)

// Selection says of every channel of every group whether it stays; it is
// parallel to the groups.
type Selection []*prune.Mask

// All keeps every channel.
func All(groups []*Group) Selection {
	s := make(Selection, len(groups))
	for i, g := range groups {
		s[i] = prune.NewMask(len(g.Channels), true)
	}
	return s
}

// removed lists by axis the positions that go.
func (s Selection) removed(groups []*Group) map[Axis]*prune.Mask {
	out := map[Axis]*prune.Mask{}
	for i, g := range groups {
		g.remove(s[i], out)
	}
	return out
}

// remove adds to out the positions of the channels that stay does not keep.
func (g *Group) remove(stay *prune.Mask, out map[Axis]*prune.Mask) {
	for c, ch := range g.Channels {
		if stay.Kept(c) {
			continue
		}
		for k, a := range g.Axes {
			m := out[a]
			if m == nil {
				m = prune.NewMask(a.Value.Shape[a.Dim].Mul, true)
				out[a] = m
			}
			for _, p := range ch.At[k] {
				m.Set(p, false)
			}
		}
	}
}

// Cut removes the channels that s does not keep, and gives a new, smaller
// network; g is left as it is. It returns an error where a group would lose
// its last channel.
func Cut(g *graph.Graph, groups []*Group, s Selection) (*graph.Graph, error) {
	for i, grp := range groups {
		if s[i].Count() == 0 {
			return nil, fmt.Errorf("all %d channels of %q would go: at least one must stay", len(grp.Channels), grp.Name)
		}
	}
	gone := s.removed(groups)
	c, m := g.Clone(false)
	uses, told := g.Uses(), &numbers{g: g}
	for i, n := range g.Nodes {
		if err := (&Cutting{Graph: c, Old: n, New: c.Nodes[i], uses: uses, numbers: told, gone: gone}).adapt(); err != nil {
			return nil, fmt.Errorf("cutting %s: %w", name(n), err)
		}
	}
	for _, v := range g.Consts() {
		t := v.Const
		for d := range v.Shape {
			if keep := gone[Axis{v, d}]; keep != nil {
				t = take(t, d, keep)
			}
		}
		w := m[v]
		if t != v.Const {
			w.Const = t
		} else {
			w.Const = v.Const.Clone()
		}
		w.Shape = graph.Dims(t.Shape...)
	}
	if err := c.Sort(); err != nil { // what was put beside nodes
		return nil, err
	}
	for _, n := range c.Nodes {
		for _, o := range n.Outputs {
			if o != nil {
				o.Shape = nil
			}
		}
	}
	if err := op.InferAll(c); err != nil {
		return nil, fmt.Errorf("the cut network is not consistent: %w", err)
	}
	return c, nil
}

// Zero writes zeros into a copy of the network wherever a weight belongs to a
// channel that s does not keep. It computes the same as the cut network.
func Zero(g *graph.Graph, groups []*Group, s Selection) *graph.Graph {
	gone := s.removed(groups)
	c, m := g.Clone(true)
	for _, v := range g.Consts() {
		for d := range v.Shape {
			keep := gone[Axis{v, d}]
			if keep == nil {
				continue
			}
			switch x := m[v].Const.Data.(type) {
			case []float32:
				zero(x, v.Const.Shape, d, keep)
			case []float64:
				zero(x, v.Const.Shape, d, keep)
			case []uint16: // half precision
				zero(x, v.Const.Shape, d, keep)
			case []int8: // quantised
				zero(x, v.Const.Shape, d, keep)
			case []uint8:
				zero(x, v.Const.Shape, d, keep)
			case []int32:
				zero(x, v.Const.Shape, d, keep)
			}
		}
	}
	return c
}

// around gives the sizes of a shape before and after dim.
func around(shape []int, dim int) (outer, inner int) {
	outer, _ = tensor.Size(shape[:dim])
	inner, _ = tensor.Size(shape[dim+1:])
	return
}

func zero[T any](x []T, shape []int, dim int, keep *prune.Mask) {
	n := shape[dim]
	outer, inner := around(shape, dim)
	for o := range outer {
		for i := range n {
			if !keep.Kept(i) {
				clear(x[(o*n+i)*inner : (o*n+i+1)*inner])
			}
		}
	}
}

// take copies the kept positions of an axis.
func take(t *tensor.Tensor, dim int, keep *prune.Mask) *tensor.Tensor {
	shape := append([]int{}, t.Shape...)
	shape[dim] = keep.Count()
	out := tensor.New(t.DType, shape...)
	switch x := t.Data.(type) {
	case []float32:
		takeInto(out.Data.([]float32), x, t.Shape, dim, keep)
	case []float64:
		takeInto(out.Data.([]float64), x, t.Shape, dim, keep)
	case []uint16:
		takeInto(out.Data.([]uint16), x, t.Shape, dim, keep)
	case []int64:
		takeInto(out.Data.([]int64), x, t.Shape, dim, keep)
	case []int32:
		takeInto(out.Data.([]int32), x, t.Shape, dim, keep)
	case []int8:
		takeInto(out.Data.([]int8), x, t.Shape, dim, keep)
	case []uint8:
		takeInto(out.Data.([]uint8), x, t.Shape, dim, keep)
	case []bool:
		takeInto(out.Data.([]bool), x, t.Shape, dim, keep)
	}
	return out
}

func takeInto[T any](dst, src []T, shape []int, dim int, keep *prune.Mask) {
	outer, inner := around(shape, dim)
	n := shape[dim]
	for o := range outer {
		for i := range n {
			if keep.Kept(i) {
				dst = dst[copy(dst, src[(o*n+i)*inner:(o*n+i+1)*inner]):]
			}
		}
	}
}

// Take cuts a tensor that goes along with a value of the network, such as a
// mask's or an optimiser's state, as Cut cuts the value itself.
func Take(v *graph.Value, t *tensor.Tensor, groups []*Group, s Selection) *tensor.Tensor {
	gone := s.removed(groups)
	for d := range v.Shape {
		if keep := gone[Axis{v, d}]; keep != nil {
			t = take(t, d, keep)
		}
	}
	return t
}
