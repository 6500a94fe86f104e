package op

import (
	"cmp"
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// unary defines an elementwise operator of one input. d builds the derivative
// with respect to x, given x and y; nil where it is zero everywhere.
func unary(name string, f func(n *graph.Node) func(x float64) float64, d func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value) Def {
	return Def{Name: name, Number: f,
		Infer: func(c *Infer) error {
			if t := c.DType(0); t != tensor.Undefined && !t.IsFloat() {
				return fmt.Errorf("%s does not take %v", name, t)
			}
			if d, ok := c.Contents(0); ok && (name == "Floor" || name == "Ceil" || name == "Round") {
				c.SetContents(d) // which are whole numbers
			}
			return sameAs(c)
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			g := f(n)
			out := make([]float64, len(x))
			for i, v := range x {
				out[i] = g(v)
			}
			return single(ofFloats(in[0].DType, in[0].Shape, out))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			if d == nil {
				return []*graph.Value{nil}, nil
			}
			return []*graph.Value{b.Op("Mul", dy[0], d(b, n, n.In(0), n.Out(0)))}, nil
		}}
}

// andInts lets a unary operator take integers too.
func (d Def) andInts(f func(x int64) int64) Def {
	float := d.Eval
	d.Infer = sameAs
	d.Eval = func(n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		if in[0].DType.IsInt() {
			return mapInts(in[0], func(x int64) int64 {
				if x < 0 && in[0].DType == tensor.Uint64 { // a number too large for int64
					if d.Name == "Sign" {
						return 1
					}
					return x
				}
				return f(x)
			})
		}
		return float(n, opset, in)
	}
	return d
}

// plain is a unary function without attributes.
func plain(f func(float64) float64) func(*graph.Node) func(float64) float64 {
	return func(*graph.Node) func(float64) float64 { return f }
}

func sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}

func softplus(x float64) float64 {
	if x > 30 {
		return x
	}
	return math.Log1p(math.Exp(x))
}

// above is 1 where x > t and 0 elsewhere, in the type of x.
func above(b *Builder, x *graph.Value, t float64) *graph.Value {
	return b.Op("Where", b.Op("Greater", x, b.Scalar(t, x)), b.Scalar(1, x), b.Scalar(0, x))
}

func cast(b *Builder, x *graph.Value, d tensor.DType) *graph.Value {
	return b.Attr("Cast", []graph.Attr{graph.MakeAttr("to", d)}, x)
}

// oneMinus is 1 - x.
func oneMinus(b *Builder, x *graph.Value) *graph.Value { return b.Op("Sub", b.Scalar(1, x), x) }

func square(b *Builder, x *graph.Value) *graph.Value { return b.Op("Mul", x, x) }

type dfn = func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value

