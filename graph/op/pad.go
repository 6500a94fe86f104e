package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// padArgs gives the padding before and after every axis (2*rank numbers).
func padArgs(n *graph.Node, rank int, get func(i int) ([]int, bool)) ([]int, bool, error) {
	p, as := n.Ints("pads"), []int(nil)
	if p == nil {
		p = n.Ints("paddings") // opset 1
	}
	if p == nil {
		var ok bool
		if p, ok = get(1); !ok {
			return nil, false, nil
		}
		if n.In(3) != nil {
			if as, ok = get(3); !ok {
				return nil, false, nil
			}
		}
	}
	if as == nil {
		if len(p) != 2*rank {
			return nil, false, fmt.Errorf("%d pads for a tensor of rank %d: %d are needed", len(p), rank, 2*rank)
		}
		return p, true, nil
	}
	as, err := axes(as, rank)
	if err != nil {
		return nil, false, err
	}
	if len(p) != 2*len(as) {
		return nil, false, fmt.Errorf("%d pads for %d axes", len(p), len(as))
	}
	full := make([]int, 2*rank)
	for i, a := range as {
		full[a], full[a+rank] = p[i], p[i+len(as)]
	}
	return full, true, nil
}

// padKnown is the size of an axis that is padded by numbers of which others are
// known only when running; false where its own are not known either.
func (c *Infer) padKnown(axis int, d graph.Dim) (graph.Dim, bool) {
	rank := len(c.Shape(0))
	as := make([]int, rank)
	for i := range as {
		as[i] = i
	}
	if c.Node.In(3) != nil {
		given, ok := c.Ints(3)
		if !ok {
			return d, false
		}
		var err error
		if as, err = axes(given, rank); err != nil {
			return d, false
		}
	}
	p, ok := c.Contents(1)
	if ok && len(p) != 2*len(as) {
		return d, false
	}
	for i, a := range as {
		if a != axis {
			continue
		}
		if !ok || !p[i].Known() || !p[i+len(as)].Known() {
			return d, false
		}
		d = d.Plus(graph.N(p[i].Mul + p[i+len(as)].Mul))
		return d, !d.Known() || d.Mul >= 0
	}
	return d, c.Node.In(3) != nil || ok // an axis that is not listed
}

// padSource maps a position of the padded axis to one of the input, or -1 for
// the constant.
func padSource(mode string, i, before, size int) int {
	i -= before
	if i >= 0 && i < size {
		return i
	}
	switch mode {
	case "edge":
		return max(0, min(i, size-1))
	case "reflect":
		if size == 1 {
			return 0
		}
		period := 2 * (size - 1)
		i = ((i % period) + period) % period
		if i >= size {
			i = period - i
		}
		return i
	case "wrap":
		return ((i % size) + size) % size
	}
	return -1
}

func evalPads(n *graph.Node, in []*tensor.Tensor, rank int) ([]int, error) {
	var bad error
	p, ok, err := padArgs(n, rank, func(i int) ([]int, bool) {
		v, err := intsOf(arg(in, i))
		bad = err
		return v, err == nil
	})
	if err != nil || !ok {
		return nil, fmt.Errorf("pads: %v%v", err, bad)
	}
	return p, nil
}

