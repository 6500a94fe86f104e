package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// FakeQuantize(x, scale) is what x becomes when it is rounded to integers and back:
// scale * clip(round(x/scale), lo, hi), whose scale is one number, or a number for every
// position of some axes, in a shape that is spread over x. lo and hi are attributes: the
// least and the greatest integer, without the zero point. So a network learns what it will
// be as integers: the gradient goes straight through the rounding (Bengio, Léonard,
// Courville 2013, arXiv 1308.3432), is zero where x lies outside, and that of the scale is
// the quotient's (Esser et al. 2020, arXiv 1902.08153):
//
//	dy/dx = 1 inside, 0 outside    dy/dscale = y/scale - (x/scale inside, 0 outside)
//
// It is bit by bit what DequantizeLinear gives of QuantizeLinear.
var _ = register(Def{Domain: graph.Pare, Name: "FakeQuantize",
	Infer: sameAs,
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		lo, hi := FakeBounds(n)
		at, err := spreadOver(in[0].Shape, in[1].Shape)
		if err != nil {
			return nil, err
		}
		if x, s := in[0].F32(), in[1].F32(); x != nil && s != nil {
			y := tensor.New(tensor.Float32, in[0].Shape...)
			for i, v := range x {
				y.F32()[i] = fake(v, s[at(i)], lo, hi)
			}
			return []*tensor.Tensor{y}, nil
		}
		x, s, err := bothFloats(in[0], in[1])
		if err != nil {
			return nil, err
		}
		y := make([]float64, len(x))
		for i, v := range x {
			y[i] = s[at(i)] * max(float64(lo), min(float64(hi), math.RoundToEven(v/s[at(i)])))
		}
		return single(ofFloats(in[0].DType, in[0].Shape, y))
	},
	Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		x, s, y := n.In(0), n.In(1), n.Out(0)
		lo, hi := FakeBounds(n)
		v := b.Op("Div", x, s)
		dx := b.Pare("ClipGrad", nil, dy[0], v, b.Scalar(float64(lo)-.5, x), b.Scalar(float64(hi)+.5, x))
		if s.IsConst() && s.Role != graph.Param || n.Int("still", 0) != 0 {
			return []*graph.Value{dx, nil}, nil
		}
		ds := b.Op("Sub", b.Op("Mul", dy[0], y), b.Op("Mul", dx, x))
		return []*graph.Value{dx, b.Op("Div", sumTo(b, ds, s), s)}, nil
	}})

// fake is one number of a FakeQuantize.
func fake(x, scale, lo, hi float32) float32 {
	return scale * max(lo, min(hi, float32(math.RoundToEven(float64(x/scale)))))
}

// FakeBounds are the least and the greatest integer of a FakeQuantize.
func FakeBounds(n *graph.Node) (lo, hi float32) { return n.Float("lo", -127), n.Float("hi", 127) }

// spreadOver gives for element i of a tensor the position of what is spread over it.
func spreadOver(shape, small []int) (func(i int) int, error) {
	if n := prod(small); n == 1 {
		return func(int) int { return 0 }, nil
	}
	rank := len(shape)
	step := make([]int, rank) // of small, by axis of shape; 0: repeated
	k := 1
	for d := len(small) - 1; d >= 0; d-- {
		a := d + rank - len(small)
		if a < 0 || small[d] != 1 && small[d] != shape[a] {
			return nil, fmt.Errorf("%v is not spread over %v", small, shape)
		}
		if small[d] > 1 {
			step[a] = k
		}
		k *= small[d]
	}
	return func(i int) int {
		at := 0
		for a := rank - 1; a >= 0; a-- {
			at += i % shape[a] * step[a]
			i /= shape[a]
		}
		return at
	}, nil
}
