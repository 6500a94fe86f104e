package op

import (
	"math"

	"pare/graph"
	"pare/tensor"
)

// decomposeMoE writes a mixture of experts out for its gradient: every expert computes
// every token, and those that are not chosen count nothing. That is experts / k times the
// work of the node, and the gradient flows as it does there: to the chosen experts alone,
// and to the router by the weights of these.
func decomposeMoE(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	m, err := MixtureOf(n)
	if err != nil {
		return nil, err
	}
	x := n.In(MoEInput)
	tokens := b.Op("Reshape", x, b.Ints(-1, m.Hidden))
	each := b.Op("Expand", b.Unsqueeze(tokens, 0), b.Ints(m.Experts, 1, 1)) // [experts tokens width]
	y := m.linear(b, n, MoEFirst, each)
	var linear *graph.Value
	switch m.Paired {
	case ThirdWeight:
		linear = m.linear(b, n, MoEThird, each)
	case Interleaved:
		y, linear = stepped(b, y, 0, m.Rows, 2), stepped(b, y, 1, m.Rows, 2)
	case Halves:
		y, linear = stepped(b, y, 0, m.Inner, 1), stepped(b, y, m.Inner, m.Rows, 1)
	}
	y = m.linear(b, n, MoESecond, m.activation(b, y, linear))
	weights := b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{1, 0})}, m.weights(b, n.In(MoERouter)))
	y = b.Sum(b.Op("Mul", y, b.Unsqueeze(weights, 2)), false, 0)
	return one(b.Op("Reshape", y, b.Op("Shape", x)))
}

// linear multiplies [experts tokens inputs] by the matrices of a weight, and adds its
// bias.
func (m *Mixture) linear(b *Builder, n *graph.Node, in int, x *graph.Value) *graph.Value {
	w := b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1})}, n.In(in))
	y := b.Op("MatMul", x, w)
	if n.In(in+1) != nil {
		y = b.Op("Add", y, b.Unsqueeze(n.In(in+1), 1))
	}
	return y
}

// stepped takes positions of the last of three axes.
func stepped(b *Builder, x *graph.Value, from, to, step int) *graph.Value {
	return b.Op("Slice", x, b.Ints(from), b.Ints(to), b.Ints(2), b.Ints(step))
}

// weights are those of all experts by token, zero for those that are not chosen.
func (m *Mixture) weights(b *Builder, logits *graph.Value) *graph.Value {
	p := b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", 1)}, logits)
	best := b.Node("", "TopK", 2, []*graph.Value{p, b.Ints(m.K)}).Outputs
	part := best[0] // [tokens k]
	if m.Normalised {
		part = b.Op("Div", part, b.Sum(part, true, 1))
	}
	marks := b.Op("OneHot", best[1], b.Const(scalarInt(m.Experts)), cast(b, b.Const(tensor.Vector[float32](0, 1)), part.DType))
	return b.Sum(b.Op("Mul", marks, b.Unsqueeze(part, 2)), false, 1) // [tokens k experts], summed over k
}

// activation is Gated, as nodes.
func (m *Mixture) activation(b *Builder, x, linear *graph.Value) *graph.Value {
	y := x
	swish := func(x *graph.Value) *graph.Value {
		return b.Op("Mul", x, b.Op("Sigmoid", b.Op("Mul", x, b.Scalar(m.Alpha, x))))
	}
	limited := !math.IsInf(m.Limit, 1)
	switch m.Activation {
	case "swiglu":
		switch {
		case !limited:
			y = swish(x)
		case m.After:
			y = b.Op("Min", swish(x), b.Scalar(m.Limit, x))
		default:
			y = swish(b.Op("Min", x, b.Scalar(m.Limit, x)))
		}
		if limited {
			linear = b.Op("Max", b.Op("Min", linear, b.Scalar(m.Limit, x)), b.Scalar(-m.Limit, x))
		}
		if m.Beta != 0 {
			linear = b.Op("Add", linear, b.Scalar(m.Beta, x))
		}
	case "relu":
		y = b.Op("Relu", x)
	case "relu2":
		y = b.Op("Relu", x)
		y = b.Op("Mul", y, y)
	case "silu":
		y = b.Op("Mul", x, b.Op("Sigmoid", x))
	case "gelu", "geglu":
		y = fastGelu(b, x)
	}
	if linear != nil {
		y = b.Op("Mul", y, linear)
	}
	return y
}
