package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// Operators on 8-bit integers are written as what they were made of: each input
// dequantised, the operator on numbers, the result quantised.

// dequantised is (x - zero)*scale; along an axis where there are several scales.
func dequantised(b *Builder, x, scale, zero *graph.Value, axis int) *graph.Value {
	if b.err == nil && (x == nil || scale == nil) {
		b.err = fmt.Errorf("an input or its scale is missing")
	}
	if b.err != nil {
		return &graph.Value{}
	}
	in := []*graph.Value{x, scale}
	if zero != nil {
		in = append(in, zero)
	}
	if rank(scale) != 1 || scale.Shape[0] == graph.N(1) {
		return b.Op("DequantizeLinear", in...)
	}
	if b.G.Version("") >= 13 {
		return b.Attr("DequantizeLinear", []graph.Attr{graph.MakeAttr("axis", axis)}, in...)
	}
	to := make([]int, len(x.Shape)-axis)
	for i := range to {
		to[i] = 1
	}
	to[0] = -1
	along := func(v *graph.Value) *graph.Value { return b.Op("Reshape", v, b.Ints(to...)) }
	y := cast(b, x, scale.DType)
	if zero != nil {
		y = b.Op("Sub", y, along(cast(b, zero, scale.DType)))
	}
	return b.Op("Mul", y, along(scale))
}

// quantisedAs is round(x/scale) + zero in the type of zero, or in that of like where
// there is none.
func quantisedAs(b *Builder, x, scale, zero, like *graph.Value) *graph.Value {
	if zero == nil {
		zero = b.Const(tensor.New(like.DType))
	}
	return b.Op("QuantizeLinear", x, scale, zero)
}

// elementwise is an operator of one quantised input, its scale and zero point, and those
// of the result.
func elementwise(f func(b *Builder, n *graph.Node, x *graph.Value) (*graph.Value, error)) contrib {
	return func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
		y, err := f(b, n, dequantised(b, n.In(0), n.In(1), n.In(2), 0))
		if err != nil || b.err != nil {
			return nil, err
		}
		return one(quantisedAs(b, y, n.In(3), n.In(4), n.In(0)))
	}
}

// binaryOf is an operator of two quantised inputs.
func binaryOf(name string) contrib {
	return func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
		x, y := dequantised(b, n.In(0), n.In(1), n.In(2), 0), dequantised(b, n.In(3), n.In(4), n.In(5), 0)
		return one(quantisedAs(b, b.Op(name, x, y), n.In(6), n.In(7), n.In(0)))
	}
}

func init() {
	for name, f := range map[string]contrib{
		"QLinearAdd": binaryOf("Add"),
		"QLinearMul": binaryOf("Mul"),
		"QLinearSigmoid": elementwise(func(b *Builder, _ *graph.Node, x *graph.Value) (*graph.Value, error) {
			return b.Op("Sigmoid", x), nil
		}),
		"QLinearLeakyRelu": elementwise(func(b *Builder, n *graph.Node, x *graph.Value) (*graph.Value, error) {
			return b.Attr("LeakyRelu", []graph.Attr{graph.MakeAttr("alpha", n.Float("alpha", .01))}, x), nil
		}),
		"QLinearSoftmax": elementwise(func(b *Builder, n *graph.Node, x *graph.Value) (*graph.Value, error) {
			axis := n.Int("axis", -1)
			if last := rank(x) - 1; (n.Int("opset", 13) < 13) != (b.G.Version("") < 13) && axis != -1 && axis != last {
				return nil, fmt.Errorf("it flattens at axis %d as another opset does", axis)
			}
			return b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", axis)}, x), nil
		}),
		"QLinearAveragePool":       elementwise(pooled("AveragePool")),
		"QLinearGlobalAveragePool": elementwise(pooled("GlobalAveragePool")),
		"QLinearReduceMean": elementwise(func(b *Builder, n *graph.Node, x *graph.Value) (*graph.Value, error) {
			axes := n.Ints("axes")
			if axes == nil {
				return nil, fmt.Errorf("its axes are not given")
			}
			return reduce(b, "ReduceMean", x, axes, n.Int("keepdims", 1) != 0), nil
		}),
		"QLinearConcat":         quantisedConcat,
		"QLinearWhere":          quantisedWhere,
		"QLinearConv":           quantisedConv,
		"QGemm":                 quantisedGemm,
		"DynamicQuantizeMatMul": dynamicMatMul,
		"MatMulIntegerToFloat":  integerMatMul,
		"QuantizeLinear":        renamed("QuantizeLinear", 10),
		"DequantizeLinear":      renamed("DequantizeLinear", 10),
	} {
		contribs[name] = f
	}
}

// pooled is a pooling, of channels that may come last.
func pooled(name string) func(b *Builder, n *graph.Node, x *graph.Value) (*graph.Value, error) {
	return func(b *Builder, n *graph.Node, x *graph.Value) (*graph.Value, error) {
		pool := func(x *graph.Value) *graph.Value { return b.Attr(name, without(n, "channels_last"), x) }
		if n.Int("channels_last", 0) == 0 {
			return pool(x), nil
		}
		return channelsLast(b, pool, x)
	}
}

