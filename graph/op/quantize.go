package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// QuantizeLinear is round(x/scale) + zero point, within the bounds of the
// integer type; DequantizeLinear is (x - zero point)*scale. Scale and zero
// point are one number, one for every position of an axis, or one for every
// block along an axis.

// paramOf gives for element i of a tensor the position of its scale.
func paramOf(n *graph.Node, shape, scale []int) (func(i int) int, error) {
	k := prod(scale)
	if len(scale) <= 1 && k == 1 {
		return func(int) int { return 0 }, nil
	}
	a, err := axis(n.Int("axis", 1), len(shape))
	if err != nil {
		return nil, err
	}
	inner := prod(shape[a+1:])
	if len(scale) == 1 && scale[0] == shape[a] {
		return func(i int) int { return i / inner % shape[a] }, nil
	}
	block := n.Int("block_size", 0)
	ok := block > 0 && len(scale) == len(shape)
	for d := range shape {
		if ok && (d != a && scale[d] != shape[d] || d == a && scale[d] != (shape[d]+block-1)/block) {
			ok = false
		}
	}
	if !ok {
		return nil, fmt.Errorf("scales %v do not fit %v along axis %d in blocks of %d", scale, shape, a, block)
	}
	return func(i int) int {
		return (i/inner/shape[a]*scale[a]+i/inner%shape[a]/block)*inner + i%inner
	}, nil
}

// zeroPoints are those of a quantisation, zeros where they are left out.
func zeroPoints(zp *tensor.Tensor, n int) ([]float64, error) {
	if zp == nil {
		return make([]float64, n), nil
	}
	z, err := floats(zp)
	if err == nil && len(z) != n {
		err = fmt.Errorf("%d zero points for %d scales", len(z), n)
	}
	return z, err
}

// quantArgs reads a tensor, its scales and zero points, and for each of its
// elements the position of both.
func quantArgs(n *graph.Node, in []*tensor.Tensor) (x, scale, zero []float64, at func(i int) int, err error) {
	if x, scale, err = bothFloats(in[0], in[1]); err != nil {
		return
	}
	if zero, err = zeroPoints(arg(in, 2), len(scale)); err != nil {
		return
	}
	at, err = paramOf(n, in[0].Shape, in[1].Shape)
	return
}

// quantised rounds x/scale + z within the bounds of an integer type; the
// quotient is taken in the precision of x.
func quantised(x, scale, z float64, single bool, lo, hi float64) float64 {
	q := x / scale
	if single {
		q = float64(float32(x) / float32(scale))
	}
	return max(lo, min(hi, math.RoundToEven(q)+z))
}

// quantType is the type of a QuantizeLinear's result.
func quantType(n *graph.Node, zp tensor.DType) (tensor.DType, error) {
	d := zp
	if d == tensor.Undefined {
		if d = tensor.DType(n.Int("output_dtype", 0)); d == tensor.Undefined {
			d = tensor.Uint8
		}
	}
	if !d.IsInt() {
		return 0, fmt.Errorf("cannot quantise to %v: it is not an integer type", d)
	}
	return d, nil
}

var _ = register(
	Def{Name: "QuantizeLinear", Grad: noGrad,
		Infer: func(c *Infer) error {
			if _, err := c.In(1); err != nil {
				return err
			}
			d, err := quantType(c.Node, c.DType(2))
			c.Out(0, d, c.Shape(0))
			return err
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			zp := tensor.Undefined
			if t := arg(in, 2); t != nil {
				zp = t.DType
			}
			d, err := quantType(n, zp)
			if err != nil {
				return nil, err
			}
			x, scale, z, at, err := quantArgs(n, in)
			if err != nil {
				return nil, err
			}
			lo, hi := bounds(d)
			y := make([]float64, len(x))
			for i, v := range x {
				y[i] = quantised(v, scale[at(i)], z[at(i)], in[0].DType == tensor.Float32, lo, hi)
			}
			return single(ofFloats(d, in[0].Shape, y))
		}},

	Def{Name: "DequantizeLinear",
		Infer: func(c *Infer) error {
			s, err := c.In(1)
			if err != nil {
				return err
			}
			d := tensor.DType(c.Node.Int("output_dtype", int(s.DType)))
			if !d.IsFloat() && d != tensor.Undefined {
				return fmt.Errorf("output_dtype %v is not a floating-point type", d)
			}
			c.Out(0, d, c.Shape(0))
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, scale, z, at, err := quantArgs(n, in)
			if err != nil {
				return nil, err
			}
			y := make([]float64, len(x))
			for i, v := range x {
				y[i] = (v - z[at(i)]) * scale[at(i)]
			}
			return single(ofFloats(tensor.DType(n.Int("output_dtype", int(in[1].DType))), in[0].Shape, y))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			x, scale := n.In(0), n.In(1)
			s, ok := scale.Shape.Ints()
			if x.Shape == nil || !ok || n.Int("block_size", 0) != 0 {
				return nil, fmt.Errorf("the shapes of %v and its scales %v are not known, or it is quantised in blocks", x.Shape, scale.Shape)
			}
			along := func(v *graph.Value) *graph.Value { return v }
			if prod(s) > 1 {
				a, err := axis(n.Int("axis", 1), len(x.Shape))
				if err != nil {
					return nil, err
				}
				shape := make([]int, len(x.Shape)-a)
				for i := range shape {
					shape[i] = 1
				}
				shape[0] = -1
				along = func(v *graph.Value) *graph.Value { return b.Op("Reshape", v, b.Ints(shape...)) }
			}
			y := cast(b, x, scale.DType)
			if z := n.In(2); z != nil {
				y = b.Op("Sub", y, along(cast(b, z, scale.DType)))
			}
			y = b.Op("Mul", y, along(scale))
			return []*graph.Value{cast(b, y, n.Out(0).DType)}, nil
		}},

	// DynamicQuantizeLinear quantises to 8 bits by the range of its input, zero
	// included, and gives the scale and the zero point too.
	Def{Name: "DynamicQuantizeLinear", Grad: noGrad,
		Infer: func(c *Infer) error {
			if _, err := c.In(0); err != nil {
				return err
			}
			c.Out(0, tensor.Uint8, c.Shape(0))
			c.Out(1, tensor.Float32, graph.Shape{})
			c.Out(2, tensor.Uint8, graph.Shape{})
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x := in[0].F32()
			if in[0].DType != tensor.Float32 {
				return nil, fmt.Errorf("input %v is not float32", in[0])
			}
			var lo, hi float32
			for _, v := range x {
				lo, hi = min(lo, v), max(hi, v)
			}
			scale := (hi - lo) / 255
			z := 0.0
			if scale != 0 {
				z = max(0, min(255, math.RoundToEven(float64(-lo/scale))))
			}
			y := make([]float64, len(x))
			for i, v := range x {
				if y[i] = z; scale != 0 {
					y[i] = quantised(float64(v), float64(scale), z, true, 0, 255)
				}
			}
			out, err := ofFloats(tensor.Uint8, in[0].Shape, y)
			return []*tensor.Tensor{out, tensor.Scalar(scale), tensor.Scalar(uint8(z))}, err
		}},
)
