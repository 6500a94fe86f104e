package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// asIs is the meaning of an operator that only renames its input.
func asIs(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	return []*tensor.Tensor{in[0]}, nil
}

// like gives dy the shape of the first input.
func likeInput(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
	return append([]*graph.Value{b.Pare("ReshapeLike", nil, dy[0], n.In(0))}, make([]*graph.Value, max(0, len(n.Inputs)-1))...), nil
}

// sameContents passes type, shape and contents through.
func sameContents(c *Infer) error {
	if d, ok := c.Contents(0); ok {
		c.SetContents(d)
	}
	return sameAs(c)
}

var _ = register(
	Def{Name: "Identity", Infer: sameContents, Eval: asIs, Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		return dy[:1], nil
	}},
	Def{Name: "Cast",
		Infer: func(c *Infer) error {
			to := tensor.DType(c.Node.Int("to", 0))
			if !to.Valid() {
				return fmt.Errorf("cannot cast to data type %d", c.Node.Int("to", 0))
			}
			if err := sameContents(c); err != nil {
				return err
			}
			c.Out(0, to, c.Shape(0))
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			return single(Convert(in[0], tensor.DType(n.Int("to", 0))))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			if !n.In(0).DType.IsFloat() {
				return []*graph.Value{nil}, nil
			}
			return []*graph.Value{cast(b, dy[0], n.In(0).DType)}, nil
		}},
	Def{Name: "Shape",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			if x.Shape == nil {
				c.Out(0, tensor.Int64, graph.Shape{graph.Sym("rank(" + x.Name + ")")})
				return nil
			}
			lo, hi := shapeRange(c.Node, len(x.Shape))
			c.Out(0, tensor.Int64, graph.Dims(hi-lo))
			c.SetContents(x.Shape[lo:hi])
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			lo, hi := shapeRange(n, in[0].Rank())
			out := tensor.New(tensor.Int64, hi-lo)
			for i := lo; i < hi; i++ {
				tensor.Of[int64](out)[i-lo] = int64(in[0].Shape[i])
			}
			return single(out, nil)
		}, Grad: noGrad},
	Def{Name: "Size",
		Infer: func(c *Infer) error {
			c.Out(0, tensor.Int64, graph.Shape{})
			if s := c.Shape(0); s != nil {
				c.SetContents([]graph.Dim{s.Size(0, len(s))})
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			return single(tensor.Scalar(int64(in[0].Len())), nil)
		}, Grad: noGrad},
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
			x, err := c.In(0)
			if err != nil {
				return err
			}
			if x.Shape == nil {
				c.Out(0, x.DType, nil)
				return nil
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
	Def{Name: "Transpose",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			if x.Shape == nil {
				c.Out(0, x.DType, nil)
				return nil
			}
			p, err := permutation(c.Node, len(x.Shape))
			if err != nil {
				return err
			}
			out := make(graph.Shape, len(p))
			for i, s := range p {
				out[i] = x.Shape[s]
			}
			c.Out(0, x.DType, out)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			p, err := permutation(n, in[0].Rank())
			if err != nil {
				return nil, err
			}
			shape, st, src := make([]int, len(p)), make([]int, len(p)), tensor.Strides(in[0].Shape)
			for i, s := range p {
				shape[i], st[i] = in[0].Shape[s], src[s]
			}
			out := tensor.New(in[0].DType, shape...)
			odometer(shape, st, copier(out, in[0]))
			return single(out, nil)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			p, err := permutation(n, len(n.Out(0).Shape))
			if err != nil {
				return nil, err
			}
			inv := make([]int, len(p))
			for i, s := range p {
				inv[s] = i
			}
			return []*graph.Value{b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", inv)}, dy[0])}, nil
		}},
	Def{Name: "Expand",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			d, ok := c.Contents(1)
			if !ok || x.Shape == nil {
				c.Out(0, x.DType, nil)
				return nil
			}
			s, err := broadcast(x.Shape, graph.Shape(d))
			if err != nil {
				return err
			}
			c.Out(0, x.DType, s)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			want, err := intsOf(in[1])
			if err != nil {
				return nil, err
			}
			shape, err := broadcastInts(in[0].Shape, want)
			if err != nil {
				return nil, err
			}
			out, err := alloc(in[0].DType, shape...)
			if err != nil {
				return nil, err
			}
			odometer(shape, broadcastStrides(in[0].Shape, shape), copier(out, in[0]))
			return single(out, nil)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("SumTo", nil, dy[0], n.In(0)), nil}, nil
		}},
)

