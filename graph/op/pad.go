package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// padArgs gives begins and ends for every axis (2*rank numbers).
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
			x, err := c.In(0)
			if err != nil {
				return err
			}
			if x.Shape == nil {
				c.Out(0, x.DType, nil)
				return nil
			}
			p, ok, err := padArgs(c.Node, len(x.Shape), c.Ints)
			if err != nil {
				return err
			}
			out := append(graph.Shape{}, x.Shape...)
			for i := range out {
				if !ok {
					out[i] = graph.Sym(fmt.Sprintf("%s.%d", c.Node.Out(0).Name, i))
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
			cp, src := copier(out, in[0]), tensor.Strides(in[0].Shape)
			idx := make([]int, rank)
			for i := range out.Len() {
				off := 0
				for d := range rank {
					k := padSource(mode, idx[d], p[d], in[0].Shape[d])
					if k < 0 {
						off = -1
						break
					}
					off += k * src[d]
				}
				if off >= 0 {
					cp(i, off)
				}
				for d := rank - 1; d >= 0; d-- {
					if idx[d]++; idx[d] < shape[d] {
						break
					}
					idx[d] = 0
				}
			}
			return single(out, nil)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			if m := n.Str("mode", "constant"); m != "constant" {
				return nil, fmt.Errorf("the gradient of padding by %q is not known", m)
			}
			x := n.In(0)
			p, ok, err := padArgs(n, len(x.Shape), func(i int) ([]int, bool) {
				v := n.In(i)
				if !v.IsConst() {
					return nil, false
				}
				k, err := intsOf(v.Const)
				return k, err == nil
			})
			if err != nil || !ok {
				return nil, fmt.Errorf("pads are not constant (%v)", err)
			}
			d := dy[0]
			for a := range x.Shape {
				if p[a] == 0 && p[a+len(x.Shape)] == 0 {
					continue
				}
				if !x.Shape[a].Known() || p[a] < 0 || p[a+len(x.Shape)] < 0 {
					return nil, fmt.Errorf("pads %v over %v", p, x.Shape)
				}
				d = slice(b, d, a, p[a], p[a]+x.Shape[a].Mul)
			}
			return append([]*graph.Value{d}, make([]*graph.Value, max(0, len(n.Inputs)-1))...), nil
		}},
)