// quantisedConcat is QLinearConcat(scale, zero, input, its scale, its zero, …).
func quantisedConcat(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	var parts []*graph.Value
	for i := 2; i+2 < len(n.Inputs); i += 3 {
		parts = append(parts, dequantised(b, n.In(i), n.In(i+1), n.In(i+2), 0))
	}
	if len(parts) == 0 || (len(n.Inputs)-2)%3 != 0 {
		return nil, fmt.Errorf("%d inputs", len(n.Inputs))
	}
	return one(quantisedAs(b, concat(b, n.Int("axis", 0), parts...), n.In(0), n.In(1), n.In(2)))
}

// quantisedWhere is QLinearWhere(condition, x, its scale, its zero, y, its scale, its
// zero, scale, zero).
func quantisedWhere(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	x, y := dequantised(b, n.In(1), n.In(2), n.In(3), 0), dequantised(b, n.In(4), n.In(5), n.In(6), 0)
	return one(quantisedAs(b, b.Op("Where", n.In(0), x, y), n.In(7), n.In(8), n.In(1)))
}

// quantisedConv is QLinearConv, of channels that may come last.
func quantisedConv(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	conv := func(x *graph.Value) *graph.Value {
		in := append([]*graph.Value{x}, n.Inputs[1:]...)
		return b.Attr("QLinearConv", without(n, "channels_last"), in...)
	}
	if n.Int("channels_last", 0) == 0 {
		return one(conv(n.In(0)))
	}
	y, err := channelsLast(b, conv, n.In(0))
	return []*graph.Value{y}, err
}

// quantisedGemm is QGemm(A, its scale, its zero, B, its scales, its zeros, C, scale,
// zero): C is in units of alpha and both scales, and the result is not quantised where
// no scale is given for it.
func quantisedGemm(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	axis := 1 - n.Int("transB", 0)
	x, w := dequantised(b, n.In(0), n.In(1), n.In(2), 0), dequantised(b, n.In(3), n.In(4), n.In(5), axis)
	in := []*graph.Value{x, w}
	if c := n.In(6); c != nil {
		unit := b.Op("Mul", n.In(1), n.In(4))
		if a := n.Float("alpha", 1); a != 1 {
			unit = b.Op("Mul", unit, b.Scalar(float64(a), unit))
		}
		in = append(in, b.Op("Mul", cast(b, c, x.DType), unit))
	}
	y := b.Attr("Gemm", n.Attrs, in...)
	if n.In(7) == nil {
		return one(y)
	}
	return one(quantisedAs(b, y, n.In(7), n.In(8), n.In(0)))
}

// dynamicMatMul is DynamicQuantizeMatMul(A, B, B's scales, B's zeros, bias), which
// quantises A by its range.
func dynamicMatMul(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	if err := since(b, 11); err != nil {
		return nil, err
	}
	a := b.Node("", "DynamicQuantizeLinear", 3, []*graph.Value{n.In(0)}).Outputs
	return one(scaledProduct(b, a[0], n.In(1), a[1], n.In(2), a[2], n.In(3), n.In(4)))
}

// integerMatMul is MatMulIntegerToFloat(A, B, their scales, their zeros, bias).
func integerMatMul(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	if s := n.In(2); s == nil || rank(s) != 0 && !(rank(s) == 1 && s.Shape[0] == graph.N(1)) {
		return nil, fmt.Errorf("its left matrix has several scales")
	}
	return one(scaledProduct(b, n.In(0), n.In(1), n.In(2), n.In(3), n.In(4), n.In(5), n.In(6)))
}

// scaledProduct is a product of integers less their zero points, times both scales.
func scaledProduct(b *Builder, x, w, xScale, wScale, xZero, wZero, bias *graph.Value) *graph.Value {
	in := []*graph.Value{x, w}
	if xZero != nil || wZero != nil {
		if xZero == nil {
			xZero = b.Const(tensor.New(x.DType))
		}
		in = append(in, xZero)
	}
	if wZero != nil {
		in = append(in, wZero)
	}
	y := cast(b, b.Op("MatMulInteger", in...), xScale.DType)
	return added(b, b.Op("Mul", y, b.Op("Mul", xScale, wScale)), bias)
}

// quantisedAttention is QAttention(input, weights, bias, their scales, mask, their zeros,
// past).
func quantisedAttention(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	x, w := n.In(0), n.In(1)
	if rank(x) != 3 || rank(w) != 2 || !w.Shape[1].Known() || n.Int("do_rotary", 0) != 0 || n.Int("past_present_share_buffer", 0) != 0 {
		return nil, fmt.Errorf("its past is a buffer that it writes to, it turns its queries, or shapes are not known")
	}
	h := headed{n: n, heads: n.Int("num_heads", 0), mask: n.In(5)}
	y := b.Op("MatMul", dequantised(b, x, n.In(3), n.In(6), 0), dequantised(b, w, n.In(4), n.In(7), 1))
	return h.packed(b, added(b, y, n.In(2)), w.Shape[1].Mul, nil, n.In(8))
}
