package cases

import (
	"math"

	"pare/tensor"
)

const ml = "ai.onnx.ml"

// learnedNodes are of ai.onnx.ml, but for trees.
func learnedNodes() []Runtime {
	nan := float32(math.NaN())
	var out []Runtime
	add := func(op string, attrs []any, ins ...Input) {
		out = append(out, Runtime{Domain: ml, Op: op, In: ins, Attrs: as(attrs...)})
	}
	whole := func(op string, attrs []any, ins ...Input) {
		add(op, attrs, ins...)
		out[len(out)-1].Whole = true
	}
	x := f32(3, 4)
	add("ArrayFeatureExtractor", nil, x, ints(2, 0))
	add("ArrayFeatureExtractor", nil, f32(4), grid([]int64{1, 3, 0}, 1, 3))
	add("Binarizer", []any{"threshold", .25}, x)
	out[len(out)-1].Flat = true
	add("FeatureVectorizer", []any{"inputdimensions", []int{4, 2}}, x, f32(3, 2))
	add("Imputer", []any{"imputed_value_floats", []float32{1, 2, 3}, "replaced_value_float", nan}, is(tensor.From([]float32{nan, 4, 5, 6, nan, nan}, 2, 3)))
	add("Imputer", []any{"imputed_value_floats", []float32{9}, "replaced_value_float", float32(4)}, is(tensor.From([]float32{1, 4, 5, 6, 4, 0}, 2, 3)))
	add("Imputer", []any{"imputed_value_int64s", []int{7}, "replaced_value_int64", 4}, grid([]int64{1, 4, 5, 6, 4, 0}, 2, 3))
	for _, norm := range []string{"MAX", "L1", "L2"} {
		add("Normalizer", []any{"norm", norm}, is(tensor.From([]float32{1, -4, 5, 0, 0, 0, -2, .5, 3}, 3, 3)))
	}
	add("Scaler", []any{"offset", []float32{1, 2, 3, 4}, "scale", []float32{.5, 2, 1, 3}}, x)
	add("Scaler", []any{"offset", []float32{1}, "scale", []float32{.5}}, grid([]int64{1, 4, 5, 6, 4, 0}, 2, 3))
	w := []float32{.1, -.2, .3, .5, .7, .2, -.6, .4, -.3, .8, .2, -.1}
	add("LinearRegressor", []any{"targets", 3, "coefficients", w, "intercepts", []float32{1, -2, .5}}, x)
	add("LinearRegressor", []any{"targets", 3, "coefficients", w, "post_transform", "LOGISTIC"}, x)
	add("LinearRegressor", []any{"coefficients", w[:4]}, x)
	both := []int{0, 1}
	for _, after := range []string{"NONE", "SOFTMAX", "LOGISTIC"} {
		add("LinearClassifier", []any{"coefficients", w, "intercepts", []float32{1, -2, .5}, "classlabels_ints", []int{7, 3, 5}, "post_transform", after}, x)
		out[len(out)-1].Outs, out[len(out)-1].Flat = both, true
	}
	for _, after := range []string{"NONE", "LOGISTIC"} {
		add("LinearClassifier", []any{"coefficients", w[:4], "intercepts", []float32{.1}, "classlabels_ints", []int{7, 3}, "post_transform", after}, x)
		out[len(out)-1].Outs, out[len(out)-1].Flat = both, true
	}
	whole("LabelEncoder", []any{"keys_int64s", []int{1, 2, 2}, "values_floats", []float32{.5, 7, 9}, "default_float", float32(-3)}, grid([]int64{2, 1, 5, 2}, 2, 2))
	whole("LabelEncoder", []any{"keys_floats", []float32{1, nan}, "values_int64s", []int{4, 5}}, is(tensor.Vector(nan, 1, 2)))
	out[len(out)-1].Version = 4
	whole("LabelEncoder", []any{"keys_tensor", tensor.Vector[int64](3, 4), "values_tensor", tensor.Vector(.5, 1.5), "default_tensor", tensor.Vector(9.)}, ints(4, 3, 2))
	out[len(out)-1].Version = 4
	whole("OneHotEncoder", []any{"cats_int64s", []int{4, 2, 7}}, grid([]int64{2, 4, 5, 7}, 2, 2))
	whole("OneHotEncoder", []any{"cats_int64s", []int{4, 2}}, is(tensor.Vector[float32](2.7, 4, 9)))
	out[len(out)-1].Flat = true
	return out
}

