package op

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// Products and convolutions of integers. The sums are exact; the QLinear
// operators scale and round them.

// centred subtracts zero points from a tensor of 8-bit integers: one number,
// or one for every position of an axis.
func centred(x, zp *tensor.Tensor, a int) ([]float64, error) {
	f, err := x.Float64s()
	if err != nil || zp == nil {
		return f, err
	}
	z, err := floats(zp)
	if err != nil {
		return nil, err
	}
	if len(z) == 1 {
		for i := range f {
			f[i] -= z[0]
		}
		return f, nil
	}
	if a < 0 || a >= x.Rank() || x.Shape[a] == 0 || len(z)%x.Shape[a] != 0 {
		return nil, fmt.Errorf("zero points %v do not fit %v", zp.Shape, x.Shape)
	}
	if len(z) == x.Shape[a] {
		inner := prod(x.Shape[a+1:])
		for i := range f {
			f[i] -= z[i/inner%x.Shape[a]]
		}
		return f, nil
	}
	st, err := broadcastInts(x.Shape, zp.Shape) // one for each of several matrices
	if err != nil || !slices.Equal(st, x.Shape) {
		return nil, fmt.Errorf("zero points %v do not fit %v", zp.Shape, x.Shape)
	}
	odometer(x.Shape, broadcastStrides(zp.Shape, x.Shape), func(i, off int) { f[i] -= z[off] })
	return f, nil
}

// float64Of is a Float64 tensor over numbers.
func float64Of(shape []int, x []float64) *tensor.Tensor {
	return &tensor.Tensor{DType: tensor.Float64, Shape: shape, Data: x}
}

