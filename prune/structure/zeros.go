package structure

import "pare/graph"

// A channel may be cut where all that reads it multiplies it by a weight that
// goes with it. Where an operator sums over an axis without such a weight, as
// the product of queries and keys does, what is cut must have been zero. So for
// every axis it is followed whether a position holds zeros once the weights of
// its class are zero: the output of a convolution does, and still behind a
// ReLU, but not behind a sigmoid.

// dead says whether the positions of an axis that are cut hold zeros.
func (r *relation) dead(v *graph.Value, dim int) bool {
	if v.IsConst() {
		return v.DType.IsFloat()
	}
	if r.choice.survey { // zeros do not pass choices yet
		return true
	}
	return r.zero[Axis{v, dim}]
}

// contract ties two axes over which a node sums products.
func (r *relation) contract(a *graph.Value, da int, b *graph.Value, db int) {
	r.same(a, da, b, db, name(r.node))
	if r.size(a, da) > 0 && !r.dead(a, da) && !r.dead(b, db) {
		why := name(r.node) + " sums over this axis, where a channel that is cut need not be zero"
		r.keep(a, da, why)
		r.keep(b, db, why)
	}
}

// preserves lists how operators treat zeros: whether an output is zero where
// all of its data inputs are (allZero), or where any of them is (anyZero).
type zeros int

const (
	allZero zeros = iota + 1
	anyZero
)

var preserves = map[string]zeros{
	"Mul": anyZero, "MatMul": anyZero, "Einsum": anyZero, "And": anyZero,
}

func init() {
	for _, o := range []string{"Abs", "Neg", "Sign", "Sqrt", "Floor", "Ceil", "Round", "Sin", "Tan", "Asin", "Atan", "Sinh",
		"Asinh", "Atanh", "Tanh", "Erf", "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "HardSwish", "Softsign", "Mish", "Gelu",
		"Swish", "Shrink", "Identity", "Cast", "CastLike", "Dropout", "Add", "Sub", "Min", "Max", "Sum", "Mean", "Where",
		"PRelu", "Clip", "Pow", "Div", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Concat", "Split",
		"Slice", "Pad", "Tile", "Gather", "GatherElements", "MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool",
		"GlobalLpPool", "Resize", "Upsample", "DepthToSpace", "SpaceToDepth", "ReduceSum", "ReduceMean", "ReduceMax",
		"ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "CumSum", "Trilu", "LpNormalization", "Conv", "ConvTranspose",
		"BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization", "Gemm", "ReverseSequence", "RMSNormalization", "ScatterND", "GatherND", "CumProd"} {
		preserves[o] = allZero
	}
}

// dataOf gives the inputs of a node whose zeros matter for its outputs.
func dataOf(n *graph.Node) []*graph.Value {
	in := n.Inputs
	switch {
	case n.Is("Where"):
		in = in[1:]
	case n.Is("Conv", "ConvTranspose"): // rows of the kernel, and the bias
		in = in[1:]
	case n.Is("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization"):
		in = in[1:min(3, len(in))]
	case n.Is("Gemm"):
		in = in[1:]
	case n.Is("Add", "Sub", "Mul", "Min", "Max", "Sum", "Mean", "MatMul", "Einsum", "Concat", "And"):
	case n.Is("ScatterND"):
		in = []*graph.Value{in[0], in[2]}
	default:
		in = in[:1]
	}
	var out []*graph.Value
	for _, v := range in {
		if v != nil {
			out = append(out, v)
		}
	}
	return out
}

// follow tells where the outputs of a node are zero, from the links that its
// rule has made.
func (r *relation) follow(n *graph.Node) {
	how := preserves[n.Op]
	if n.Domain != "" || how == 0 || !keepsZero(n) {
		return
	}
	data := dataOf(n)
	for _, o := range n.Outputs {
		if o == nil {
			continue
		}
		for d := range o.Shape {
			if n.Is("Expand", "Tile") && isZero(n.In(0)) {
				r.zero[Axis{o, d}] = true
				continue
			}
			to := Axis{o, d}
			if r.size(o, d) == 0 {
				continue
			}
			linked := map[*graph.Value]bool{} // inputs tied to this axis: are they zero?
			for _, l := range r.links {
				from := l.a
				if from == to {
					from = l.b
				} else if l.b != to {
					continue
				}
				was, ok := linked[from.Value]
				linked[from.Value] = r.dead(from.Value, from.Dim) && (was || !ok)
			}
			zero := how == allZero && len(data) > 0
			for _, v := range data {
				if how == allZero {
					zero = zero && linked[v]
				} else {
					zero = zero || linked[v]
				}
			}
			if n.Op == "Div" && linked[n.In(1)] { // 0/0
				zero = false
			}
			r.zero[to] = zero
		}
	}
}

// keepsZero looks at the numbers that decide whether a node maps 0 to 0.
func keepsZero(n *graph.Node) bool {
	switch n.Op {
	case "Clip":
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
	case "Pow":
		x, ok := scalar(n.In(1))
		return ok && x > 0
	case "Div":
		x, ok := scalar(n.In(1))
		return !n.In(1).IsConst() || !ok || x != 0
	case "Pad":
		if n.Str("mode", "constant") != "constant" || n.In(2) == nil {
			return n.Float("value", 0) == 0
		}
		x, ok := scalar(n.In(2))
		return ok && x == 0
	case "Shrink":
		return n.Float("lambd", .5) >= 0
	}
	return true
}

// scalar gives the number of a constant with one entry.
func scalar(v *graph.Value) (float64, bool) {
	if !v.IsConst() || v.Const.Len() != 1 {
		return 0, false
	}
	if f, err := v.Const.Float64s(); err == nil {
		return f[0], true
	}
	if s, err := v.Const.Int64s(); err == nil {
		return float64(s[0]), true
	}
	return 0, false
}

// isZero says whether a constant holds nothing but zeros.
func isZero(v *graph.Value) bool {
	if !v.IsConst() {
		return false
	}
	f, err := v.Const.Float64s()
	for _, x := range f {
		if x != 0 {
			return false
		}
	}
	return err == nil
}
