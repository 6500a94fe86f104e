package structure

import (
	"fmt"

	"pare/tensor"
)

// Order puts the channels of a group into another order, channel from[c] into the place of
// channel c, and says for every axis of a constant from which position each position's
// numbers come. It returns nil where a channel has more positions along an axis than
// another.
func (g *Group) Order(from []int) map[Axis][]int {
	out := map[Axis][]int{}
	for k, a := range g.Axes {
		if !a.Value.IsConst() {
			continue
		}
		at := out[a]
		if at == nil {
			at = make([]int, a.Value.Const.Shape[a.Dim])
			for i := range at {
				at[i] = i
			}
			out[a] = at
		}
		for c, f := range from {
			to, src := g.Channels[c].At[k], g.Channels[f].At[k]
			if len(to) != len(src) {
				return nil
			}
			for i, p := range to {
				at[p] = src[i]
			}
		}
	}
	return out
}

// Reorder takes the numbers of each position of an axis from another.
func Reorder(t *tensor.Tensor, dim int, from []int) error {
	switch x := t.Data.(type) {
	case []float32:
		reorder(x, t.Shape, dim, from)
	case []float64:
		reorder(x, t.Shape, dim, from)
	case []uint16: // half precision
		reorder(x, t.Shape, dim, from)
	case []int64:
		reorder(x, t.Shape, dim, from)
	case []int32:
		reorder(x, t.Shape, dim, from)
	case []int8:
		reorder(x, t.Shape, dim, from)
	case []uint8:
		reorder(x, t.Shape, dim, from)
	case []bool:
		reorder(x, t.Shape, dim, from)
	default:
		return fmt.Errorf("numbers of type %v are not put into another order", t.DType)
	}
	return nil
}

func reorder[T any](x []T, shape []int, dim int, from []int) {
	outer, inner := around(shape, dim)
	n := shape[dim]
	old := make([]T, n*inner)
	for o := range outer {
		part := x[o*n*inner : (o+1)*n*inner]
		copy(old, part)
		for i, f := range from {
			copy(part[i*inner:(i+1)*inner], old[f*inner:(f+1)*inner])
		}
	}
}
