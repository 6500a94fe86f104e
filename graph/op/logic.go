package op

import (
	"cmp"
	"math"

	"pare/graph"
	"pare/tensor"
)

func flag(c bool) float64 {
	if c {
		return 1
	}
	return 0
}

// compare defines a comparison by the orders for which it holds: -1 for less,
// 0 for equal, 1 for greater. NaN compares with nothing.
func compare(name string, holds ...int) Def {
	has := func(o int) bool {
		for _, h := range holds {
			if h == o {
				return true
			}
		}
		return false
	}
	return binary{name: name, isBool: true, bools: name == "Equal",
		float: func(x, y float64) float64 { return flag(x == x && y == y && has(cmp.Compare(x, y))) },
		int:   func(x, y int64) int64 { return int64(flag(has(cmp.Compare(x, y)))) },
		uint:  func(x, y uint64) uint64 { return uint64(flag(has(cmp.Compare(x, y)))) },
		dims: func(x, y graph.Dim) (graph.Dim, bool) {
			switch {
			case x == y:
				return graph.N(int(flag(has(0)))), true
			case x.Known() && y.Known():
				return graph.N(int(flag(has(cmp.Compare(x.Mul, y.Mul))))), true
			case !x.Known() && x.Mul > 0 && y.Known() && y.Mul < 0: // a size is not negative
				return graph.N(int(flag(has(1)))), true
			case !y.Known() && y.Mul > 0 && x.Known() && x.Mul < 0:
				return graph.N(int(flag(has(-1)))), true
			}
			return graph.Dim{}, false
		}}.def()
}

func logical(name string, f func(x, y bool) bool) Def {
	return binary{name: name, bools: true, isBool: true,
		int: func(x, y int64) int64 { return int64(flag(f(x != 0, y != 0))) }}.def()
}

func bitwise(name string, f func(x, y int64) int64) Def { return binary{name: name, int: f}.def() }

var _ = register(
	compare("Equal", 0),
	compare("Greater", 1),
	compare("GreaterOrEqual", 1, 0),
	compare("Less", -1),
	compare("LessOrEqual", -1, 0),
	logical("And", func(x, y bool) bool { return x && y }),
	logical("Or", func(x, y bool) bool { return x || y }),
	logical("Xor", func(x, y bool) bool { return x != y }),
	bitwise("BitwiseAnd", func(x, y int64) int64 { return x & y }),
	bitwise("BitwiseOr", func(x, y int64) int64 { return x | y }),
	bitwise("BitwiseXor", func(x, y int64) int64 { return x ^ y }),
	bitShift(),
	Def{Name: "BitwiseNot", Infer: sameAs,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			return mapInts(in[0], func(x int64) int64 { return ^x })
		}, Grad: noGrad},
	Def{Name: "Not", Infer: sameAs,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			return mapInts(in[0], func(x int64) int64 { return 1 - x })
		}, Grad: noGrad},
	test("IsNaN", func(*graph.Node) func(x float64) bool { return math.IsNaN }),
	test("IsInf", func(n *graph.Node) func(x float64) bool {
		neg, pos := n.Int("detect_negative", 1) != 0, n.Int("detect_positive", 1) != 0
		return func(x float64) bool { return pos && math.IsInf(x, 1) || neg && math.IsInf(x, -1) }
	}),
)

// bitShift shifts integers by the numbers of bits in the second input; to the
// right, signed ones keep their sign. A negative number of bits is a large one.
func bitShift() Def {
	left := binary{name: "BitShift", int: func(x, y int64) int64 { return int64(uint64(x) << uint64(y)) }}
	right := binary{name: "BitShift", int: func(x, y int64) int64 { return x >> uint64(y) },
		uint: func(x, y uint64) uint64 { return x >> y }}
	d := left.def()
	d.Eval = func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		if n.Str("direction", "") == "RIGHT" {
			return single(right.eval(in[0], in[1]))
		}
		return single(left.eval(in[0], in[1]))
	}
	return d
}

// mapInts applies a function to the elements of an integer or bool tensor.
func mapInts(x *tensor.Tensor, f func(int64) int64) ([]*tensor.Tensor, error) {
	v, err := x.Int64s()
	if err != nil {
		return nil, err
	}
	for i := range v {
		v[i] = f(v[i])
	}
	out := tensor.New(x.DType, x.Shape...)
	return single(out, fillInts(out, v))
}

// test defines a predicate on floating-point numbers.
func test(name string, f func(n *graph.Node) func(x float64) bool) Def {
	return Def{Name: name,
		Infer: func(c *Infer) error { _, err := c.In(0); c.Out(0, tensor.Bool, c.Shape(0)); return err },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			out, holds := tensor.New(tensor.Bool, in[0].Shape...), f(n)
			for i, v := range x {
				tensor.Of[bool](out)[i] = holds(v)
			}
			return single(out, nil)
		}, Grad: noGrad}
}
