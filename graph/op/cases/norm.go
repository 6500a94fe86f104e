package cases

import "pare/graph"

func norms() []Case {
	positive := func(n int) Input { return between(.5, 2, n) }
	stats := func(x []int, attrs ...graph.Attr) Case {
		return Case{Op: "BatchNormalization", Attrs: attrs, In: in{normal(x...), normal(x[1]), normal(x[1]), normal(x[1]), positive(x[1])}}
	}
	train := stats([]int{4, 3, 3}, as("training_mode", 1)...)
	train.Outs = 3
	frozen := stats([]int{3, 2, 3, 3})
	frozen.Fixed = []int{3, 4}
	return []Case{
		frozen, stats([]int{3, 2, 3, 3}), stats([]int{5, 3}, as("epsilon", .1)...), stats([]int{2, 3, 5}), stats([]int{1, 2, 2, 3, 2}),
		train, stats([]int{3, 2, 3, 2}, as("training_mode", 1, "epsilon", .01, "momentum", .7)...),
		{Domain: graph.Pare, Op: "BatchNormTrain", Outs: 4, In: in{normal(3, 2, 2, 3), normal(2), normal(2)}},
		{Domain: graph.Pare, Op: "BatchNormTrain", Outs: 4, In: in{normal(7, 3), normal(3), normal(3)}, Attrs: as("epsilon", .1)},
		{Domain: graph.Pare, Op: "BatchNormGrad", Outs: 3, In: in{normal(3, 2, 3), normal(3, 2, 3), normal(2), normal(2), positive(2)}},
		{Op: "LayerNormalization", In: in{normal(2, 3, 5), normal(5), normal(5)}},
		{Op: "LayerNormalization", In: in{normal(2, 3, 4), normal(3, 4), normal(3, 4)}, Attrs: as("axis", 1, "epsilon", .1)},
		{Op: "LayerNormalization", In: in{normal(3, 7), normal(7)}, Attrs: as("axis", -1)},
		{Op: "LayerNormalization", Outs: 3, In: in{normal(2, 3, 4), normal(4), normal(4)}},
		{Op: "LayerNormalization", In: in{normal(2, 3, 4), normal(4), normal(1)}, Attrs: as("axis", 1)},
		{Domain: graph.Pare, Op: "LayerNormGrad", Outs: 3, In: in{normal(2, 5), normal(2, 5), normal(5)}},
		{Domain: graph.Pare, Op: "LayerNormGrad", Outs: 3, In: in{normal(3, 2, 2), normal(3, 2, 2), normal(2, 2)}, Attrs: as("axis", 1, "epsilon", .1)},
	}
}

func softmaxes() []Case {
	var out []Case
	for _, op := range []string{"Softmax", "LogSoftmax"} {
		for axis := -3; axis < 3; axis++ {
			for _, opset := range []int{11, 13} {
				out = append(out, Case{Op: op, Opset: opset, In: in{normal(2, 3, 4)}, Attrs: as("axis", axis)})
			}
		}
		out = append(out, Case{Op: op, In: in{normal(2, 5)}}, Case{Op: op, Opset: 11, In: in{normal(2, 3, 2)}}, Case{Op: op, In: in{between(-60, 60, 7)}})
	}
	return append(out, Case{Domain: graph.Pare, Op: "SoftmaxGrad", In: in{normal(2, 3, 2), normal(2, 3, 2)}, Attrs: as("axes", []int{1, 2})},
		Case{Domain: graph.Pare, Op: "SoftmaxGrad", In: in{normal(2, 3, 2), normal(2, 3, 2)}, Attrs: as("axes", []int{1})})
}

// otherNorms are the normalisations that are not of batches or layers.
func otherNorms() []Case {
	x := normal(2, 4, 3, 2)
	out := []Case{
		{Op: "InstanceNormalization", In: in{x, normal(4), normal(4)}, Attrs: as("epsilon", .1)},
		{Op: "InstanceNormalization", In: in{normal(3, 2, 5), normal(2), normal(2)}},
		{Op: "InstanceNormalization", Opset: 13, In: in{x, normal(4), normal(4)}},
		{Op: "GroupNormalization", Opset: 18, In: in{x, normal(2), normal(2)}, Attrs: as("num_groups", 2)},
		{Op: "GroupNormalization", Opset: 21, In: in{x, normal(4), normal(4)}, Attrs: as("num_groups", 2)},
		{Op: "GroupNormalization", Opset: 21, In: in{normal(2, 6, 5), normal(6), normal(6)}, Attrs: as("num_groups", 3, "epsilon", .01)},
		{Op: "RMSNormalization", Opset: 23, In: in{normal(2, 3, 5), normal(5)}},
		{Op: "RMSNormalization", Opset: 23, In: in{normal(2, 3, 4), normal(3, 4)}, Attrs: as("axis", 1, "epsilon", .1)},
		{Op: "RMSNormalization", Opset: 23, In: in{normal(2, 3, 4), normal(4)}, Attrs: as("axis", -2)},
		{Op: "MeanVarianceNormalization", In: in{x}},
		{Op: "MeanVarianceNormalization", In: in{normal(2, 3, 5)}, Attrs: as("axes", []int{0, -1})},
	}
	for p := 1; p <= 2; p++ {
		for axis := -1; axis < 2; axis++ {
			out = append(out, Case{Op: "LpNormalization", In: in{apart(2, 3, 2)}, Attrs: as("p", p, "axis", axis)})
		}
	}
	for _, size := range []int{1, 2, 3, 5} {
		out = append(out, Case{Op: "LRN", In: in{x}, Attrs: as("size", size, "alpha", .5, "beta", .6, "bias", 2.)})
	}
	return append(out, Case{Op: "LRN", Opset: 13, In: in{normal(1, 5, 2)}, Attrs: as("size", 3)})
}
