package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// likeInput gives dy the shape of the first input.
func likeInput(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
	return append([]*graph.Value{b.Pare("ReshapeLike", nil, dy[0], n.In(0))}, make([]*graph.Value, max(0, len(n.Inputs)-1))...), nil
}

var _ = register(
	Def{Name: "Reshape", Infer: inferReshape,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			want, err := intsOf(in[1])
			if err != nil {
				return nil, err
			}
			shape, err := reshapeTo(in[0].Shape, want, n.Int("allowzero", 0) != 0)
			if err != nil {
				return nil, err
			}
			return single(in[0].Reshape(shape...), nil)
		}, Grad: likeInput},
	Def{Name: "Flatten",
		Infer: func(c *Infer) error {
			x, err := c.ranked()
			if x == nil {
				return err
			}
			a, err := flattenAxis(c.Node, len(x.Shape))
			if err != nil {
				return err
			}
			c.Out(0, x.DType, graph.Shape{x.Shape.Size(0, a), x.Shape.Size(a, len(x.Shape))})
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			a, err := flattenAxis(n, in[0].Rank())
			if err != nil {
				return nil, err
			}
			r, _ := tensor.Size(in[0].Shape[:a])
			k, _ := tensor.Size(in[0].Shape[a:])
			return single(in[0].Reshape(r, k), nil)
		}, Grad: likeInput},
	Def{Name: "Squeeze", Infer: func(c *Infer) error { return inferSqueeze(c, squeezed) },
		Eval: evalSqueeze(squeezed), Grad: likeInput},
	Def{Name: "Unsqueeze", Infer: func(c *Infer) error { return inferSqueeze(c, unsqueezed) },
		Eval: evalSqueeze(unsqueezed), Grad: likeInput},
)

func flattenAxis(n *graph.Node, rank int) (int, error) {
	a := n.Int("axis", 1)
	if a < -rank || a > rank {
		return 0, fmt.Errorf("axis %d is outside a tensor of rank %d", a, rank)
	}
	if a < 0 {
		a += rank
	}
	return a, nil
}

// reshapeTo resolves 0 (as in the input) and -1 (whatever is left).
func reshapeTo(in, want []int, allowzero bool) ([]int, error) {
	out := append([]int{}, want...)
	from, to, hole := append([]int{}, in...), append([]int{}, want...), -1 // but for what is copied, which may be 0
	for i, w := range want {
		if w == 0 && !allowzero {
			if i >= len(in) {
				return nil, fmt.Errorf("0 in shape %v stands for a dimension that input %v lacks", want, in)
			}
			out[i], from[i], to[i] = in[i], 1, 1
		}
		if w == -1 {
			if hole >= 0 {
				return nil, fmt.Errorf("shape %v has more than one -1", want)
			}
			hole = i
			to[i] = 1
		} else if w < -1 {
			return nil, fmt.Errorf("shape %v has a negative size", want)
		}
	}
	n, _ := tensor.Size(from)
	p, ok := tensor.Size(to)
	if hole >= 0 && ok && p > 0 && n%p == 0 {
		out[hole] = n / p
		p = n
	}
	if !ok || p != n {
		return nil, fmt.Errorf("cannot reshape %v to %v", in, want)
	}
	return out, nil
}

func inferReshape(c *Infer) error {
	x, err := c.In(0)
	if err != nil {
		return err
	}
	want, ok := c.Contents(1)
	if ok && x.Shape == nil { // the sizes that do not come from the input
		out := unknownShape(c, len(want), true)
		for i, w := range want {
			if w.Mul > 0 {
				out[i] = w
			}
		}
		c.Out(0, x.DType, out)
		return nil
	}
	if !ok {
		var s graph.Shape
		if v := c.Node.In(1); v != nil && len(v.Shape) == 1 && v.Shape[0].Known() && v.Shape[0].Mul <= maxRank {
			s = unknownShape(c, v.Shape[0].Mul, true) // at least the rank is known
		}
		c.Out(0, x.DType, s)
		return nil
	}
	out := make(graph.Shape, len(want))
	from, rest, hole := append(graph.Shape{}, x.Shape...), graph.N(1), -1 // but for what is copied, which may be 0
	for i, w := range want {
		switch {
		case w == graph.N(0) && c.Node.Int("allowzero", 0) == 0:
			if i >= len(x.Shape) {
				return fmt.Errorf("0 in shape %v stands for a dimension that input %v lacks", graph.Shape(want), x.Shape)
			}
			out[i], from[i] = x.Shape[i], graph.N(1)
			continue
		case w == graph.N(-1):
			if hole >= 0 {
				return fmt.Errorf("shape %v has more than one -1", graph.Shape(want))
			}
			hole = i
			continue
		default:
			out[i] = w
		}
		rest = rest.Times(out[i])
	}
	total := from.Size(0, len(from))
	if hole >= 0 {
		q, ok := total.Over(rest)
		if !ok {
			if total.Known() && rest.Known() {
				return fmt.Errorf("cannot reshape %v to %v", x.Shape, graph.Shape(want))
			}
			q = unknownDim(c, 0, hole)
		}
		out[hole] = q
	} else if total.Known() && rest.Known() && total != rest {
		return fmt.Errorf("cannot reshape %v to %v", x.Shape, graph.Shape(want))
	}
	c.Out(0, x.DType, out)
	return nil
}

type squeezer func(shape graph.Shape, as []int, given bool) (graph.Shape, error)

func squeezed(s graph.Shape, as []int, given bool) (graph.Shape, error) {
	as, err := axes(as, len(s))
	if err != nil {
		return nil, err
	}
	drop := map[int]bool{}
	for _, a := range as {
		if s[a].Known() && s[a] != graph.N(1) {
			return nil, fmt.Errorf("axis %d of %v is not 1", a, s)
		}
		drop[a] = true
	}
	out := graph.Shape{}
	for i, d := range s {
		if !drop[i] && (given || d != graph.N(1)) {
			out = append(out, d)
		}
	}
	return out, nil
}

func unsqueezed(s graph.Shape, as []int, _ bool) (graph.Shape, error) {
	rank := len(s) + len(as)
	as, err := axes(as, rank)
	if err != nil {
		return nil, err
	}
	put := map[int]bool{}
	for _, a := range as {
		put[a] = true
	}
	out, k := graph.Shape{}, 0
	for i := range rank {
		if put[i] {
			out = append(out, graph.N(1))
		} else {
			out = append(out, s[k])
			k++
		}
	}
	return out, nil
}

func inferSqueeze(c *Infer, f squeezer) error {
	x, err := c.In(0)
	if err != nil {
		return err
	}
	as, given := c.Node.Ints("axes"), c.Node.Attr("axes") != nil
	if c.Node.In(1) != nil {
		var ok bool
		if as, ok = c.Ints(1); !ok {
			c.Out(0, x.DType, nil)
			return nil
		}
		given = true
	}
	if x.Shape == nil {
		c.Out(0, x.DType, nil)
		return nil
	}
	s, err := f(x.Shape, as, given)
	if err != nil {
		return err
	}
	c.Out(0, x.DType, s)
	return nil
}

func evalSqueeze(f squeezer) func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	return func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		as, given := n.Ints("axes"), n.Attr("axes") != nil
		if t := arg(in, 1); t != nil {
			var err error
			if as, err = intsOf(t); err != nil {
				return nil, err
			}
			given = true
		}
		s, err := f(graph.Dims(in[0].Shape...), as, given)
		if err != nil {
			return nil, err
		}
		shape, _ := s.Ints()
		return single(in[0].Reshape(shape...), nil)
	}
}
