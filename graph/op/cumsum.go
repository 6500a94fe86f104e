package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// CumSum and CumProd add up and multiply along an axis, in either direction,
// with or without the element itself.
var _ = register(
	cumulative("CumSum", func(b *Builder, n *graph.Node, dy *graph.Value) *graph.Value {
		return backwards(b, n, dy)
	}),
	cumulative("CumProd", cumProdGrad),
)

// backwards is the cumulative sum in the other direction.
func backwards(b *Builder, n *graph.Node, dy *graph.Value) *graph.Value {
	as := []graph.Attr{graph.MakeAttr("exclusive", n.Int("exclusive", 0)), graph.MakeAttr("reverse", 1-n.Int("reverse", 0))}
	return b.Attr("CumSum", as, dy, n.In(1))
}

// cumProdGrad divides the products by the element where no 0 has come yet. At
// the first 0, the products are those of the others; what comes later has no
// part in any. (A second derivative takes that a 0 stays one.)
func cumProdGrad(b *Builder, n *graph.Node, dy *graph.Value) *graph.Value {
	x, zero, one := n.In(0), b.Scalar(0, n.In(0)), b.Scalar(1, n.In(0))
	isZero := b.Op("Equal", x, zero)
	seen := b.Attr("CumSum", []graph.Attr{graph.MakeAttr("reverse", n.Int("reverse", 0))}, cast(b, isZero, x.DType), n.In(1))
	first := b.Op("And", isZero, b.Op("Equal", seen, one))
	rest := b.Attr("CumProd", n.Attrs, b.Op("Where", first, one, x), n.In(1))
	before := b.Op("Div", backwards(b, n, b.Op("Mul", dy, n.Out(0))), b.Op("Where", isZero, one, x))
	at := b.Op("Where", first, backwards(b, n, b.Op("Mul", dy, rest)), zero)
	return b.Op("Where", b.Op("Equal", seen, zero), before, at)
}

func cumulative(name string, grad func(b *Builder, n *graph.Node, dy *graph.Value) *graph.Value) Def {
	return Def{Name: name,
		Infer: func(c *Infer) error {
			if _, err := c.In(1); err != nil {
				return err
			}
			if a, ok := c.Ints(1); ok && len(a) == 1 && c.Shape(0) != nil {
				if _, err := axis(a[0], len(c.Shape(0))); err != nil {
					return err
				}
			}
			return sameAs(c)
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			as, err := intsOf(in[1])
			if err != nil || len(as) != 1 {
				return nil, fmt.Errorf("the axis must be one integer (%v)", err)
			}
			a, err := axis(as[0], in[0].Rank())
			if err != nil {
				return nil, err
			}
			exclusive, reverse := n.Int("exclusive", 0) != 0, n.Int("reverse", 0) != 0
			size := in[0].Shape[a]
			inner, _ := tensor.Size(in[0].Shape[a+1:])
			out := tensor.New(in[0].DType, in[0].Shape...)
			if !in[0].DType.IsFloat() {
				x, err := in[0].Int64s()
				if err != nil {
					return nil, err
				}
				cumulate(x, name == "CumProd", size, inner, exclusive, reverse)
				return single(out, fillInts(out, x))
			}
			x, err := in[0].Float64s()
			if err != nil {
				return nil, err
			}
			cumulate(x, name == "CumProd", size, inner, exclusive, reverse)
			return single(out, fill(out, x))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{grad(b, n, dy[0]), nil}, nil
		}}
}

// cumulate sums or multiplies in place along an axis of the given size whose elements are
// inner apart.
func cumulate[T float64 | int64](x []T, times bool, size, inner int, exclusive, reverse bool) {
	if size == 0 {
		return
	}
	for line := range len(x) / size {
		first := line/inner*inner*size + line%inner
		var acc T
		if times {
			acc = 1
		}
		for k := range size {
			i := first + k*inner
			if reverse {
				i = first + (size-1-k)*inner
			}
			next := acc + x[i]
			if times {
				next = acc * x[i]
			}
			if x[i] = next; exclusive {
				x[i] = acc
			}
			acc = next
		}
	}
}
