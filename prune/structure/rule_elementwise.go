package structure

import "pare/graph"

// Elementwise operators, with numpy's broadcasting: axes are aligned from the
// right.
var (
	_ = elementwise(Zeros{}, FlowStops, "Exp", "Log", "Reciprocal", "Cos", "Acos", "Cosh", "Acosh", "Sigmoid", "HardSigmoid",
		"Softplus", "Not", "IsNaN", "IsInf", "Mod", "Or", "Xor", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
	_ = elementwise(zeroAsFirst, FlowStops, "Abs", "Neg", "Sign", "Sqrt", "Floor", "Ceil", "Round", "Sin", "Tan", "Asin", "Atan",
		"Sinh", "Asinh", "Atanh", "Tanh", "Erf", "Selu", "HardSwish", "Softsign", "Mish", "Gelu", "Swish")
	_ = elementwise(zeroAsFirst, FlowPasses, "Relu", "LeakyRelu", "PRelu", "Elu", "Celu")
	_ = elementwise(Zeros{}, FlowPasses, "ThresholdedRelu")
	_ = elementwise(zeroAsAll, FlowStops, "Min", "Mean")
	_ = elementwise(zeroAsAll, FlowMeets, "Add", "Sum", "Max")
	_ = elementwise(zeroAsAll, FlowSubtracts, "Sub")
	_ = elementwise(zeroAsAny, FlowMultiplies, "Mul")
	_ = elementwise(zeroAsAny, FlowStops, "And")
	_ = elementwise(Zeros{Pass: AllZero, Of: []int{1, 2}}, FlowStops, "Where")
	_ = elementwise(Zeros{Pass: AllZero, Of: []int{0}, If: shrinksZero}, FlowStops, "Shrink")
	_ = elementwise(Zeros{Pass: AllZero, Of: []int{0}, If: positivePower}, FlowStops, "Pow")
	_ = elementwise(Zeros{Pass: AllZero, Of: []int{0}, Unless: []int{1}, If: dividesByNoZero}, FlowDivides, "Div")

	// The other inputs of these are settings.
	_ = register(Rule{Tie: tieFirst, Zeros: zeroAsFirst, Separate: true, Flow: FlowScales}, "Dropout")
	_ = register(Rule{Tie: tieFirst, Zeros: zeroAsFirst, Separate: true}, "CastLike")
	_ = register(Rule{Tie: tieFirst, Zeros: Zeros{Pass: AllZero, Of: []int{0}, If: clipsAroundZero}, Separate: true, Flow: FlowPasses}, "Clip")

	// A weight may stand behind these.
	_ = register(Rule{Tie: tieFirst, Zeros: zeroAsFirst, Separate: true, Flow: FlowScales}, "Identity")
	_ = register(Rule{Tie: tieFirst, Zeros: zeroAsFirst, Separate: true}, "Cast")
)

func elementwise(z Zeros, f Flow, ops ...string) bool {
	return register(Rule{Tie: tieBroadcast, Zeros: z, Separate: true, Flow: f}, ops...)
}

func tieBroadcast(r *Relation, n *graph.Node) {
	for i := range n.Inputs {
		tieAligned(r, n, i)
	}
}

func tieFirst(r *Relation, n *graph.Node) { tieAligned(r, n, 0) }

// tieAligned ties input i to all outputs, aligned from the right.
func tieAligned(r *Relation, n *graph.Node, i int) {
	v := n.In(i)
	for _, o := range n.Outputs {
		if o == nil || v == nil {
			continue
		}
		off := len(o.Shape) - len(v.Shape)
		for d := range v.Shape {
			r.SameOr(v, d, o, d+off, "broadcasts this axis")
		}
	}
}

func clipsAroundZero(n *graph.Node) bool {
	lo, hi := float64(n.Float("min", -1)), float64(n.Float("max", 1))
	for i, p := range []*float64{&lo, &hi} {
		if v := n.In(i + 1); v != nil {
			x, ok := scalar(v)
			if !ok {
				return false
			}
			*p = x
		}
	}
	return lo <= 0 && hi >= 0
}

func positivePower(n *graph.Node) bool {
	x, ok := scalar(n.In(1))
	return ok && x > 0
}

func dividesByNoZero(n *graph.Node) bool {
	x, ok := scalar(n.In(1))
	return !n.In(1).IsConst() || !ok || x != 0
}

func shrinksZero(n *graph.Node) bool { return n.Float("lambd", .5) >= 0 }

var (
	_ = register(Rule{Tie: tieSoftmax, Flow: FlowPassesLast}, "Softmax", "LogSoftmax")
	_ = register(Rule{Tie: tieSoftmax}, "Hardmax")
)

func tieSoftmax(r *Relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	def := -1
	if r.Opset() < 13 {
		def = 1
	}
	a := normal(n.Int("axis", def), len(x.Shape))
	for d := range x.Shape {
		// before opset 13 the axes from `axis` on are normalised together
		if d == a || r.Opset() < 13 && d > a {
			r.Keep(x, d, "normalises over this axis")
			r.Keep(y, d, "normalises over this axis")
		} else {
			r.Same(x, d, y, d)
		}
	}
}