var _ = register(
	Def{Name: "Pad",
		Infer: func(c *Infer) error {
			x, err := c.ranked()
			if x == nil {
				return err
			}
			p, ok, err := padArgs(c.Node, len(x.Shape), c.Ints)
			if err != nil {
				return err
			}
			out := append(graph.Shape{}, x.Shape...)
			for i := range out {
				if !ok {
					k, known := c.padKnown(i, x.Shape[i])
					if !known {
						k = graph.Sym(fmt.Sprintf("%s.%d", c.Node.Out(0).Name, i))
					}
					out[i] = k
					continue
				}
				d := p[i] + p[i+len(out)]
				out[i] = out[i].Plus(graph.N(d))
				if out[i].Known() && out[i].Mul < 0 {
					return fmt.Errorf("pads %v leave nothing of %v", p, x.Shape)
				}
			}
			c.Out(0, x.DType, out)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			rank := in[0].Rank()
			p, err := evalPads(n, in, rank)
			if err != nil {
				return nil, err
			}
			mode := n.Str("mode", "constant")
			v := float64(n.Float("value", 0))
			if t := arg(in, 2); t != nil {
				f, err := floats(t)
				if err != nil || len(f) != 1 {
					return nil, fmt.Errorf("the padding value is not one number")
				}
				v = f[0]
			}
			shape := make([]int, rank)
			for i, d := range in[0].Shape {
				if shape[i] = d + p[i] + p[i+rank]; shape[i] < 0 || d == 0 && mode != "constant" {
					return nil, fmt.Errorf("pads %v do not fit %v", p, in[0].Shape)
				}
			}
			out, err := alloc(in[0].DType, shape...)
			if err != nil {
				return nil, err
			}
			if v != 0 {
				x := make([]float64, out.Len())
				for i := range x {
					x[i] = v
				}
				if err := fill(out, x); err != nil {
					return nil, err
				}
			}
			padded(shape, in[0].Shape, p, mode, copier(out, in[0]))
			return single(out, nil)
		},
		Grad: padGrad},

	// PadGrad(dy, like, pads, _, axes) adds dy up where Pad read, in its mode;
	// the inputs after like are those of Pad.
	Def{Domain: graph.Pare, Name: "PadGrad",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(1)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			m := &graph.Node{Inputs: n.Inputs[1:], Attrs: n.Attrs}
			p, err := evalPads(m, in[1:], in[1].Rank())
			if err != nil {
				return nil, err
			}
			dy, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			out := make([]float64, in[1].Len())
			padded(in[0].Shape, in[1].Shape, p, n.Str("mode", "constant"), func(i, off int) { out[off] += dy[i] })
			return single(ofFloats(in[0].DType, in[1].Shape, out))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			in := append([]*graph.Value{dy[0]}, n.Inputs[2:]...)
			if len(in) > 2 {
				in[2] = nil // the padding is 0
			}
			var as []graph.Attr
			for _, a := range n.Attrs {
				if a.Name != "value" {
					as = append(as, a)
				}
			}
			return append([]*graph.Value{b.Attr("Pad", as, in...)}, make([]*graph.Value, len(n.Inputs)-1)...), nil
		}},
)

// padGrad is a slice where the pads are known and not negative.
func padGrad(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
	x, out := n.In(0), make([]*graph.Value, len(n.Inputs))
	p, ok, err := padArgs(n, len(x.Shape), func(i int) ([]int, bool) {
		v := n.In(i)
		if !v.IsConst() {
			return nil, false
		}
		k, err := intsOf(v.Const)
		return k, err == nil
	})
	if err != nil {
		return nil, err
	}
	rank := len(x.Shape)
	plain := ok && x.Shape != nil && n.Str("mode", "constant") == "constant"
	for i, k := range p {
		plain = plain && (k == 0 || k > 0 && x.Shape[i%rank].Known())
	}
	if plain {
		out[0] = dy[0]
		for a, d := range x.Shape {
			if p[a] != 0 || p[a+rank] != 0 {
				out[0] = slice(b, out[0], a, p[a], p[a]+d.Mul)
			}
		}
	} else {
		in := append([]*graph.Value{dy[0], x}, n.Inputs[1:]...)
		out[0] = b.Pare("PadGrad", n.Attrs, in...)
	}
	if v := n.In(2); v != nil && (!v.IsConst() || v.Role == graph.Param) { // what does not reach x
		one := b.Const(ScalarOf(dy[0].DType, 0))
		rest := b.Op("Sub", b.Pare("SumTo", nil, dy[0], one), b.Pare("SumTo", nil, out[0], one))
		out[2] = b.Pare("ReshapeLike", nil, rest, v)
	}
	return out, nil
}

// padded visits the elements of a padded tensor that are read from the input,
// with their offsets there.
func padded(shape, in, pads []int, mode string, f func(i, off int)) {
	if n, _ := tensor.Size(shape); n == 0 {
		return
	}
	rank := len(in)
	src := tensor.Strides(in)
	from := make([][]int, rank) // of each axis: the offset that a position reads, -1 for none
	for d := range from {
		from[d] = make([]int, shape[d])
		for i := range from[d] {
			from[d][i] = padSource(mode, i, pads[d], in[d])
		}
	}
	st := tensor.Strides(shape)
	n, _ := tensor.Size(shape)
next:
	for i := range n {
		off := 0
		for d := range rank {
			k := from[d][i/st[d]%shape[d]]
			if k < 0 {
				continue next
			}
			off += k * src[d]
		}
		f(i, off)
	}
}
