package op

import (
	"math"

	"pare/graph"
)

// Fuse replaces groups of operators by one that the engine has a kernel for,
// and reports how many it replaced: x*(1+erf(x/sqrt 2))/2 in any order becomes
// Gelu, and x times its sigmoid, its hard sigmoid or tanh(softplus(x)) become Swish,
// HardSwish and Mish. The graph is for running, not for writing: it may hold
// operators newer than its opset.
func Fuse(g *graph.Graph) int {
	uses := g.Uses()
	n := 0
	for _, e := range g.Nodes {
		if name, x, m := gateOf(g, uses, e); m != nil {
			m.Op, m.Inputs, m.Attrs = name, []*graph.Value{x}, nil
			n++
			continue
		}
		if !e.Is("Erf") || e.In(0).From == nil {
			continue
		}
		if x, y := geluAround(g, uses, e); y != nil {
			last := y.From
			last.Op, last.Inputs, last.Attrs = "Gelu", []*graph.Value{x}, nil
			n++
		}
	}
	if n > 0 {
		g.Prune()
	}
	return n
}

// gateOf finds the product of a value and a gate that e makes of it: the name of both
// together, the value, and the product, or nil.
func gateOf(g *graph.Graph, uses map[*graph.Value][]graph.Use, e *graph.Node) (name string, x *graph.Value, m *graph.Node) {
	switch {
	case e.Is("Sigmoid"):
		name, x = "Swish", e.In(0)
	case e.Is("HardSigmoid") && isNear(float64(e.Float("alpha", .2)), 1./6) && e.Float("beta", .5) == .5:
		name, x = "HardSwish", e.In(0)
	case e.Is("Tanh") && e.In(0).From.Is("Softplus"):
		name, x = "Mish", e.In(0).From.In(0)
	default:
		return "", nil, nil
	}
	u := uses[e.Out(0)]
	if len(u) != 1 || u[0].Index < 0 || g.IsOutput(e.Out(0)) || !u[0].Node.Is("Mul") {
		return "", nil, nil
	}
	m = u[0].Node
	if a, b := m.In(0), m.In(1); a == b || a != x && b != x {
		return "", nil, nil
	}
	return name, x, m
}

// geluAround finds the input and the output of a Gelu written out around an
// Erf, or nil.
func geluAround(g *graph.Graph, uses map[*graph.Value][]graph.Use, e *graph.Node) (x, y *graph.Value) {
	arg := e.In(0).From
	switch c, v := constantOperand(arg); {
	case arg.Is("Mul") && isNear(c, 1/math.Sqrt2), arg.Is("Div") && isNear(c, math.Sqrt2) && v == arg.In(0):
		x = v
	default:
		return nil, nil
	}
	// what is left to meet after the Erf: +1, then times x and times a half
	y = e.Out(0)
	added, half, times := false, false, false
	for !(added && half && times) {
		u := uses[y]
		if len(u) != 1 || u[0].Index < 0 || g.IsOutput(y) {
			return nil, nil
		}
		n := u[0].Node
		c, v := constantOperand(n)
		switch {
		case !added && n.Is("Add") && v == y && isNear(c, 1):
			added = true
		case added && !half && n.Is("Mul") && v == y && isNear(c, .5), added && !half && n.Is("Div") && n.In(0) == y && isNear(c, 2):
			half = true
		case added && !times && n.Is("Mul") && (n.In(0) == y && n.In(1) == x || n.In(0) == x && n.In(1) == y):
			times = true
		case added && !times && n.Is("Mul"): // x/2 was made on its own
			o := n.In(0)
			if o == y {
				o = n.In(1)
			}
			c, v := constantOperand(o.From)
			if half || v != x || !(o.From.Is("Mul") && isNear(c, .5) || o.From.Is("Div") && o.From.In(0) == x && isNear(c, 2)) {
				return nil, nil
			}
			half, times = true, true
		default:
			return nil, nil
		}
		y = n.Out(0)
	}
	return x, y
}

// constantOperand gives the scalar constant and the other operand of a node of
// two inputs.
func constantOperand(n *graph.Node) (c float64, v *graph.Value) {
	if n == nil || len(n.Inputs) != 2 {
		return math.NaN(), nil
	}
	for i, k := range n.Inputs {
		if k.IsConst() && k.Const.Len() == 1 && k.DType.IsFloat() && !n.Inputs[1-i].IsConst() {
			if f, err := k.Const.Float64s(); err == nil {
				return f[0], n.Inputs[1-i]
			}
		}
	}
	return math.NaN(), nil
}

func isNear(a, b float64) bool { return math.Abs(a-b) <= 1e-5*math.Abs(b) }
