package structure

import (
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
)

// waivers are operators without a rule: all that they touch is left whole.
var waivers = map[string][]string{
	"a rule is possible and not written": {"AffineGrid", "CenterCropPad", "Col2Im", "DeformConv", "GridSample", "LinearAttention",
		"MaxUnpool", "RoiAlign", "ScatterElements", "Scatter", "TensorScatter"},
	"channels are not followed into subgraphs":                        {"If", "Loop", "Scan"},
	"makes its values from settings and sizes":                        {"BlackmanWindow", "Constant", "EyeLike", "HammingWindow", "HannWindow", "MelWeightMatrix", "RandomNormal", "RandomUniform", "Range"},
	"draws for all positions, so that others would get other numbers": {"Bernoulli", "Multinomial", "RandomNormalLike", "RandomUniformLike"},
	"transforms along an axis that is no channel":                     {"DFT", "STFT"},
	"mixes all positions of the matrix":                               {"Det"},
	"what comes out depends on which values there are":                {"Compress", "NonMaxSuppression", "NonZero", "OneHot", "TfIdfVectorizer", "Unique"},
	"a loss, which is not part of a network that is cut":              {"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"},
	"quantised networks are refused before pruning":                   {"ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul"},
	"quantised weights are left whole":                                {"com.microsoft.MatMulNBits", "com.microsoft.GatherBlockQuantized"},
	"reads features by their numbers": {"ai.onnx.ml.CategoryMapper", "ai.onnx.ml.LabelEncoder", "ai.onnx.ml.OneHotEncoder", "ai.onnx.ml.TreeEnsemble",
		"ai.onnx.ml.SVMClassifier", "ai.onnx.ml.SVMRegressor", "ai.onnx.ml.TreeEnsembleClassifier", "ai.onnx.ml.TreeEnsembleRegressor", "ai.onnx.ml.ZipMap"},
	"mixes all positions of the stacked matrices": {"com.microsoft.Inverse"},
	"bits are not channels' contents":             {"BitCast", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"},
}

// Every operator that Pare knows has a rule, or a waiver that says why not; the
// operators of training (domain pare) are never in a network that is cut.
func TestEveryOperator(t *testing.T) {
	waived := map[string]string{}
	for why, ops := range waivers {
		for _, o := range ops {
			if waived[o] != "" {
				t.Errorf("%s is waived twice", o)
			}
			if op.Lookup(domainOf(o)) == nil {
				t.Errorf("%s is waived and not known", o)
			}
			waived[o] = why
		}
	}
	for _, d := range []string{"", op.ContribDomain, op.LearnedDomain} {
		for _, name := range op.Names(d) {
			o := opName(d, name)
			switch rule := Lookup(d, name); {
			case rule == nil && waived[o] == "":
				t.Errorf("%s has neither a rule nor a waiver", o)
			case rule != nil && waived[o] != "":
				t.Errorf("%s has a rule and is waived: %s", o, waived[o])
			}
		}
	}
	for k, rule := range rules {
		if op.Lookup(k.domain, k.op) == nil {
			t.Errorf("%s has a rule and is not known", opName(k.domain, k.op))
		}
		if k.domain == graph.Pare {
			t.Errorf("%s has a rule and is never in a network that is cut", opName(k.domain, k.op))
		}
		if rule.Domain != k.domain || rule.Op != k.op {
			t.Errorf("the rule of %s is said to be that of %s", opName(k.domain, k.op), opName(rule.Domain, rule.Op))
		}
	}
}

// domainOf takes an operator's name as opName writes it apart.
func domainOf(o string) (domain, name string) {
	i := strings.LastIndexByte(o, '.')
	if i < 0 {
		return "", o
	}
	return o[:i], o[i+1:]
}

// What is no rule, or a second one, is refused.
func TestRegister(t *testing.T) {
	tie := func(*Relation, *graph.Node) {}
	for what, r := range map[string]Rule{
		"no name":             {Tie: tie},
		"no Tie":              {Domain: "example.com", Op: "Untied"},
		"twice":               {Op: "Relu", Tie: tie},
		"twice, another name": {Domain: "ai.onnx", Op: "Relu", Tie: tie},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", what)
				}
			}()
			Register(r)
		}()
	}
}
