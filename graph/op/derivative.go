package op

import "pare/graph"

// noDerivative names the operators through which no gradient flows, and why.
var noDerivative = map[key]string{}

var _ = func() bool {
	for why, names := range map[string][]string{
		"integers or bools come out": {"And", "ArgMax", "ArgMin", "BitCast", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr",
			"BitwiseXor", "ConvInteger", "DynamicQuantizeLinear", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less",
			"LessOrEqual", "MatMulInteger", "NonMaxSuppression", "NonZero", "Not", "Or", "QLinearConv", "QLinearMatMul",
			"QuantizeLinear", "Shape", "Size", "Xor"},
		"constant but for jumps": {"Ceil", "Floor", "Hardmax", "Round", "Sign"},
		"does not depend on values of inputs": {"BlackmanWindow", "Constant", "ConstantOfShape", "EyeLike", "HammingWindow", "HannWindow",
			"MelWeightMatrix", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"},
		"draws or counts": {"Bernoulli", "Multinomial", "TfIdfVectorizer"},
	} {
		for _, n := range names {
			noDerivative[key{"", n}] = why
		}
	}
	noDerivative[key{ContribDomain, "GatherBlockQuantized"}] = "integers are looked up"
	for why, names := range map[string][]string{
		"what comes out is looked up":                  {"CategoryMapper", "LabelEncoder", "OneHotEncoder"},
		"classes are chosen, and support vectors stay": {"SVMClassifier", "SVMRegressor"},
		"constant but for jumps":                       {"TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"},
	} {
		for _, n := range names {
			noDerivative[key{LearnedDomain, n}] = why
		}
	}
	for why, names := range map[string][]string{
		"does not depend on values of inputs":                 {"OnesLike", "ZerosLike"},
		"goes straight through the rounding, not as it jumps": {"FakeQuantize"},
		"second derivatives are not written":                  {"CTCGrad", "Cofactors", "DeformConvGrad", "GridSampleGrad"},
	} {
		for _, n := range names {
			noDerivative[key{graph.Pare, n}] = why
		}
	}
	return true
}()

// NoDerivative says why no gradient flows through an operator; "" where one does.
func NoDerivative(domain, name string) string { return noDerivative[key{domain, name}] }