// treeNodes are ensembles of decision trees: two trees, of two splits and of one.
func treeNodes() []Runtime {
	nodes := func(modes ...string) []any {
		return []any{"nodes_treeids", []int{0, 0, 0, 0, 0, 1, 1, 1}, "nodes_nodeids", []int{0, 1, 2, 3, 4, 0, 1, 2}, "nodes_featureids", []int{0, 2, 0, 0, 0, 1, 0, 0},
			"nodes_values", []float32{.1, -.2, 0, 0, 0, .3, 0, 0}, "nodes_truenodeids", []int{1, 3, 0, 0, 0, 1, 0, 0}, "nodes_falsenodeids", []int{2, 4, 0, 0, 0, 2, 0, 0},
			"nodes_missing_value_tracks_true", []int{1, 0, 0, 0, 0, 0, 0, 0},
			"nodes_modes", []string{modes[0], modes[1], "LEAF", "LEAF", "LEAF", modes[2], "LEAF", "LEAF"}}
	}
	votes := func(kind string, ids []int, weights ...float32) []any {
		return []any{kind + "_treeids", []int{0, 0, 0, 1, 1}, kind + "_nodeids", []int{2, 3, 4, 1, 2}, kind + "_ids", ids, kind + "_weights", weights}
	}
	x := func() Input { return f32(6, 3) }
	nan := float32(math.NaN())
	holes := is(tensor.From([]float32{nan, 0, -1, .5, nan, 0, 0, 0, nan, -1, 1, 1}, 4, 3))
	var out []Runtime
	add := func(op string, outs []int, in Input, parts ...[]any) {
		var attrs []any
		for _, p := range parts {
			attrs = append(attrs, p...)
		}
		out = append(out, Runtime{Domain: ml, Op: op, In: []Input{in}, Attrs: as(attrs...), Outs: outs, Whole: true, Flat: true})
	}
	leq, both := nodes("BRANCH_LEQ", "BRANCH_LEQ", "BRANCH_LEQ"), []int{0, 1}
	mixed := nodes("BRANCH_GT", "BRANCH_LT", "BRANCH_GTE")
	one := votes("target", []int{0, 0, 0, 0, 0}, .5, -1, 2, .25, 3)
	add("TreeEnsembleRegressor", nil, x(), leq, one, []any{"n_targets", 1})
	add("TreeEnsembleRegressor", nil, holes, leq, one, []any{"n_targets", 1})
	for _, how := range []string{"SUM", "AVERAGE", "MIN", "MAX"} {
		add("TreeEnsembleRegressor", nil, x(), mixed, votes("target", []int{0, 1, 0, 1, 0}, .5, -1, 2, .25, 3), []any{"n_targets", 2, "aggregate_function", how, "base_values", []float32{1, -2}})
	}
	three := []any{"classlabels_int64s", []int{7, 3, 5}}
	for _, after := range []string{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"} {
		add("TreeEnsembleClassifier", both, x(), leq, votes("class", []int{0, 1, 2, 0, 2}, .5, .3, .2, .25, .6), three, []any{"post_transform", after})
	}
	add("TreeEnsembleClassifier", both, x(), mixed, votes("class", []int{0, 1, 2, 0, 2}, .5, .3, .2, .25, .6), three, []any{"base_values", []float32{.1, .4, .2}})
	two := []any{"classlabels_int64s", []int{0, 1}}
	add("TreeEnsembleClassifier", both, x(), leq, votes("class", []int{1, 1, 1, 1, 1}, .25, .3, .2, .25, .6), two)
	add("TreeEnsembleClassifier", both, x(), leq, votes("class", []int{0, 0, 0, 0, 0}, .5, -.3, .2, -.25, .6), two)
	add("TreeEnsembleClassifier", both, x(), leq, votes("class", []int{0, 0, 0, 0, 0}, .5, -.3, .2, -.25, .6), two, []any{"post_transform", "LOGISTIC", "base_values", []float32{.2}})
	ones := votes("class", []int{1, 1, 1, 1, 1}, .25, -.3, .2, .25, .6)
	zeros := votes("class", []int{0, 0, 0, 0, 0}, .25, .3, .2, .25, .6)
	add("TreeEnsembleClassifier", both, x(), leq, ones, two, []any{"post_transform", "LOGISTIC"})
	add("TreeEnsembleClassifier", both, x(), leq, zeros, two, []any{"post_transform", "SOFTMAX"})
	out = append(out, Runtime{Domain: ml, Op: "TreeEnsemble", Version: 5, In: []Input{x()}, Whole: true, Flat: true, Attrs: as("n_targets", 2, "tree_roots", []int{0, 2},
		"nodes_modes", tensor.Vector[uint8](0, 6, 1), "nodes_splits", tensor.Vector[float32](.1, 0, .3), "membership_values", tensor.Vector[float32](1, 2, nan),
		"nodes_featureids", []int{0, 2, 1}, "nodes_truenodeids", []int{1, 0, 3}, "nodes_trueleafs", []int{0, 1, 1}, "nodes_falsenodeids", []int{2, 1, 4}, "nodes_falseleafs", []int{1, 1, 1},
		"leaf_targetids", []int{0, 1, 0, 1, 0}, "leaf_weights", tensor.Vector[float32](.5, -1, 2, .25, 3))})
	return out
}

