package engine

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// lower adds the steps that compute a node, and whatever it takes in of the nodes
// behind it. Where it does not apply it adds nothing and says why.
type lower func(l *lowering, n *graph.Node) (done bool, why string)

// rule names a lowering and the operators that it is for; those of other domains, such as
// pare, are written "pare.Op".
type rule struct {
	name  string
	lower lower
	ops   []string
}

// rules are all the lowerings that there are.
var rules = []rule{
	{"lowerConv", lowerConv, []string{"Conv"}},
	{"lowerConvTranspose", lowerConvTranspose, []string{"ConvTranspose"}},
	{"lowerConvInputGrad", lowerConvInputGrad, []string{"pare.ConvGradInput"}},
	{"lowerConvWeightGrad", lowerConvWeightGrad, []string{"pare.ConvGradWeight"}},
	{"lowerGemm", lowerGemm, []string{"Gemm"}},
	{"lowerMatMul", lowerMatMul, []string{"MatMul"}},
	{"lowerBatchNorm", lowerBatchNorm, []string{"BatchNormalization"}},
	{"lowerBatchNormTrain", lowerBatchNormTrain, []string{"pare.BatchNormTrain"}},
	{"lowerBatchNormGrad", lowerBatchNormGrad, []string{"pare.BatchNormGrad"}},
	{"lowerLayerNorm", lowerLayerNorm, []string{"LayerNormalization"}},
	{"lowerLayerNormGrad", lowerLayerNormGrad, []string{"pare.LayerNormGrad"}},
	{"lowerPool", lowerPool, []string{"MaxPool", "AveragePool"}},
	{"lowerPoolGrad", lowerPoolGrad, []string{"pare.MaxPoolGrad", "pare.AveragePoolGrad"}},
	{"lowerGlobalPool", lowerGlobalPool, []string{"GlobalAveragePool"}},
	{"lowerReduce", lowerReduce, []string{"ReduceSum", "ReduceMean"}},
	{"lowerSumTo", lowerSumTo, []string{"pare.SumTo"}},
	{"lowerBroadcastTo", lowerBroadcastTo, []string{"pare.BroadcastTo", "Expand"}},
	{"lowerOnesLike", lowerOnesLike, []string{"pare.OnesLike"}},
	{"lowerSoftmax", lowerSoftmax, []string{"Softmax", "LogSoftmax"}},
	{"lowerSoftmaxGrad", lowerSoftmaxGrad, []string{"pare.SoftmaxGrad"}},
	{"lowerCrossEntropy", lowerCrossEntropy, []string{"pare.SoftmaxCrossEntropy"}},
	{"lowerCrossEntropyGrad", lowerCrossEntropyGrad, []string{"pare.SoftmaxCrossEntropyGrad"}},
	{"lowerArithmetic", lowerArithmetic, []string{"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "PRelu"}},
	{"lowerUnary", lowerUnary, []string{"Abs", "Elu", "Erf", "Exp", "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Mish", "Neg", "Reciprocal", "Relu", "Selu",
		"Sigmoid", "Sign", "Softplus", "Sqrt", "Swish", "Tanh"}},
	{"lowerByNumber", lowerByNumber, []string{"Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu", "Cos", "Cosh", "Floor", "Round", "Shrink", "Sin", "Sinh", "Softsign", "Tan",
		"ThresholdedRelu"}},
	{"lowerGelu", lowerGelu, []string{"Gelu"}},
	{"lowerGeluGrad", lowerGeluGrad, []string{"pare.GeluGrad"}},
	{"lowerClip", lowerClip, []string{"Clip"}},
	{"lowerClipGrad", lowerClipGrad, []string{"pare.ClipGrad"}},
	{"lowerFakeQuantize", lowerFakeQuantize, []string{"pare.FakeQuantize"}},
	{"lowerReluGrad", lowerReluGrad, []string{"pare.ReluGrad"}},
	{"lowerComparison", lowerComparison, []string{"Greater", "GreaterOrEqual", "Less", "LessOrEqual"}},
	{"lowerWhere", lowerWhere, []string{"Where"}},
	{"lowerGather", lowerGather, []string{"Gather"}},
	{"lowerOneHot", lowerOneHot, []string{"OneHot"}},
	{"lowerGatherGrad", lowerGatherGrad, []string{"pare.GatherGrad"}},
	{"lowerView", lowerView, []string{"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "pare.ReshapeLike"}},
	{"lowerTranspose", lowerTranspose, []string{"Transpose"}},
	{"lowerDepth", lowerDepth, []string{"DepthToSpace", "SpaceToDepth", "pare.SpaceToDepth"}},
	{"lowerSlice", lowerSlice, []string{"Slice"}},
	{"lowerSliceGrad", lowerSliceGrad, []string{"pare.SliceGrad"}},
	{"lowerPad", lowerPad, []string{"Pad", "pare.PadGrad"}},
	{"lowerResize", lowerResize, []string{"Resize", "Upsample", "pare.ResizeGrad"}},
	{"lowerGridSample", lowerGridSample, []string{"GridSample"}},
	{"lowerDeformConv", lowerDeformConv, []string{"DeformConv"}},
	{"lowerConcat", lowerConcat, []string{"Concat"}},
	{"lowerSplit", lowerSplit, []string{"Split"}},
	{"lowerQuantize", lowerQuantize, []string{"QuantizeLinear"}},
	{"lowerDequantize", lowerDequantize, []string{"DequantizeLinear"}},
	{"lowerDynamicQuantize", lowerDynamicQuantize, []string{"DynamicQuantizeLinear"}},
	{"lowerQLinearConv", lowerQLinearConv, []string{"QLinearConv"}},
	{"lowerQLinearMatMul", lowerQLinearMatMul, []string{"QLinearMatMul"}},
	{"lowerConvInteger", lowerConvInteger, []string{"ConvInteger"}},
	{"lowerMatMulInteger", lowerMatMulInteger, []string{"MatMulInteger"}},
	{"lowerMoE", lowerMoE, []string{op.ContribDomain + ".MoE"}},
}

// overBytes are lowerings for values that lie in memory as bytes. They are tried before the
// others, which compute with numbers; where they report false they have added nothing.
var overBytes = map[string]func(l *lowering, n *graph.Node) bool{
	"Conv": byteConv, "Gemm": byteGemm, "MatMul": byteMatMul, "Add": byteArithmetic, "Mul": byteArithmetic,
	"MaxPool": func(l *lowering, n *graph.Node) bool { return bytePool(l, n) || lowerPool8(l, n) }, "AveragePool": bytePool, "GlobalAveragePool": bytePool,
	"Reshape": byteView, "Flatten": byteView, "Squeeze": byteView, "Unsqueeze": byteView, "Identity": byteView, "Transpose": byteTranspose, "Concat": byteConcat,
}

// lowerings finds the rule of an operator.
var lowerings = func() map[string]lower {
	m := map[string]lower{}
	for _, r := range rules {
		for _, o := range r.ops {
			m[o] = r.lower
		}
	}
	return m
}()

// HasKernel says whether the engine has a kernel for an ai.onnx operator.
func HasKernel(name string) bool { return lowerings[name] != nil }

// lower plans a node by the rule of its operator.
func (l *lowering) lower(n *graph.Node) (done bool, why string) {
	name := n.Op
	if n.Domain != "" {
		name = n.Domain + "." + n.Op
	}
	if over := overBytes[name]; l.frozen && (over != nil && over(l, n) || over == nil && byteTable(l, n)) {
		return true, ""
	}
	if name != "DequantizeLinear" {
		if err := l.constants(n); err != nil {
			return no("%v", err)
		}
	}
	f := lowerings[name]
	if f == nil {
		return no("there is no kernel for %s", name)
	}
	if v := otherFloat(n); v != nil {
		return no("%q is %v; kernels compute in float32", v.Name, v.DType)
	}
	if x := n.In(0); x != nil && x.DType != tensor.Float32 && n.Is("ReduceSum", "ReduceMean") {
		return no("%q is %v; kernels compute in float32", x.Name, x.DType)
	}
	return f(l, n)
}

// no is the answer of a lowering that does not apply.
func no(format string, a ...any) (done bool, why string) { return false, fmt.Sprintf(format, a...) }