var _ = register(
	unary("Abs", plain(math.Abs), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value { return b.Op("Sign", x) }).
		andInts(func(x int64) int64 { return max(x, -x) }),
	unary("Neg", plain(func(x float64) float64 { return -x }), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value { return b.Scalar(-1, x) }).
		andInts(func(x int64) int64 { return -x }),
	unary("Sign", plain(func(x float64) float64 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return x
	}), nil).andInts(func(x int64) int64 { return int64(cmp.Compare(x, 0)) }),
	unary("Floor", plain(math.Floor), nil),
	unary("Ceil", plain(math.Ceil), nil),
	unary("Round", plain(math.RoundToEven), nil),
	unary("Exp", plain(math.Exp), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value { return y }),
	unary("Log", plain(math.Log), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value { return b.Op("Reciprocal", x) }),
	unary("Sqrt", plain(math.Sqrt), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		return b.Op("Div", b.Scalar(.5, x), y)
	}),
	unary("Reciprocal", plain(func(x float64) float64 { return 1 / x }), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		return b.Op("Neg", square(b, y))
	}),
	unary("Sin", plain(math.Sin), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value { return b.Op("Cos", x) }),
	unary("Cos", plain(math.Cos), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value { return b.Op("Neg", b.Op("Sin", x)) }),
	unary("Tan", plain(math.Tan), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		return b.Op("Add", square(b, y), b.Scalar(1, x))
	}),
	unary("Asin", plain(math.Asin), rsqrt1(-1)),
	unary("Acos", plain(math.Acos), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		return b.Op("Neg", rsqrt1(-1)(b, n, x, y))
	}),
	unary("Atan", plain(math.Atan), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		return b.Op("Reciprocal", b.Op("Add", square(b, x), b.Scalar(1, x)))
	}),
	unary("Sinh", plain(math.Sinh), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value { return b.Op("Cosh", x) }),
	unary("Cosh", plain(math.Cosh), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value { return b.Op("Sinh", x) }),
	unary("Asinh", plain(math.Asinh), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		return b.Op("Reciprocal", b.Op("Sqrt", b.Op("Add", square(b, x), b.Scalar(1, x))))
	}),
	unary("Acosh", plain(math.Acosh), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		return b.Op("Reciprocal", b.Op("Sqrt", b.Op("Sub", square(b, x), b.Scalar(1, x))))
	}),
	unary("Atanh", plain(math.Atanh), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		return b.Op("Reciprocal", oneMinus(b, square(b, x)))
	}),
	unary("Erf", plain(math.Erf), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		return b.Op("Mul", b.Scalar(2/math.Sqrt(math.Pi), x), b.Op("Exp", b.Op("Neg", square(b, x))))
	}),
	unary("Tanh", plain(math.Tanh), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value { return oneMinus(b, square(b, y)) }),
	unary("Sigmoid", plain(sigmoid), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		return b.Op("Mul", y, oneMinus(b, y))
	}),
	unary("Softplus", plain(softplus), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value { return b.Op("Sigmoid", x) }),
	unary("Softsign", plain(func(x float64) float64 { return x / (1 + math.Abs(x)) }), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		return square(b, b.Op("Reciprocal", b.Op("Add", b.Op("Abs", x), b.Scalar(1, x))))
	}),
	unary("LeakyRelu", func(n *graph.Node) func(float64) float64 {
		a := float64(n.Float("alpha", .01))
		return func(x float64) float64 {
			if x < 0 {
				return a * x
			}
			return x
		}
	}, func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		a := float64(n.Float("alpha", .01))
		return b.Op("Where", b.Op("Greater", x, b.Scalar(0, x)), b.Scalar(1, x), b.Scalar(a, x))
	}),
	unary("Elu", func(n *graph.Node) func(float64) float64 {
		a := float64(n.Float("alpha", 1))
		return func(x float64) float64 {
			if x < 0 {
				return a * math.Expm1(x)
			}
			return x
		}
	}, func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		a := float64(n.Float("alpha", 1))
		low := b.Op("Mul", b.Op("Exp", b.Op("Min", x, b.Scalar(0, x))), b.Scalar(a, x))
		return b.Op("Where", b.Op("Greater", x, b.Scalar(0, x)), b.Scalar(1, x), low)
	}),
	unary("Selu", func(n *graph.Node) func(float64) float64 {
		a, g := float64(n.Float("alpha", 1.67326319217681884765625)), float64(n.Float("gamma", 1.05070102214813232421875))
		return func(x float64) float64 {
			if x <= 0 {
				return g * a * math.Expm1(x)
			}
			return g * x
		}
	}, func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		a, g := float64(n.Float("alpha", 1.67326319217681884765625)), float64(n.Float("gamma", 1.05070102214813232421875))
		low := b.Op("Mul", b.Op("Exp", b.Op("Min", x, b.Scalar(0, x))), b.Scalar(a*g, x))
		return b.Op("Where", b.Op("Greater", x, b.Scalar(0, x)), b.Scalar(g, x), low)
	}),
	unary("HardSigmoid", func(n *graph.Node) func(float64) float64 {
		a, c := float64(n.Float("alpha", .2)), float64(n.Float("beta", .5))
		return func(x float64) float64 { return math.Max(0, math.Min(1, a*x+c)) }
	}, func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		zero := b.Scalar(0, x)
		below := b.Op("Where", b.Op("Less", y, b.Scalar(1, x)), b.Scalar(float64(n.Float("alpha", .2)), x), zero)
		return b.Op("Where", b.Op("Greater", y, zero), below, zero)
	}),
	unary("HardSwish", plain(func(x float64) float64 { return x * math.Max(0, math.Min(1, x/6+.5)) }), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		// 0 below -3, 1 above 3, x/3 + 1/2 between
		mid := b.Op("Add", b.Op("Mul", x, b.Scalar(1./3, x)), b.Scalar(.5, x))
		low := b.Op("Where", b.Op("Greater", x, b.Scalar(-3, x)), mid, b.Scalar(0, x))
		return b.Op("Where", b.Op("Less", x, b.Scalar(3, x)), low, b.Scalar(1, x))
	}),
	unary("Mish", plain(func(x float64) float64 { return x * math.Tanh(softplus(x)) }), func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		t := b.Op("Tanh", b.Op("Softplus", x))
		return b.Op("Add", t, b.Op("Mul", b.Op("Mul", x, oneMinus(b, square(b, t))), b.Op("Sigmoid", x)))
	}),
	unary("Gelu", func(n *graph.Node) func(float64) float64 {
		if n.Str("approximate", "none") == "tanh" {
			return func(x float64) float64 {
				return .5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+.044715*x*x*x)))
			}
		}
		return func(x float64) float64 { return .5 * x * (1 + math.Erf(x/math.Sqrt2)) }
	}, nil).withGrad(func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		if n.Str("approximate", "none") == "tanh" {
			return []*graph.Value{b.Op("Mul", dy[0], geluTanhGrad(b, n.In(0)))}, nil
		}
		return []*graph.Value{b.Pare("GeluGrad", nil, dy[0], n.In(0))}, nil
	}),
	unary("ThresholdedRelu", func(n *graph.Node) func(float64) float64 {
		a := float64(n.Float("alpha", 1))
		return func(x float64) float64 {
			if x > a {
				return x
			}
			return 0
		}
	}, func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		return above(b, x, float64(n.Float("alpha", 1)))
	}),
	unary("Celu", func(n *graph.Node) func(float64) float64 {
		a := float64(n.Float("alpha", 1))
		return func(x float64) float64 { return math.Max(0, x) + math.Min(0, a*math.Expm1(x/a)) }
	}, func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		a := b.Scalar(float64(n.Float("alpha", 1)), x)
		return b.Op("Exp", b.Op("Div", b.Op("Min", x, b.Scalar(0, x)), a))
	}),
	unary("Relu", plain(func(x float64) float64 {
		if x > 0 || x != x {
			return x
		}
		return 0
	}), nil).withGrad(func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		return []*graph.Value{b.Pare("ReluGrad", nil, dy[0], n.Out(0))}, nil
	}).andInts(func(x int64) int64 { return max(x, 0) }),
	unary("Swish", func(n *graph.Node) func(float64) float64 {
		a := float64(n.Float("alpha", 1))
		return func(x float64) float64 { return x * sigmoid(a*x) }
	}, func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		a := b.Scalar(float64(n.Float("alpha", 1)), x)
		s := b.Op("Sigmoid", b.Op("Mul", a, x))
		return b.Op("Add", s, b.Op("Mul", b.Op("Mul", a, y), oneMinus(b, s)))
	}),
	unary("Shrink", func(n *graph.Node) func(float64) float64 {
		l, bias := float64(n.Float("lambd", .5)), float64(n.Float("bias", 0))
		return func(x float64) float64 {
			switch {
			case x < -l:
				return x + bias
			case x > l:
				return x - bias
			}
			return 0
		}
	}, func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		return above(b, b.Op("Abs", x), float64(n.Float("lambd", .5)))
	}).withInfer(sameAs),
)

