package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// scatterPlaces gives for each element of the update its place in the cache.
func scatterPlaces(n *graph.Node, cache, update []int, write *tensor.Tensor) ([]int, error) {
	a, err := axis(n.Int("axis", -2), len(cache))
	if err != nil {
		return nil, err
	}
	circular := n.Str("mode", "linear") == "circular"
	if a == 0 || len(update) != len(cache) || update[a] > cache[a] {
		return nil, fmt.Errorf("update %v does not fit cache %v along axis %d", update, cache, a)
	}
	for d := range cache {
		if d != a && cache[d] != update[d] {
			return nil, fmt.Errorf("update %v does not fit cache %v along axis %d", update, cache, a)
		}
	}
	first, err := intsOf(write)
	if err != nil || first != nil && len(first) != cache[0] {
		return nil, fmt.Errorf("the positions do not fit a batch of %d (%v)", cache[0], err)
	}
	st, us := tensor.Strides(cache), tensor.Strides(update)
	out := make([]int, prod(update))
	for i := range out {
		for d, u := range us {
			k := i / u % update[d]
			if d == a {
				if first != nil {
					k += first[i/us[0]]
				}
				if circular && k >= 0 {
					k %= cache[a]
				}
				if k < 0 || k >= cache[a] {
					return nil, fmt.Errorf("position %d of a cache of %d", k, cache[a])
				}
			}
			out[i] += k * st[d]
		}
	}
	return out, nil
}

var _ = register(
	// TensorScatter(cache, update, positions) writes an update into a cache, for
	// each sample from its position on.
	Def{Name: "TensorScatter",
		Infer: func(c *Infer) error {
			if _, err := c.In(1); err != nil {
				return err
			}
			return sameAs(c)
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			at, err := scatterPlaces(n, in[0].Shape, in[1].Shape, arg(in, 2))
			if err != nil {
				return nil, err
			}
			return combine(in[0], in[1], "none", func(i int) int { return at[i] })
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			args := func(u *graph.Value) []*graph.Value {
				if n.In(2) == nil {
					return []*graph.Value{dy[0], u}
				}
				return []*graph.Value{dy[0], u, n.In(2)}
			}
			kept := b.Attr("TensorScatter", n.Attrs, args(b.Pare("ZerosLike", nil, n.In(1)))...)
			return []*graph.Value{kept, b.Pare("TensorGather", n.Attrs, dy[0], n.In(1), n.In(2)), nil}, nil
		}},

	// TensorGather(cache, like, positions) reads where TensorScatter writes.
	Def{Domain: graph.Pare, Name: "TensorGather",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(1)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			at, err := scatterPlaces(n, in[0].Shape, in[1].Shape, arg(in, 2))
			if err != nil {
				return nil, err
			}
			return single(take(in[0], in[1].Shape, func(i int) int { return at[i] }))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			in := []*graph.Value{b.Pare("ZerosLike", nil, n.In(0)), dy[0]}
			if n.In(2) != nil {
				in = append(in, n.In(2))
			}
			return []*graph.Value{b.Attr("TensorScatter", n.Attrs, in...), nil, nil}, nil
		}},
)
