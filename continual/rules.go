package continual

import (
	"strings"

	"pare/graph"
)

// rule converts a node of which an input has frames, and none is a window.
type rule func(c *converter, n *graph.Node, in []value) ([]value, error)

// rules are the operators that have a form on a stream.
var rules = map[string]rule{}

func init() {
	for names, r := range map[string]rule{
		"Abs Acos Acosh Asin Asinh Atan Atanh Ceil Celu Clip Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Cast Dropout IsNaN IsInf BitShift CastLike": elementwise,
		"Add Sub Mul Div Pow Min Max Sum Mean Mod PRelu Where And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual": elementwise,
		"BatchNormalization LRN": channelwise,
		"LayerNormalization RMSNormalization Softmax LogSoftmax Hardmax LpNormalization": along,
		"Conv":                            conv,
		"MaxPool AveragePool":             pool,
		"GlobalAveragePool GlobalMaxPool": globalPool,
		"ReduceMean ReduceSum ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceProd ReduceSumSquare ReduceLogSum ReduceLogSumExp ArgMax ArgMin": reduce,
		"MatMul":    matMul,
		"Gemm":      gemm,
		"Einsum":    einsum,
		"Attention": attention,
		"Reshape":   reshape, "Flatten": reshape,
		"Squeeze": squeeze, "Unsqueeze": squeeze,
		"Transpose": transpose,
		"Expand":    expand,
		"Concat":    concat,
		"Split":     split,
		"Slice":     slice,
		"Gather":    gather,
		"Pad":       pad,
	} {
		for _, name := range strings.Fields(names) {
			rules[name] = r
		}
	}
}

// Streams says whether an operator of ai.onnx has a form on a stream.
func Streams(op string) bool { return rules[op] != nil }

// wild are operators that may give what is no number before the stream has begun.
var wild = map[string]bool{"Log": true, "Div": true, "Reciprocal": true, "Pow": true, "Sqrt": true, "Exp": true, "Acos": true, "Acosh": true, "Asin": true,
	"Atanh": true, "Tan": true, "LpNormalization": true, "ReduceLogSum": true, "ReduceProd": true}

// axis counts a negative axis from the end.
func axisOf(a, rank int) int {
	if a < 0 {
		a += rank
	}
	return a
}

// elementwise operators treat every number by itself, broadcasting from the last axis.
func elementwise(c *converter, n *graph.Node, in []value) ([]value, error) {
	rank := len(n.Out(0).Shape)
	axis, folded := -1, false
	for i, v := range in {
		if v.kind != timed {
			continue
		}
		a := rank - len(n.In(i).Shape) + v.axis
		if axis >= 0 && (a != axis || v.folded != folded) {
			return nil, no(n, "joins frames along different axes")
		}
		axis, folded = a, v.folded
	}
	in, like, err := c.align(n, in)
	if err != nil {
		return nil, err
	}
	for i, v := range in {
		if v.kind != static || v.Value == nil {
			continue
		}
		d := axis - rank + len(v.Shape)
		if d < 0 || v.Shape[d] == graph.N(1) {
			continue
		}
		if in[i], err = c.positions(n, v, d, like, in); err != nil {
			return nil, err
		}
	}
	like.axis, like.wild = axis, like.wild || wild[n.Op]
	return c.outs(c.emit(n, in), like), nil
}

// channelwise operators treat positions by themselves, and axis 1 as channels.
func channelwise(c *converter, n *graph.Node, in []value) ([]value, error) {
	x := in[0]
	if x.kind != timed || x.axis == 1 && n.Is("LRN") {
		return nil, no(n, "takes frames where it has none")
	}
	if x.axis == 1 {
		return nil, no(n, "has numbers of its own for every frame of a clip")
	}
	if n.Int("training_mode", 0) != 0 || len(n.Outputs) > 1 {
		return nil, no(n, "is in training, with statistics of all frames: export the network for inference")
	}
	return c.outs(c.emit(n, in), x), nil
}

// along operators work along an axis, or along it and all behind it.
func along(c *converter, n *graph.Node, in []value) ([]value, error) {
	x := in[0]
	if x.kind != timed {
		return nil, no(n, "takes frames where it has none")
	}
	rank := len(n.In(0).Shape)
	a := axisOf(n.Int("axis", -1), rank)
	from, to := a, a
	if n.Is("LayerNormalization", "RMSNormalization") || c.g.Version("") < 13 && n.Is("Softmax", "LogSoftmax", "Hardmax") {
		if n.Attr("axis") == nil && !n.Is("LayerNormalization", "RMSNormalization") {
			from = 1
		}
		to = rank - 1
	}
	if x.axis >= from && x.axis <= to {
		return nil, no(n, "runs over time")
	}
	x.wild = x.wild || wild[n.Op]
	return c.outs(c.emit(n, in), x), nil
}
