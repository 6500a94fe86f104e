package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

var _ = register(
	Def{Name: "Split",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			if x.Shape == nil {
				for i := range c.Node.Outputs {
					c.Out(i, x.DType, nil)
				}
				return nil
			}
			a, err := axis(c.Node.Int("axis", 0), len(x.Shape))
			if err != nil {
				return err
			}
			given := c.Node.Ints("split")
			if c.Node.In(1) != nil {
				var ok bool
				if given, ok = c.Ints(1); !ok {
					given = nil
					for i := range c.Node.Outputs {
						s := append(graph.Shape{}, x.Shape...)
						s[a] = graph.Sym(fmt.Sprintf("%s.%d", c.Node.Name, i))
						c.Out(i, x.DType, s)
					}
					return nil
				}
			}
			if !x.Shape[a].Known() {
				for i := range c.Node.Outputs {
					s := append(graph.Shape{}, x.Shape...)
					var even bool
					if s[a], even = x.Shape[a].Over(graph.N(len(c.Node.Outputs))); !even {
						s[a] = graph.Derived(fmt.Sprintf("split%d/%d", i, len(c.Node.Outputs)), x.Shape[a])
					}
					if given != nil && i < len(given) {
						s[a] = graph.N(given[i])
					}
					c.Out(i, x.DType, s)
				}
				return nil
			}
			sizes, err := splitSizes(given, x.Shape[a].Mul, len(c.Node.Outputs))
			if err != nil {
				return err
			}
			for i, k := range sizes {
				s := append(graph.Shape{}, x.Shape...)
				s[a] = graph.N(k)
				c.Out(i, x.DType, s)
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			a, err := axis(n.Int("axis", 0), in[0].Rank())
			if err != nil {
				return nil, err
			}
			given := n.Ints("split")
			if arg(in, 1) != nil {
				if given, err = intsOf(in[1]); err != nil {
					return nil, err
				}
			}
			sizes, err := splitSizes(given, in[0].Shape[a], len(n.Outputs))
			if err != nil {
				return nil, err
			}
			st := tensor.Strides(in[0].Shape)
			var outs []*tensor.Tensor
			base := 0
			for _, k := range sizes {
				shape := append([]int{}, in[0].Shape...)
				shape[a] = k
				o := tensor.New(in[0].DType, shape...)
				cp := copier(o, in[0])
				odometer(shape, st, func(i, off int) { cp(i, base+off) })
				base += k * st[a]
				outs = append(outs, o)
			}
			return outs, nil
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			parts := make([]*graph.Value, len(dy))
			for i, d := range dy {
				switch {
				case d != nil:
					parts[i] = d
				case n.Out(i) == nil:
					return nil, fmt.Errorf("output %d of Split is left out: its size is not known", i)
				default:
					parts[i] = b.Pare("ZerosLike", nil, n.Out(i))
				}
			}
			return []*graph.Value{b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", n.Int("axis", 0))}, parts...), nil}, nil
		}},
)

// splitSizes divides an axis: as given, or evenly with a smaller last part.
func splitSizes(given []int, size, parts int) ([]int, error) {
	if given == nil {
		k := (size + parts - 1) / parts
		for i := range parts {
			given = append(given, max(0, min(k, size-i*k)))
		}
	}
	sum := 0
	for _, k := range given {
		if k < 0 {
			return nil, fmt.Errorf("split sizes %v have a negative one", given)
		}
		sum += k
	}
	if sum != size || len(given) != parts {
		return nil, fmt.Errorf("split sizes %v do not divide an axis of %d into %d parts", given, size, parts)
	}
	return given, nil
}
