package randnet

import (
	"pare/graph"
)

// smooth activations, and ones with a kink. All keep values of moderate size.
var (
	smooth = []string{"Sigmoid", "Tanh", "Erf", "Softplus", "Gelu", "Mish", "Softsign", "Sin", "Cos", "Atan", "Asinh", "Neg", "Swish", "exp", "log", "sqrt", "square", "gelu"}
	kinked = []string{"Relu", "LeakyRelu", "HardSigmoid", "HardSwish", "Elu", "Selu", "Celu", "Abs", "ThresholdedRelu", "PRelu"}
)

func (b *net) activation(x *graph.Value) *graph.Value {
	names := smooth
	if !b.Smooth {
		if b.oneIn(3) {
			return b.Op("Relu", x)
		}
		names = append(names[:len(names):len(names)], kinked...)
	}
	s := func(v float64) *graph.Value { return b.Scalar(v, x) }
	switch name := names[b.of(len(names))]; name {
	case "exp":
		return b.Op("Exp", b.Op("Tanh", x))
	case "log":
		return b.Op("Log", b.Op("Add", b.Op("Mul", x, x), s(1)))
	case "sqrt":
		return b.Op("Sqrt", b.Op("Add", b.Op("Mul", x, x), s(.5)))
	case "square":
		t := b.Op("Tanh", x)
		if b.of(2) == 0 {
			return b.Op("Pow", t, s(pick(b.Source, 2., 3)))
		}
		return b.Op("Mul", t, t)
	case "gelu", "Gelu": // as exporters write it before opset 20
		e := b.Op("Erf", b.Op("Div", x, s(1.4142135)))
		return b.Op("Mul", b.Op("Mul", x, b.Op("Add", e, s(1))), s(.5))
	case "Swish", "Mish":
		return b.Op("Mul", x, b.Op("Sigmoid", x))
	case "PRelu":
		return b.Op("PRelu", x, b.numbers(0, 1, graph.Param, 1))
	default:
		return b.Op(name, x)
	}
}

// binary is an operation that does not blow values up.
func (b *net) binary() string {
	if b.Smooth {
		return pick(b.Source, "Add", "Sub", "Mul", "Add")
	}
	return pick(b.Source, "Add", "Sub", "Mul", "Add", "Max", "Min")
}

// addend is a constant that broadcasts to x: a scalar, a row, a channel, the
// whole, or some axes of length 1.
func (b *net) addend(x *graph.Value) *graph.Value {
	var s []int
	for _, d := range x.Shape {
		k := d.Mul
		if !d.Known() || b.oneIn(3) {
			k = 1
		}
		s = append(s, k)
	}
	switch n := len(s); b.of(6) {
	case 0:
		s = nil
	case 1:
		for len(s) > 0 && s[0] == 1 {
			s = s[1:]
		}
	case 2:
		if n == 4 && channels(x) { // a number for each channel
			s = []int{x.Shape[1].Mul, 1, 1}
		}
	case 3:
		if n > 1 {
			s = s[n-1:]
		}
	case 4:
		if n < 5 {
			s = append([]int{1}, s...)
		}
	}
	return b.numbers(-1.5, 1.5, pick(b.Source, graph.Param, graph.Frozen, graph.Auto), s...)
}