// vectorNodes are support vector machines: of three classes, of two, and of numbers; by
// each kernel, with probabilities, and without vectors.
func vectorNodes() []Runtime {
	numbers := func(n int, by float32) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = by * (float32(i*7%11) - 5)
		}
		return x
	}
	var out []Runtime
	add := func(op string, attrs ...any) {
		r := Runtime{Domain: ml, Op: op, Version: 1, In: []Input{f32(5, 3)}, Whole: true, Flat: true, Attrs: as(attrs...)}
		if op == "SVMClassifier" {
			r.Outs = []int{0, 1}
		}
		out = append(out, r)
	}
	three := []any{"support_vectors", numbers(15, .3), "vectors_per_class", []int{2, 1, 2}, "coefficients", numbers(10, .2), "rho", []float32{.3, -.2, .1}, "classlabels_ints", []int{7, 3, 5}}
	two := []any{"support_vectors", numbers(9, .3), "vectors_per_class", []int{2, 1}, "coefficients", numbers(3, .2), "rho", []float32{.15}, "classlabels_ints", []int{4, 2}}
	with := func(base []any, more ...any) []any { return append(append([]any{}, base...), more...) }
	params := []float32{.4, .3, 3}
	for _, k := range []string{"LINEAR", "POLY", "RBF", "SIGMOID"} {
		add("SVMClassifier", with(three, "kernel_type", k, "kernel_params", params)...)
		add("SVMRegressor", "kernel_type", k, "kernel_params", params, "n_supports", 3, "support_vectors", numbers(9, .3), "coefficients", numbers(3, .2), "rho", []float32{.7})
	}
	rbf := []any{"kernel_type", "RBF", "kernel_params", params}
	add("SVMClassifier", with(with(three, rbf...), "post_transform", "SOFTMAX")...)
	add("SVMClassifier", with(with(three, rbf...), "prob_a", []float32{-1.5, -.7, -2}, "prob_b", []float32{.2, -.1, 0})...)
	for _, after := range []string{"NONE", "LOGISTIC"} {
		add("SVMClassifier", with(with(two, rbf...), "post_transform", after)...)
	}
	add("SVMClassifier", with(with(two, rbf...), "prob_a", []float32{-1.5}, "prob_b", []float32{.2})...)
	add("SVMClassifier", "kernel_params", params, "coefficients", numbers(9, .2), "rho", []float32{.3}, "classlabels_ints", []int{1, 2, 3})
	add("SVMClassifier", "kernel_params", params, "coefficients", numbers(6, .2), "rho", []float32{.3}, "classlabels_ints", []int{1, 2})
	add("SVMRegressor", "kernel_params", params, "coefficients", numbers(3, .2), "rho", []float32{.3}, "n_supports", 0)
	add("SVMRegressor", "kernel_params", params, "coefficients", numbers(3, .2), "rho", []float32{.3}, "n_supports", 0, "one_class", 1)
	return out
}
