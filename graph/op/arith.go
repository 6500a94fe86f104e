package op

import (
	"math"

	"pare/graph"
	"pare/tensor"
)

// exact lifts an operation on sizes that always has a result.
func exact(f func(x, y graph.Dim) graph.Dim) func(x, y graph.Dim) (graph.Dim, bool) {
	return func(x, y graph.Dim) (graph.Dim, bool) { return f(x, y), true }
}

// timesDims is the product of contents, which unlike sizes may be negative.
func timesDims(x, y graph.Dim) (graph.Dim, bool) {
	if x.Known() && y.Known() {
		p := x.Mul * y.Mul
		return graph.N(p), x.Mul == 0 || p/x.Mul == y.Mul
	}
	return x.Times(y), x.Mul >= 0 && y.Mul >= 0
}

func overDims(x, y graph.Dim) (graph.Dim, bool) {
	if x.Known() && y.Known() && y.Mul != 0 {
		return graph.N(x.Mul / y.Mul), x.Mul%y.Mul == 0
	}
	return x.Over(y)
}

// powInt is x to the power y by squaring; it wraps. A negative power is
// truncated as the real number would be.
func powInt(x, y int64) int64 {
	if y < 0 {
		return int64(math.Pow(float64(x), float64(y)))
	}
	r := int64(1)
	for ; y > 0; y >>= 1 {
		if y&1 == 1 {
			r *= x
		}
		x *= x
	}
	return r
}

var _ = register(
	binary{name: "Add", float: func(x, y float64) float64 { return x + y }, int: func(x, y int64) int64 { return x + y },
		dims: exact(graph.Dim.Plus),
		grad: func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (*graph.Value, *graph.Value) { return dy, dy }}.def(),
	binary{name: "Sub", float: func(x, y float64) float64 { return x - y }, int: func(x, y int64) int64 { return x - y },
		dims: exact(graph.Dim.Minus),
		grad: func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (*graph.Value, *graph.Value) {
			return dy, b.Op("Neg", dy)
		}}.def(),
	binary{name: "Mul", float: func(x, y float64) float64 { return x * y }, int: func(x, y int64) int64 { return x * y },
		dims: timesDims,
		grad: func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (dx, dw *graph.Value) {
			return b.Op("Mul", dy, y), b.Op("Mul", dy, x)
		}}.def(),
	divide(),
	binary{name: "Pow", mixed: true, float: math.Pow, int: powInt, grad: powGrad}.def(),

	// PRelu is x where x > 0 and slope*x elsewhere; its derivative at 0 is the slope.
	binary{name: "PRelu", float: func(x, s float64) float64 {
		if x < 0 {
			return s * x
		}
		return x
	}, int: func(x, s int64) int64 {
		if x < 0 {
			return s * x
		}
		return x
	}, uint: func(x, s uint64) uint64 { return x },
		grad: func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (dx, dw *graph.Value) {
			pos := b.Op("Greater", x, b.Scalar(0, x))
			return b.Op("Where", pos, dy, b.Op("Mul", dy, y)), b.Op("Where", pos, b.Scalar(0, x), b.Op("Mul", dy, x))
		}}.def(),
	mod(),
)

// divide is the quotient; of integers it is truncated towards zero.
func divide() Def {
	d := binary{name: "Div", float: func(x, y float64) float64 { return x / y }, int: func(x, y int64) int64 { return x / y },
		uint: func(x, y uint64) uint64 { return x / y },
		grad: func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (dx, dw *graph.Value) {
			q := b.Op("Div", dy, y)
			return q, b.Op("Neg", b.Op("Mul", q, z))
		}}
	def := d.def()
	def.Infer = func(c *Infer) error {
		d.dims = overDims
		if c.DType(0).IsInt() { // sizes are never negative: truncating is rounding down
			d.dims = func(x, y graph.Dim) (graph.Dim, bool) {
				if x.Known() && y.Known() && y.Mul != 0 {
					return graph.N(x.Mul / y.Mul), true
				}
				q, ok := x.Over(y)
				if !ok && x.Mul > 0 && y.Mul > 0 {
					q, ok = graph.Derived("1/"+y.String(), x), true
				}
				return q, ok
			}
		}
		return d.infer(c)
	}
	return def
}

// powGrad is y*x^(y-1) and z*log(x); where the base is not positive, the
// gradient of the exponent is taken as 0.
func powGrad(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (dx, dw *graph.Value) {
	if y.IsConst() && y.Role != graph.Param && y.Const.Len() == 1 {
		f, err := floats(y.Const)
		switch {
		case err != nil:
		case f[0] == 2:
			return b.Op("Mul", dy, b.Op("Mul", x, b.Scalar(2, x))), nil
		case f[0] == 0:
			return b.Pare("ZerosLike", nil, dy), nil
		default:
			return b.Op("Mul", dy, b.Op("Mul", b.Scalar(f[0], x), b.Op("Pow", x, b.Scalar(f[0]-1, x)))), nil
		}
	}
	e := cast(b, y, x.DType)
	zero := b.Scalar(0, x)
	none := b.Op("Equal", e, zero) // 0*x^-1 would not be a number at x = 0
	p := b.Op("Pow", x, b.Op("Where", none, b.Scalar(1, x), b.Op("Sub", e, b.Scalar(1, x))))
	dx = b.Op("Mul", dy, b.Op("Mul", e, p))
	if y.DType.IsFloat() {
		pos := b.Op("Greater", x, zero)
		log := b.Op("Log", b.Op("Where", pos, x, b.Scalar(1, x)))
		dw = cast(b, b.Op("Mul", dy, b.Op("Mul", z, log)), y.DType)
	}
	return dx, dw
}

// mod is the remainder: with the sign of the divisor, or as C's fmod where
// the attribute says so.
func mod() Def {
	grad := func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (dx, dw *graph.Value) {
		return dy, b.Op("Mul", dy, b.Op("Div", b.Op("Sub", z, x), y))
	}
	rem := func(x, y uint64) uint64 { return x % y }
	floor := binary{name: "Mod", grad: grad, uint: rem,
		float: func(x, y float64) float64 {
			m := math.Mod(x, y)
			if m != 0 && (m < 0) != (y < 0) {
				m += y
			}
			return m
		},
		int: func(x, y int64) int64 {
			m := x % y
			if m != 0 && (m < 0) != (y < 0) {
				m += y
			}
			return m
		}}
	trunc := binary{name: "Mod", grad: grad, uint: rem, float: math.Mod, int: func(x, y int64) int64 { return x % y }}
	d := floor.def()
	d.Eval = func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		if n.Int("fmod", 0) != 0 {
			return single(trunc.eval(in[0], in[1]))
		}
		return single(floor.eval(in[0], in[1]))
	}
	return d
}