// integerProduct is the product of centred matrices as exact float64 numbers.
func integerProduct(a, b, az, bz *tensor.Tensor) (*tensor.Tensor, error) {
	x, err := centred(a, az, a.Rank()-2)
	if err != nil {
		return nil, err
	}
	y, err := centred(b, bz, b.Rank()-1)
	if err != nil {
		return nil, err
	}
	out, err := Lookup("", "MatMul").Eval(&graph.Node{}, 13, []*tensor.Tensor{float64Of(a.Shape, x), float64Of(b.Shape, y)})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// integerConv is the convolution of a centred input and kernel.
func integerConv(n *graph.Node, x, w, xz, wz *tensor.Tensor) (*tensor.Tensor, error) {
	a, err := centred(x, xz, -1)
	if err != nil {
		return nil, err
	}
	b, err := centred(w, wz, 0)
	if err != nil {
		return nil, err
	}
	out, err := Lookup("", "Conv").Eval(n, 13, []*tensor.Tensor{float64Of(x.Shape, a), float64Of(w.Shape, b)})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// rescaled multiplies sums by scales (one, or one for every position of an
// axis) and quantises them.
func rescaled(sums *tensor.Tensor, a int, scale []float64, yScale, yZero *tensor.Tensor) ([]*tensor.Tensor, error) {
	if yZero == nil {
		return nil, fmt.Errorf("the zero point of the output is missing")
	}
	s, err := floats(yScale)
	if err != nil {
		return nil, err
	}
	z, err := zeroPoints(yZero, len(s))
	if err != nil {
		return nil, err
	}
	x := tensor.Of[float64](sums)
	inner, size := 1, 1
	if a >= 0 {
		inner, size = prod(sums.Shape[a+1:]), sums.Shape[a]
	}
	if len(scale) != 1 && len(scale) != size || len(s) != 1 && len(s) != size {
		return nil, fmt.Errorf("%d and %d scales for an axis of %d", len(scale), len(s), size)
	}
	lo, hi := bounds(yZero.DType)
	y := make([]float64, len(x))
	for i, v := range x {
		k := i / inner % size
		j := min(k, len(s)-1)
		y[i] = quantised(float64(float32(v*scale[min(k, len(scale)-1)])), s[j], z[j], true, lo, hi)
	}
	return single(ofFloats(yZero.DType, sums.Shape, y))
}

// times multiplies two lists of scales, either of which may be one number.
func times(a, b *tensor.Tensor) ([]float64, error) {
	x, y, err := bothFloats(a, b)
	if err != nil {
		return nil, err
	}
	if len(x) != 1 && len(y) != 1 && len(x) != len(y) || len(x) == 0 || len(y) == 0 {
		return nil, fmt.Errorf("%d and %d scales do not go together: one of each, or as many", len(x), len(y))
	}
	out := make([]float64, max(len(x), len(y)))
	for i := range out {
		out[i] = float64(float32(x[min(i, len(x)-1)]) * float32(y[min(i, len(y)-1)]))
	}
	return out, nil
}

// inferLike infers an operator by another one that has other inputs and type.
func inferLike(name string, d func(c *Infer) tensor.DType, inputs ...int) func(c *Infer) error {
	return func(c *Infer) error {
		in := make([]*graph.Value, len(inputs))
		for i, k := range inputs {
			v, err := c.In(k)
			if err != nil {
				return err
			}
			w := *v
			w.DType, w.Const = tensor.Float32, nil
			in[i] = &w
		}
		m := &Infer{Node: &graph.Node{Op: name, Name: c.Node.Name, Attrs: c.Node.Attrs, Inputs: in, Outputs: c.Node.Outputs}, Opset: c.Opset, dims: c.dims}
		if err := Lookup("", name).Infer(m); err != nil {
			return err
		}
		if o := c.Node.Out(0); o != nil {
			o.DType = d(c)
		}
		return nil
	}
}

func int32Type(*Infer) tensor.DType { return tensor.Int32 }

func typeOfInput(i int) func(c *Infer) tensor.DType {
	return func(c *Infer) tensor.DType { return c.DType(i) }
}

func asInt32(t *tensor.Tensor, err error) ([]*tensor.Tensor, error) {
	if err != nil {
		return nil, err
	}
	return single(Convert(t, tensor.Int32))
}

var _ = register(
	Def{Name: "MatMulInteger", Grad: noGrad, Infer: inferLike("MatMul", int32Type, 0, 1),
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			return asInt32(integerProduct(in[0], in[1], arg(in, 2), arg(in, 3)))
		}, MACs: func(n *graph.Node) int64 { return Lookup("", "MatMul").MACs(n) }},
	Def{Name: "ConvInteger", Grad: noGrad, Infer: inferLike("Conv", int32Type, 0, 1),
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			return asInt32(integerConv(n, in[0], in[1], arg(in, 2), arg(in, 3)))
		}, MACs: func(n *graph.Node) int64 { return Lookup("", "Conv").MACs(n) }},

	// QLinearMatMul(a, a scale, a zero, b, b scale, b zero, y scale, y zero).
	Def{Name: "QLinearMatMul", Grad: noGrad, Infer: inferLike("MatMul", typeOfInput(7), 0, 3),
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			sums, err := integerProduct(in[0], in[3], in[2], in[5])
			if err != nil {
				return nil, err
			}
			scale, err := times(in[1], in[4])
			if err != nil {
				return nil, err
			}
			return rescaled(sums, sums.Rank()-1, scale, in[6], in[7])
		}},

	// QLinearConv(x, x scale, x zero, w, w scale, w zero, y scale, y zero, bias);
	// the bias is in units of the product of the scales.
	Def{Name: "QLinearConv", Grad: noGrad, Infer: inferLike("Conv", typeOfInput(7), 0, 3),
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			sums, err := integerConv(n, in[0], in[3], in[2], in[5])
			if err != nil {
				return nil, err
			}
			if b := arg(in, 8); b != nil {
				f, err := floats(b)
				if err != nil || len(f) != sums.Shape[1] {
					return nil, fmt.Errorf("bias %v does not fit %d channels", b.Shape, sums.Shape[1])
				}
				inner, x := prod(sums.Shape[2:]), tensor.Of[float64](sums)
				for i := range x {
					x[i] += f[i/inner%len(f)]
				}
			}
			scale, err := times(in[1], in[4])
			if err != nil {
				return nil, err
			}
			return rescaled(sums, 1, scale, in[6], in[7])
		}},
)
