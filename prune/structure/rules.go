package structure

import (
	"pare/graph"
)

// rule ties the positions of a node's values.
type rule func(r *relation, n *graph.Node)

// rules by ai.onnx operator. An operator without a rule protects all it touches.
var rules = map[string]rule{}

// HasRule says whether coupled channels are followed through an ai.onnx operator.
func HasRule(name string) bool { return rules[name] != nil }

func add(f rule, ops ...string) bool {
	for _, o := range ops {
		rules[o] = f
	}
	return true
}

// relate builds the relation of the whole network. Its inputs and outputs are
// protected.
func relate(g *graph.Graph) *relation {
	c := &choices{survey: true, failed: map[choice]map[int]bool{}}
	relateOnce(g, c).surveyed()
	for k := 1; ; k++ {
		r := relateOnce(g, c)
		if !r.revise() || k == rounds {
			return r
		}
	}
}

func relateOnce(g *graph.Graph, c *choices) *relation {
	r := newRelation(g, c)
	for _, v := range g.Inputs {
		r.keepAll(v, "input "+v.Name+" of the network")
	}
	for _, n := range g.Nodes {
		r.node, r.links = n, r.links[:0]
		switch f := rules[n.Op]; {
		case n.Domain != "" || f == nil:
			r.opaque(n, name(n)+" has no rule for its channels")
		case unknownRank(n):
			r.opaque(n, name(n)+" has a value of unknown rank")
		default:
			f(r, n)
			r.follow(n)
		}
	}
	for _, v := range g.Outputs {
		r.keepAll(v, "output "+v.Name+" of the network")
	}
	return r
}

func unknownRank(n *graph.Node) bool {
	for _, v := range n.Inputs {
		if v != nil && v.Shape == nil {
			return true
		}
	}
	for _, v := range n.Outputs {
		if v != nil && v.Shape == nil {
			return true
		}
	}
	return false
}

// Elementwise operators, with numpy's broadcasting: axes are aligned from the
// right.
var _ = add(elementwise,
	"Abs", "Neg", "Sign", "Exp", "Log", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sin", "Cos", "Tan",
	"Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Erf", "Relu", "LeakyRelu", "Elu", "Selu",
	"Celu", "ThresholdedRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Softplus", "Softsign", "Mish", "Gelu", "Swish",
	"Tanh", "Shrink", "Clip", "Not", "IsNaN", "IsInf", "Identity", "Cast", "CastLike", "Dropout",
	"Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max", "Sum", "Mean", "And", "Or", "Xor", "Equal", "Greater",
	"Less", "GreaterOrEqual", "LessOrEqual", "Where", "PRelu")

func elementwise(r *relation, n *graph.Node) {
	for _, o := range n.Outputs {
		if o == nil {
			continue
		}
		for i, v := range n.Inputs {
			if v == nil || n.Op == "Clip" && i > 0 || n.Op == "Dropout" && i > 0 || n.Op == "CastLike" && i > 0 {
				continue
			}
			off := len(o.Shape) - len(v.Shape)
			for d := range v.Shape {
				r.same(v, d, o, d+off, name(n)+" broadcasts this axis")
			}
		}
	}
}

var _ = add(func(r *relation, n *graph.Node) {
	axis := func(v *graph.Value, def int) int { return normal(n.Int("axis", def), len(v.Shape)) }
	x, y := n.In(0), n.Out(0)
	def := -1
	if v := r.g.Version(""); v < 13 {
		def = 1
	}
	a := axis(x, def)
	for d := range x.Shape {
		// before opset 13 the axes from `axis` on are normalised together
		if d == a || r.g.Version("") < 13 && d > a {
			why := name(n) + " normalises over this axis"
			r.keep(x, d, why)
			r.keep(y, d, why)
		} else {
			r.same(x, d, y, d, name(n))
		}
	}
}, "Softmax", "LogSoftmax", "Hardmax")

func normal(axis, rank int) int {
	if axis < 0 {
		return axis + rank
	}
	return axis
}
