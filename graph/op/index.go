package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// span is the range of one axis of a Slice, normalised: count positions
// start, start+step, ...
type span struct{ start, step, count int }

// spans normalises the arguments of Slice for a shape.
func spans(shape, starts, ends, as, steps []int) ([]span, error) {
	out := make([]span, len(shape))
	for i, d := range shape {
		out[i] = span{0, 1, d}
	}
	if len(starts) != len(ends) || as != nil && len(as) != len(starts) || steps != nil && len(steps) != len(starts) {
		return nil, fmt.Errorf("starts %v, ends %v, axes %v and steps %v differ in length", starts, ends, as, steps)
	}
	if as == nil {
		for i := range starts {
			as = append(as, i)
		}
	}
	as, err := axes(as, len(shape))
	if err != nil {
		return nil, err
	}
	for i, a := range as {
		n, st := shape[a], 1
		if steps != nil {
			st = steps[i]
		}
		if st == 0 {
			return nil, fmt.Errorf("a step of 0")
		}
		s, e := starts[i], ends[i]
		if s < 0 {
			s += n
		}
		if e < 0 && e > math.MinInt32 {
			e += n
		}
		if st > 0 {
			s, e = max(0, min(s, n)), max(0, min(e, n))
			out[a] = span{s, st, max(0, (e-s+st-1)/st)}
		} else {
			s, e = max(-1, min(s, n-1)), max(-1, min(e, n-1))
			out[a] = span{s, st, max(0, (s-e-st-1)/(-st))}
		}
	}
	return out, nil
}

// sliceArgs reads starts, ends, axes and steps from attributes (before opset
// 10) or from inputs through get.
func sliceArgs(n *graph.Node, opset int, get func(i int) ([]int, bool)) (starts, ends, as, steps []int, ok bool) {
	if opset < 10 && n.Attr("starts") != nil {
		return n.Ints("starts"), n.Ints("ends"), n.Ints("axes"), nil, true
	}
	if starts, ok = get(1); !ok {
		return
	}
	if ends, ok = get(2); !ok {
		return
	}
	if n.In(3) != nil {
		if as, ok = get(3); !ok {
			return
		}
	}
	if n.In(4) != nil {
		steps, ok = get(4)
	}
	return
}

func inferSlice(c *Infer) error {
	x, err := c.In(0)
	if err != nil {
		return err
	}
	starts, ends, as, steps, ok := sliceArgs(c.Node, c.Opset, c.Ints)
	if !ok || x.Shape == nil {
		var s graph.Shape
		for i := range x.Shape {
			s = append(s, graph.Sym(fmt.Sprintf("%s.%d", c.Node.Out(0).Name, i)))
		}
		c.Out(0, x.DType, s)
		return nil
	}
	// symbolic axes may only be cut whole or are unknown
	ints := make([]int, len(x.Shape))
	for i, d := range x.Shape {
		if ints[i] = d.Mul; !d.Known() {
			ints[i] = math.MaxInt32
		}
	}
	sp, err := spans(ints, starts, ends, as, steps)
	if err != nil {
		return err
	}
	out := append(graph.Shape{}, x.Shape...)
	for i := range out {
		if x.Shape[i].Known() {
			out[i] = graph.N(sp[i].count)
		} else if sp[i] != (span{0, 1, math.MaxInt32}) {
			out[i] = graph.Derived(fmt.Sprintf("slice%d:%d:%d", sp[i].start, sp[i].count, sp[i].step), x.Shape[i])
		}
	}
	c.Out(0, x.DType, out)
	return nil
}

// viewOf gives sizes, strides and first offset of a sliced view.
func viewOf(shape []int, sp []span) (size, strides []int, base int) {
	src := tensor.Strides(shape)
	size, strides = make([]int, len(shape)), make([]int, len(shape))
	for i, s := range sp {
		size[i], strides[i] = s.count, s.step*src[i]
		base += s.start * src[i]
	}
	return
}

func evalSpans(n *graph.Node, opset int, in []*tensor.Tensor, shape []int) ([]span, error) {
	var bad error
	starts, ends, as, steps, ok := sliceArgs(n, opset, func(i int) ([]int, bool) {
		v, err := intsOf(arg(in, i))
		if err != nil {
			bad = err
		}
		return v, err == nil
	})
	if !ok {
		return nil, bad
	}
	return spans(shape, starts, ends, as, steps)
}

