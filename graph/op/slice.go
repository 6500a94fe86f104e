package op

import (
	"fmt"

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
			return nil, fmt.Errorf("the step along axis %d is 0", a)
		}
		s, e := starts[i], ends[i]
		if s < 0 {
			s += n
		}
		if e < 0 {
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
	x, err := c.ranked()
	if x == nil {
		return err
	}
	starts, ends, as, steps, ok := sliceArgs(c.Node, c.Opset, c.Ints)
	if !ok {
		c.Out(0, x.DType, sliceUnknown(c, x.Shape))
		return nil
	}
	ints := make([]int, len(x.Shape))
	for i, d := range x.Shape {
		if ints[i] = d.Mul; !d.Known() {
			ints[i] = symbolicSize
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
		} else {
			out[i] = sliceSymbolic(x.Shape[i], sp[i])
		}
	}
	c.Out(0, x.DType, out)
	return nil
}

// symbolicSize stands for a size that is not known, and is taken to be larger
// than any number that cuts it. Exporters write it for "to the end".
const symbolicSize = 1 << 29

// sliceSymbolic is the size of a slice of an axis of symbolic size: whole, cut
// by some elements at its ends, or its last elements, of which there are taken
// to be enough. Other slices give a size that remains open.
func sliceSymbolic(d graph.Dim, s span) graph.Dim {
	const far = symbolicSize / 2
	switch {
	case s.step == 1 && s.count > far: // from the front, a few at both ends left out
		return d.Minus(graph.N(symbolicSize - s.count))
	case s.step == 1 && s.start > far: // the last few
		return graph.N(s.count)
	case s.step == -1 && s.start == symbolicSize-1 && s.count == symbolicSize:
		return d
	}
	return graph.Derived(fmt.Sprintf("slice %d+%d by %d", s.start, s.count, s.step), d)
}

// sliceUnknown is the shape of a slice by numbers of which some are known only
// when running: axes that are not cut keep their sizes, those cut by numbers that
// are known have the size that follows, and one cut to [0:T] by a size T is taken
// to be at least as long.
func sliceUnknown(c *Infer, x graph.Shape) graph.Shape {
	out := unknownShape(c, len(x), true)
	starts, ok1 := c.Contents(1)
	ends, ok2 := c.Contents(2)
	var as []int
	if c.Node.In(3) != nil {
		var ok bool
		if as, ok = c.Ints(3); !ok {
			return out
		}
	} else {
		if v := c.Node.In(1); v == nil || len(v.Shape) != 1 || !v.Shape[0].Known() {
			return out
		}
		for i := range c.Node.In(1).Shape[0].Mul {
			as = append(as, i)
		}
	}
	as, err := axes(as, len(x))
	if err != nil {
		return out
	}
	cut := map[int]bool{}
	for i, a := range as {
		cut[a] = true
		if n, ok := c.sliceKnown(i, x[a]); ok {
			out[a] = n
			continue
		}
		if ok1 && ok2 && i < min(len(starts), len(ends)) && starts[i] == graph.N(0) && !ends[i].Known() && ends[i].Mul > 0 && forward(c.Node) {
			out[a] = ends[i]
		}
	}
	for i := range out {
		if !cut[i] {
			out[i] = x[i]
		}
	}
	return out
}

// sliceKnown is the size that range i of a slice leaves of an axis of known size,
// where all that says so is known.
func (c *Infer) sliceKnown(i int, d graph.Dim) (graph.Dim, bool) {
	var at [3][]int // start, end and step
	for k, in := range []int{1, 2, 4} {
		if in == 4 && c.Node.In(4) == nil {
			at[k] = []int{1}
			continue
		}
		e, ok := c.Contents(in)
		if !ok || i >= len(e) || !e[i].Known() {
			return d, false
		}
		at[k] = []int{e[i].Mul}
	}
	if !d.Known() {
		return d, false
	}
	sp, err := spans([]int{d.Mul}, at[0], at[1], nil, at[2])
	if err != nil {
		return d, false
	}
	return graph.N(sp[0].count), true
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
)

// slice is x[lo:hi] along one axis.
func slice(b *Builder, x *graph.Value, a, lo, hi int) *graph.Value {
	if b.G.Version("") < 10 {
		return b.Attr("Slice", []graph.Attr{graph.MakeAttr("starts", []int{lo}), graph.MakeAttr("ends", []int{hi}), graph.MakeAttr("axes", []int{a})}, x)
	}
	return b.Op("Slice", x, b.Ints(lo), b.Ints(hi), b.Ints(a))
}