func (d Def) withInfer(f func(c *Infer) error) Def {
	d.Infer = f
	return d
}

func (d Def) withGrad(f func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error)) Def {
	d.Grad = f
	return d
}

// rsqrt1 is 1/sqrt(1 + s*x^2).
func rsqrt1(s float64) dfn {
	return func(b *Builder, n *graph.Node, x, y *graph.Value) *graph.Value {
		return b.Op("Reciprocal", b.Op("Sqrt", b.Op("Add", b.Op("Mul", square(b, x), b.Scalar(s, x)), b.Scalar(1, x))))
	}
}

func geluTanhGrad(b *Builder, x *graph.Value) *graph.Value {
	c := math.Sqrt(2 / math.Pi)
	x2 := square(b, x)
	u := b.Op("Mul", b.Op("Mul", x, b.Scalar(c, x)), b.Op("Add", b.Scalar(1, x), b.Op("Mul", x2, b.Scalar(.044715, x))))
	t := b.Op("Tanh", u)
	du := b.Op("Mul", b.Scalar(c, x), b.Op("Add", b.Scalar(1, x), b.Op("Mul", x2, b.Scalar(3*.044715, x))))
	s := b.Op("Mul", b.Op("Mul", x, oneMinus(b, square(b, t))), du)
	return b.Op("Mul", b.Scalar(.5, x), b.Op("Add", b.Op("Add", b.Scalar(1, x), t), s))
}