var _ = register(
	Def{Name: "Slice", Infer: inferSlice,
		Eval: func(n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			sp, err := evalSpans(n, opset, in, in[0].Shape)
			if err != nil {
				return nil, err
			}
			size, st, base := viewOf(in[0].Shape, sp)
			out := tensor.New(in[0].DType, size...)
			cp := copier(out, in[0])
			odometer(size, st, func(i, off int) { cp(i, base+off) })
			return single(out, nil)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			in := append([]*graph.Value{dy[0], n.In(0)}, n.Inputs[1:]...)
			return []*graph.Value{b.Pare("SliceGrad", n.Attrs, in...)}, nil
		}},

	// SliceGrad(dy, like, starts, ends, axes, steps) writes dy where Slice
	// would have read, into zeros.
	Def{Domain: graph.Pare, Name: "SliceGrad",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(1)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			as := append([]*tensor.Tensor{in[0]}, in[2:]...)
			m := &graph.Node{Inputs: append([]*graph.Value{n.In(0)}, n.Inputs[2:]...), Attrs: n.Attrs}
			opset := 10
			if n.Attr("starts") != nil {
				opset = 9
			}
			sp, err := evalSpans(m, opset, as, in[1].Shape)
			if err != nil {
				return nil, err
			}
			size, st, base := viewOf(in[1].Shape, sp)
			out := tensor.New(in[0].DType, in[1].Shape...)
			cp := copier(out, in[0])
			odometer(size, st, func(i, off int) { cp(base+off, i) })
			return single(out, nil)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			in := append([]*graph.Value{dy[0]}, n.Inputs[2:]...)
			return []*graph.Value{b.Attr("Slice", n.Attrs, in...), nil}, nil
		}},

	Def{Name: "Concat",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			var out graph.Shape
			a := 0
			for i := range c.Node.Inputs {
				s := c.Shape(i)
				if s == nil {
					c.Out(0, x.DType, nil)
					return nil
				}
				if i == 0 {
					if a, err = axis(c.Node.Int("axis", 0), len(s)); err != nil {
						return err
					}
					out = append(graph.Shape{}, s...)
					continue
				}
				if len(s) != len(out) {
					return fmt.Errorf("shapes %v and %v differ in rank", out, s)
				}
				for d := range s {
					switch {
					case d == a:
						out[d] = out[d].Plus(s[d])
					case out[d].Known() && s[d].Known() && out[d] != s[d]:
						return fmt.Errorf("shapes %v and %v differ on axis %d", x.Shape, s, d)
					case s[d].Known():
						out[d] = s[d]
					}
				}
			}
			c.Out(0, x.DType, out)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			a, err := axis(n.Int("axis", 0), in[0].Rank())
			if err != nil {
				return nil, err
			}
			shape := append([]int{}, in[0].Shape...)
			shape[a] = 0
			for _, x := range in {
				if len(x.Shape) != len(shape) {
					return nil, fmt.Errorf("shapes %v and %v differ in rank", in[0].Shape, x.Shape)
				}
				for d := range shape {
					if d != a && x.Shape[d] != shape[d] {
						return nil, fmt.Errorf("shapes %v and %v differ on axis %d", in[0].Shape, x.Shape, d)
					}
				}
				shape[a] += x.Shape[a]
			}
			out, err := alloc(in[0].DType, shape...)
			if err != nil {
				return nil, err
			}
			st := tensor.Strides(shape)
			base := 0
			for _, x := range in {
				cp := copier(out, x)
				odometer(x.Shape, st, func(i, off int) { cp(base+off, i) })
				base += x.Shape[a] * st[a]
			}
			return single(out, nil)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			a, err := axis(n.Int("axis", 0), len(n.Out(0).Shape))
			if err != nil {
				return nil, err
			}
			out := make([]*graph.Value, len(n.Inputs))
			lo := 0
			for i, x := range n.Inputs {
				d := x.Shape[a]
				if !d.Known() {
					return nil, fmt.Errorf("concatenation along an axis of unknown size %v", d)
				}
				out[i] = slice(b, dy[0], a, lo, lo+d.Mul)
				lo += d.Mul
			}
			return out, nil
		}},

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
					s[a] = graph.Derived(fmt.Sprintf("split%d/%d", i, len(c.Node.Outputs)), x.Shape[a])
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
					return nil, fmt.Errorf("output %d of Split is not named", i)
				default:
					parts[i] = b.Pare("ZerosLike", nil, n.Out(i))
				}
			}
			return []*graph.Value{b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", n.Int("axis", 0))}, parts...), nil}, nil
		}},
)

// slice is x[lo:hi] along one axis.
func slice(b *Builder, x *graph.Value, a, lo, hi int) *graph.Value {
	if b.G.Version("") < 10 {
		return b.Attr("Slice", []graph.Attr{graph.MakeAttr("starts", []int{lo}), graph.MakeAttr("ends", []int{hi}), graph.MakeAttr("axes", []int{a})}, x)
	}
	return b.Op("Slice", x, b.Ints(lo), b.Ints(hi), b.Ints(a))
}

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