// Convert is the tensor as another type; numbers truncate towards zero.
func Convert(x *tensor.Tensor, to tensor.DType) (*tensor.Tensor, error) {
	if x.DType == to {
		return x, nil
	}
	if x.DType == tensor.String || to == tensor.String {
		return nil, fmt.Errorf("casting between %v and %v is not supported", x.DType, to)
	}
	out, err := alloc(to, x.Shape...)
	if err != nil {
		return nil, err
	}
	if !x.DType.IsFloat() && !to.IsFloat() {
		v, err := x.Int64s()
		if err != nil {
			return nil, err
		}
		return out, fillInts(out, v)
	}
	v, err := floats(x)
	if err != nil {
		return nil, err
	}
	return out, fill(out, v)
}

func shapeRange(n *graph.Node, rank int) (lo, hi int) {
	clampTo := func(v int) int {
		if v < 0 {
			v += rank
		}
		return max(0, min(v, rank))
	}
	lo, hi = clampTo(n.Int("start", 0)), rank
	if n.Attr("end") != nil {
		hi = clampTo(n.Int("end", rank))
	}
	return lo, max(lo, hi)
}

func permutation(n *graph.Node, rank int) ([]int, error) {
	p := n.Ints("perm")
	if p == nil {
		for i := rank - 1; i >= 0; i-- {
			p = append(p, i)
		}
	}
	if len(p) != rank {
		return nil, fmt.Errorf("permutation %v does not fit rank %d", p, rank)
	}
	return axes(p, rank)
}

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
	n, _ := tensor.Size(in)
	out := append([]int{}, want...)
	rest, hole := n, -1
	for i, w := range want {
		if w == 0 && !allowzero {
			if i >= len(in) {
				return nil, fmt.Errorf("0 in shape %v stands for a dimension that input %v lacks", want, in)
			}
			out[i] = in[i]
		}
		if w == -1 {
			if hole >= 0 {
				return nil, fmt.Errorf("shape %v has more than one -1", want)
			}
			hole = i
			out[i] = 1
		} else if w < -1 {
			return nil, fmt.Errorf("shape %v has a negative size", want)
		}
	}
	p, ok := tensor.Size(out)
	if hole >= 0 && ok && p > 0 && rest%p == 0 {
		out[hole] = rest / p
		p = rest
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
	if !ok || x.Shape == nil {
		var s graph.Shape
		if v := c.Node.In(1); v != nil && len(v.Shape) == 1 && v.Shape[0].Known() && v.Shape[0].Mul < 64 {
			for i := range v.Shape[0].Mul { // at least the rank is known
				s = append(s, graph.Sym(fmt.Sprintf("%s.%d", c.Node.Out(0).Name, i)))
			}
		}
		c.Out(0, x.DType, s)
		return nil
	}
	out := make(graph.Shape, len(want))
	total, rest, hole := x.Shape.Size(0, len(x.Shape)), graph.N(1), -1
	for i, w := range want {
		switch {
		case w == graph.N(0) && c.Node.Int("allowzero", 0) == 0:
			if i >= len(x.Shape) {
				return fmt.Errorf("0 in shape %v stands for a dimension that input %v lacks", graph.Shape(want), x.Shape)
			}
			out[i] = x.Shape[i]
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
	if hole >= 0 {
		q, ok := total.Over(rest)
		if !ok {
			if total.Known() && rest.Known() {
				return fmt.Errorf("cannot reshape %v to %v", x.Shape, graph.Shape(want))
			}
			q = graph.Sym(fmt.Sprintf("%s.%d", c.Node.Out(0).Name, hole))
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
