package cases

import "pare/graph"

// adjoints are the operators that gradients are made of.
func adjoints() []Case {
	var out []Case
	of := func(op string, ins in, outs int, kv ...any) {
		out = append(out, Case{Domain: graph.Pare, Op: op, In: ins, Outs: outs, Attrs: as(kv...)})
	}
	of("SumTo", in{normal(2, 3, 4), normal(3, 1)}, 1)
	of("SumTo", in{normal(2, 3), normal()}, 1)
	of("BroadcastTo", in{normal(3, 1), normal(2, 3, 4)}, 1)
	of("BroadcastTo", in{normal(), normal(2)}, 1)
	of("ReshapeLike", in{normal(2, 6), normal(3, 4)}, 1)
	of("ReluGrad", in{normal(7), apart(7)}, 1)
	of("ClipGrad", in{normal(9), outside([]float64{-1, 1}, 9), scalar(-1), scalar(1)}, 1)
	of("GeluGrad", in{normal(9), normal(9)}, 1)
	of("ConcatGrad", in{normal(2, 5), normal(2, 2), normal(2, 3)}, 2, "axis", 1)
	of("GatherGrad", in{normal(2, 3, 2), ints(4, 1, 4), normal(2, 5, 2)}, 1, "axis", 1)
	of("GatherNDGrad", in{normal(3), grid([]int64{0, 1, 2, -1, 0, 1}, 3, 2), normal(3, 2)}, 1)
	of("SliceGrad", in{normal(2, 2), normal(5, 2), ints(1), ints(5), ints(0), ints(3)}, 1)
	of("TileGrad", in{normal(4, 3), normal(2, 3), ints(2, 1)}, 1)
	of("PadGrad", in{normal(5), normal(3), ints(1, 1)}, 1, "mode", "reflect")
	of("PadGrad", in{normal(4, 3), normal(3, 4), ints(1, -1, 0, 0)}, 1)
	of("SpaceToDepth", in{normal(2, 1, 4, 2)}, 1, "blocksize", 2, "mode", "CRD")
	window := as("kernel_shape", []int{3, 2}, "strides", []int{2, 1}, "pads", []int{1, 0, 1, 1})
	for _, op := range []string{"MaxPoolGrad", "AveragePoolGrad"} {
		out = append(out, Case{Domain: graph.Pare, Op: op, In: in{normal(1, 2, 3, 4), apart(1, 2, 5, 4)}, Attrs: window})
	}
	out = append(out, Case{Domain: graph.Pare, Op: "MaxPoolPick", In: in{normal(1, 2, 5, 4), apart(1, 2, 5, 4)}, Attrs: window})
	conv := as("strides", []int{2, 1}, "pads", []int{1, 0, 1, 1}, "group", 2)
	x, w, y := normal(1, 4, 5, 3), normal(2, 2, 3, 2), normal(1, 2, 3, 3)
	return append(out, Case{Domain: graph.Pare, Op: "ConvGradInput", In: in{y, w, x}, Attrs: conv},
		Case{Domain: graph.Pare, Op: "ConvGradWeight", In: in{x, y, w}, Attrs: conv})
}
