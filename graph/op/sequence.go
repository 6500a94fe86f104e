package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// ReverseSequence reverses the first lens[b] elements along the time axis of
// each batch element; it is its own inverse.
var _ = register(Def{Name: "ReverseSequence",
	Infer: func(c *Infer) error {
		if _, err := c.In(1); err != nil {
			return err
		}
		if s := c.Shape(0); s != nil && len(s) < 2 {
			return fmt.Errorf("shape %v has no batch and time axes", s)
		}
		return sameAs(c)
	},
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		s := in[0].Shape
		time, batch := n.Int("time_axis", 0), n.Int("batch_axis", 1)
		if time+batch != 1 || time != 0 && batch != 0 {
			return nil, fmt.Errorf("time axis %d and batch axis %d: one must be 0, the other 1", time, batch)
		}
		lens, err := intsOf(in[1])
		if err != nil {
			return nil, err
		}
		if len(lens) != s[batch] {
			return nil, fmt.Errorf("%d lengths do not fit a batch of %d", len(lens), s[batch])
		}
		for _, k := range lens {
			if k < 0 || k > s[time] {
				return nil, fmt.Errorf("length %d does not fit a time axis of %d", k, s[time])
			}
		}
		st := tensor.Strides(s)
		return single(take(in[0], s, func(i int) int {
			t, k := i/st[time]%s[time], lens[i/st[batch]%s[batch]]
			if t >= k {
				return i
			}
			return i + (k-1-2*t)*st[time]
		}))
	},
	Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		return []*graph.Value{b.Attr("ReverseSequence", n.Attrs, dy[0], n.In(1)), nil}, nil
	}})
