package cases

import (
	"pare/graph"
	"pare/tensor"
)

func unary() []Case {
	var out []Case
	of := func(op string, x Input, attrs ...graph.Attr) {
		out = append(out, Case{Op: op, In: in{x}, Attrs: attrs})
	}
	everywhere, positive, inside := normal(3, 5), between(.3, 3, 2, 1, 7), between(-.9, .9, 11)
	for _, op := range []string{"Exp", "Sin", "Cos", "Atan", "Sinh", "Cosh", "Asinh", "Erf", "Tanh", "Sigmoid", "Softplus",
		"Mish", "Gelu", "Swish", "Identity", "Neg"} {
		of(op, everywhere)
	}
	for _, op := range []string{"Log", "Sqrt", "Reciprocal"} {
		of(op, positive)
	}
	for _, op := range []string{"Asin", "Acos", "Atanh", "Tan"} {
		of(op, inside)
	}
	of("Acosh", between(1.2, 4, 7))
	of("Reciprocal", between(-3, -.3, 5))
	for _, op := range []string{"Abs", "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Softsign"} {
		of(op, apart(3, 5))
	}
	of("Relu", normal())
	of("Softplus", between(-40, 40, 9))
	of("Sigmoid", between(-40, 40, 9))
	of("LeakyRelu", apart(9), as("alpha", .3)...)
	of("Elu", apart(9), as("alpha", .7)...)
	of("Selu", apart(9), as("alpha", 1.5, "gamma", 1.2)...)
	of("Celu", apart(9), as("alpha", 2.)...)
	of("ThresholdedRelu", outside([]float64{1}, 9))
	of("ThresholdedRelu", outside([]float64{-.5}, 9), as("alpha", -.5)...)
	of("HardSigmoid", outside([]float64{-2.5, 2.5}, 15))
	of("HardSigmoid", outside([]float64{-1, 1}, 15), as("alpha", .5)...)
	of("HardSwish", outside([]float64{-3, 3}, 15))
	of("Gelu", normal(9), as("approximate", "tanh")...)
	of("Swish", normal(9), as("alpha", 1.5)...)
	of("Shrink", outside([]float64{-.5, .5}, 15), as("bias", .25)...)
	of("Shrink", outside([]float64{-1, 1}, 15), as("lambd", 1.)...)
	for k := range out {
		if c := &out[k]; c.Op == "Swish" {
			c.Opset = 24
		}
	}
	return out
}

func binary() []Case {
	var out []Case
	of := func(op string, attrs []graph.Attr, xs ...Input) {
		out = append(out, Case{Op: op, In: xs, Attrs: attrs})
	}
	for _, p := range [][2][]int{{{2, 3}, {2, 3}}, {{2, 3}, {3}}, {{}, {2, 2}}, {{2, 1, 3}, {5, 1}}, {{1}, {1, 1}}} {
		for _, op := range []string{"Add", "Sub", "Mul", "Sum", "Mean"} {
			of(op, nil, normal(p[0]...), normal(p[1]...))
		}
		of("Div", nil, normal(p[0]...), between(.5, 2, p[1]...))
		of("Div", nil, normal(p[0]...), between(-2, -.5, p[1]...))
		of("Pow", nil, between(.5, 2, p[0]...), between(-2, 3, p[1]...))
		of("Max", nil, apart(p[0]...), between(5, 6, p[1]...))
		of("Max", nil, apart(p[0]...), apart(p[1]...))
		of("Min", nil, apart(p[0]...), apart(p[1]...))
		of("Mod", as("fmod", 1), between(1.1, 1.9, p[0]...), between(.6, 1, p[1]...))
		of("Where", nil, bools(true), normal(p[0]...), normal(p[1]...))
	}
	of("Mod", as("fmod", 1), floats(-3.3, 3.3), floats(2, -1.4))
	for _, op := range []string{"Sum", "Mean", "Max", "Min"} {
		of(op, nil, apart(2, 3), apart(3), apart(2, 1))
		of(op, nil, apart(2, 3))
	}
	of("Where", nil, bools(true, false, true), normal(2, 3), normal(2, 1))
	// a base below 0 has a gradient where the exponent is a whole constant
	for _, e := range []float64{0, 1, 2, 3, -2} {
		out = append(out, Case{Op: "Pow", In: in{apart(5), scalar(e)}, Fixed: []int{1}})
	}
	out = append(out, Case{Op: "Pow", In: in{apart(2, 3), floats(2, 1, 3)}, Fixed: []int{1}},
		Case{Op: "Pow", In: in{between(.5, 2, 2, 3), ints(2, 1, 3)}},
		Case{Op: "PRelu", In: in{apart(2, 3, 5), normal(3, 1)}},
		Case{Op: "PRelu", In: in{apart(2, 3), normal(2, 3)}},
		Case{Op: "PRelu", In: in{apart(7), normal(1)}},
		Case{Op: "Clip", In: in{outside([]float64{-1, 1}, 9), scalar(-1), scalar(1)}},
		Case{Op: "Clip", In: in{outside([]float64{-1, 1}, 9), scalar(-1), scalar(1)}, Fixed: []int{1, 2}},
		Case{Op: "Clip", In: in{outside([]float64{.5}, 9), nil, scalar(.5)}},
		Case{Op: "Clip", In: in{outside([]float64{-.5}, 9), scalar(-.5)}, Fixed: []int{1}},
		Case{Op: "Clip", Opset: 7, In: in{outside([]float64{-1, 1}, 9)}, Attrs: as("min", -1., "max", 1.)},
		Case{Op: "Cast", In: in{normal(3)}, Attrs: as("to", tensor.Float64)},
		Case{Op: "CastLike", In: in{normal(3), floats(1)}},
		Case{Op: "Range", In: in{scalar(.5), scalar(3.2), scalar(.4)}, Fixed: []int{1}},
		Case{Op: "Range", In: in{scalar(.5), scalar(-3.2), scalar(-.7)}},
	)
	return out
}
