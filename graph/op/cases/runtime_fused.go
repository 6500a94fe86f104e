package cases

import "pare/tensor"

// fusedNodes are what the optimiser of ONNX Runtime makes of several nodes, but for
// attentions.
func fusedNodes() []Runtime {
	ids := int32s([]int32{0, 3, 2, 1, 1, 4}, 2, 3)
	segments := int32s([]int32{0, 0, 1, 1, 0, 0}, 2, 3)
	mask := int32s([]int32{1, 1, 0, 1, 1, 1}, 2, 3)
	var out []Runtime
	for _, op := range []string{"Gelu", "QuickGelu", "FastGelu"} {
		out = append(out, Runtime{Op: op, In: in{f32(2, 3, 4)}})
	}
	for _, t := range []struct {
		a, b  []int
		attrs []any
	}{
		{[]int{3, 2, 4}, []int{4, 5}, []any{"alpha", .5}},
		{[]int{2, 4, 3}, []int{2, 4, 5}, []any{"transA", 1}},
		{[]int{3, 2, 4}, []int{2, 5, 4}, []any{"transBatchA", 1, "transB", 1}},
		{[]int{3, 2, 4}, []int{4, 2, 5}, []any{"transBatchA", 1, "transBatchB", 1}},
		{[]int{4, 2, 3}, []int{2, 4, 5}, []any{"transBatchA", 1, "transA", 1}},
	} {
		out = append(out, Runtime{Op: "FusedMatMul", In: in{f32(t.a...), f32(t.b...)}, Attrs: as(t.attrs...)})
	}
	embed := in{ids, segments, f32(5, 4), f32(6, 4), f32(2, 4), f32(4), f32(4)}
	tables := []int{2, 3, 4, 5, 6}
	return append(out,
		Runtime{Op: "FusedConv", In: in{f32(2, 3, 5, 5), f32(4, 3, 3, 3), f32(4)}, Attrs: as("activation", "Relu", "pads", []int{1, 1, 1, 1}), Const: []int{1, 2}},
		Runtime{Op: "FusedConv", In: in{f32(2, 3, 5, 5), f32(4, 3, 3, 3), f32(4), f32(2, 4, 5, 5)}, Attrs: as("activation", "LeakyRelu", "activation_params", []float32{.1}, "pads", []int{1, 1, 1, 1}), Const: []int{1, 2}},
		Runtime{Op: "FusedGemm", In: in{f32(3, 5), f32(4, 5), f32(4)}, Attrs: as("activation", "Relu", "transB", 1, "alpha", .5), Const: []int{1, 2}},
		Runtime{Op: "BiasGelu", In: in{f32(2, 3, 4), f32(4)}, Const: []int{1}, Free: []Free{{0, 0, "batch"}, {0, 1, "length"}}},
		Runtime{Op: "SkipLayerNormalization", In: in{f32(2, 3, 4), f32(3, 4), f32(4), f32(4), f32(4)}, Outs: []int{0, 3}, Const: []int{2, 3, 4}},
		Runtime{Op: "SkipLayerNormalization", In: in{f32(2, 3, 4), f32(1, 3, 4), f32(4)}, Attrs: as("epsilon", .1), Const: []int{2}},
		Runtime{Op: "SkipSimplifiedLayerNormalization", In: in{f32(2, 3, 4), f32(2, 3, 4), f32(4)}, Outs: []int{0, 3}, Const: []int{2}},
		Runtime{Op: "EmbedLayerNormalization", In: embed, Const: tables, Outs: []int{0, 1}, Free: []Free{{0, 0, "batch"}, {0, 1, "length"}, {1, 0, "batch"}, {1, 1, "length"}}},
		Runtime{Op: "EmbedLayerNormalization", In: append(append(in{}, embed...), mask), Const: tables, Outs: []int{0, 1, 2}},
		Runtime{Op: "EmbedLayerNormalization", In: in{ids, nil, f32(5, 4), f32(6, 4), nil, f32(4), f32(4), nil, int32s([]int32{5, 0, 2}, 1, 3)},
			Attrs: as("epsilon", .01), Const: []int{2, 3, 5, 6}, Outs: []int{0, 1}},
		Runtime{Op: "FusedMatMulActivation", In: in{f32(2, 3), f32(3, 4)}, Attrs: as("activation", "LeakyRelu", "activation_alpha", .25, "alpha", 2.), Alone: "DirectML"},
		Runtime{Op: "BiasSplitGelu", In: in{f32(2, 3, 8), f32(8)}, Alone: "CUDA"},
		Runtime{Op: "BiasAdd", In: in{f32(2, 3, 4), f32(4), f32(2, 3, 4)}, Alone: "CUDA"},
		Runtime{Op: "BiasDropout", In: in{f32(2, 3), f32(3), f32(2, 3), single(.5), bools1(false)}, Const: []int{3, 4}, Alone: "CUDA"},
		Runtime{Op: "GemmFastGelu", In: in{f32(2, 3), f32(3, 4), f32(4)}, Alone: "ROCm"},
		Runtime{Op: "SwiGLU", In: in{f32(2, 3), f32(2, 3)}, Attrs: as("activation_alpha", 1.7, "activation_beta", 1., "limit", 1.), Opset: 12, Alone: "CUDA"},
		Runtime{Op: "SwiGLU", In: in{f32(2, 6)}, Alone: "CUDA"},
		Runtime{Op: "Trilu", In: in{f32(3, 4)}, Attrs: as("upper", 0), Opset: 14},
		Runtime{Op: "Range", In: in{single(1), single(5), single(.75)}, Const: []int{0, 1, 2}},
		Runtime{Op: "GatherND", In: in{f32(3, 2, 4), grid([]int64{2, 1, 0, 0}, 2, 2)}, Const: []int{1}},
		Runtime{Op: "GridSample", In: in{f32(1, 2, 3, 3), around(-1, 1, 1, 2, 2, 2)}, Attrs: as("align_corners", 1, "mode", "bilinear"), Opset: 16},
		Runtime{Op: "Unique", In: in{is(tensor.Vector[float32](2, 1, 1, 3, 4, 3))}, Outs: []int{0, 1, 2}},
		Runtime{Op: "Pad", In: in{f32(2, 3), grid([]int64{0, 1, 1, 0}, 4), single(2.5)}, Const: []int{1, 2}},
		Runtime{Op: "ExpandDims", In: in{f32(2, 3), is(tensor.Scalar(int32(1)))}, Const: []int{1}},
		Runtime{Op: "CDist", In: in{f32(3, 4), f32(2, 4)}, Attrs: as("metric", "euclidean")},
		Runtime{Op: "CDist", In: in{f32(3, 4), f32(2, 4)}, Attrs: as("metric", "sqeuclidean")},
		Runtime{Op: "TorchEmbedding", In: in{f32(5, 3), grid([]int64{4, 0, 2}, 3)}, Const: []int{0}, Alone: "training"},
		Runtime{Op: "Inverse", In: in{f32(2, 3, 3)}, Whole: true},
	)
}

func bools1(v bool) Input { return is(tensor.Scalar(v)) }
