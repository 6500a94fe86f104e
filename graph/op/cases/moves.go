package cases

func moves() []Case {
	x := normal(2, 3, 4)
	var out []Case
	of := func(op string, opset int, ins in, outs int, kv ...any) {
		out = append(out, Case{Op: op, Opset: opset, In: ins, Outs: outs, Attrs: as(kv...)})
	}
	of("Reshape", 13, in{x, ints(0, -1)}, 1)
	of("Reshape", 13, in{x, ints(4, 1, -1)}, 1)
	of("Flatten", 13, in{x}, 1, "axis", 2)
	of("Flatten", 13, in{x}, 1, "axis", -3)
	of("Flatten", 13, in{x}, 1)
	of("Squeeze", 11, in{normal(1, 3, 1)}, 1, "axes", []int{0})
	of("Squeeze", 13, in{normal(1, 3, 1), ints(-1)}, 1)
	of("Squeeze", 13, in{normal(1, 3, 1)}, 1)
	of("Unsqueeze", 11, in{normal(3)}, 1, "axes", []int{0, 2})
	of("Unsqueeze", 13, in{normal(3), ints(-1)}, 1)
	of("Transpose", 13, in{x}, 1)
	of("Transpose", 13, in{x}, 1, "perm", []int{1, 2, 0})
	of("Transpose", 13, in{normal(2, 1, 3, 2)}, 1, "perm", []int{0, 3, 1, 2})
	of("Expand", 13, in{normal(2, 1), ints(3, 1, 5)}, 1)
	of("Expand", 13, in{normal(2, 3), ints(1, 1)}, 1)
	of("Expand", 13, in{normal(), ints(2, 3)}, 1)
	of("Concat", 13, in{normal(2, 3), normal(2, 1), normal(2, 2)}, 1, "axis", -1)
	of("Concat", 13, in{normal(2, 3), normal(1, 3)}, 1, "axis", 0)
	of("Concat", 13, in{normal(2, 3)}, 1, "axis", 1)
	of("Split", 11, in{normal(4)}, 2, "split", []int{1, 3})
	of("Split", 13, in{normal(3, 7), ints(3, 1, 3)}, 3, "axis", 1)
	of("Split", 18, in{normal(5, 2)}, 2, "num_outputs", 2, "axis", -2)
	of("Slice", 9, in{x}, 1, "starts", []int{1}, "ends", []int{9}, "axes", []int{1})
	of("Slice", 13, in{x, ints(0, -2), ints(1, 9)}, 1)
	of("Slice", 13, in{x, ints(1), ints(4), ints(-1), ints(2)}, 1)
	of("Slice", 13, in{normal(7), ints(-1), ints(-1 << 62), ints(0), ints(-2)}, 1)
	of("Slice", 13, in{normal(5), ints(4), ints(2)}, 1)
	for _, mode := range []string{"constant", "edge", "reflect", "wrap"} {
		of("Pad", 19, in{normal(3, 4), ints(1, 0, 0, 2)}, 1, "mode", mode)
		of("Pad", 19, in{normal(3, 4), ints(-1, 2, 1, -1)}, 1, "mode", mode)
		of("Pad", 19, in{normal(2, 3, 5), ints(2, 1, 1, 2), nil, ints(-1, 1)}, 1, "mode", mode)
	}
	of("Pad", 13, in{normal(3), ints(1, 2), scalar(7)}, 1)
	of("Pad", 2, in{normal(2, 3)}, 1, "pads", []int{1, 2, 0, 1}, "value", 9.)
	of("Tile", 13, in{normal(3), ints(2)}, 1)
	of("Tile", 13, in{x, ints(2, 1, 3)}, 1)
	of("Trilu", 14, in{normal(3, 5)}, 1)
	of("Trilu", 14, in{normal(2, 4, 3), whole(-1)}, 1, "upper", 0)
	of("Trilu", 14, in{normal(4, 3), whole(1)}, 1)
	for _, mode := range []string{"DCR", "CRD"} {
		of("DepthToSpace", 13, in{normal(2, 8, 1, 3)}, 1, "blocksize", 2, "mode", mode)
	}
	of("SpaceToDepth", 13, in{normal(2, 1, 6, 3)}, 1, "blocksize", 3)
	for flags := range 4 {
		for _, axis := range []int64{0, -1} {
			kv := []any{"exclusive", flags & 1, "reverse", flags >> 1}
			of("CumSum", 14, in{x, whole(axis)}, 1, kv...)
			of("CumProd", 26, in{apart(2, 3, 4), whole(axis)}, 1, kv...)
		}
		out = append(out, Case{Op: "CumProd", Opset: 26, In: in{floats(2, 3, 0, 1.5, 0, 2), whole(0)}, First: zeros,
			Attrs: as("exclusive", flags&1, "reverse", flags>>1)})
	}
	of("ReverseSequence", 13, in{normal(3, 3), ints(3, 1, 2)}, 1)
	of("ReverseSequence", 13, in{normal(2, 4, 2), ints(3, 2)}, 1, "time_axis", 1, "batch_axis", 0)
	return out
}

func indexed() []Case {
	x33 := normal(3, 3)
	var out []Case
	of := func(op string, opset int, ins in, outs int, kv ...any) {
		out = append(out, Case{Op: op, Opset: opset, In: ins, Outs: outs, Attrs: as(kv...)})
	}
	of("Gather", 13, in{x33, grid([]int64{2, -3, 2, 0}, 2, 2)}, 1)
	of("Gather", 13, in{x33, whole(1)}, 1, "axis", 1)
	of("Gather", 13, in{normal(2, 3, 4), ints(3, 3, -1, 0, 3)}, 1, "axis", -1)
	of("GatherElements", 13, in{x33, grid([]int64{1, 2, 0, 2, -3, 0}, 2, 3)}, 1)
	of("GatherElements", 13, in{normal(2, 3), grid([]int64{0, 0, -1, 1}, 2, 2)}, 1, "axis", 1)
	of("GatherND", 13, in{x33, grid([]int64{0, 1, 2, -1, 0, 1}, 3, 2)}, 1)
	of("GatherND", 13, in{normal(2, 3, 2), grid([]int64{2, 0}, 2, 1)}, 1, "batch_dims", 1)
	of("GatherND", 13, in{x33, grid([]int64{2, 2}, 2, 1)}, 1)
	rows := grid([]int64{1, 0, 1, 1}, 2, 2)
	of("ScatterElements", 11, in{normal(4), ints(1, -1), normal(2)}, 1)
	of("ScatterElements", 11, in{normal(3, 4), grid([]int64{2, 0, 0, 3}, 2, 2), normal(2, 2)}, 1, "axis", -1)
	of("Scatter", 9, in{normal(4), ints(1), normal(1)}, 1)
	of("ScatterND", 11, in{normal(2, 3), grid([]int64{1}, 1, 1), normal(1, 3)}, 1)
	of("ScatterND", 11, in{normal(2, 3), grid([]int64{1, 2, 0, 0}, 2, 2), normal(2)}, 1)
	for _, r := range []string{"add", "mul", "max", "min"} {
		of("ScatterElements", 18, in{apart(3, 2), rows, apart(2, 2)}, 1, "reduction", r)
		of("ScatterElements", 18, in{apart(2, 5), grid([]int64{3, 3, 0, 1, 4, 1}, 2, 3), apart(2, 3)}, 1, "axis", 1, "reduction", r)
		of("ScatterND", 18, in{apart(3, 2), grid([]int64{0, 2, 0}, 3, 1), apart(3, 2)}, 1, "reduction", r)
	}
	of("TopK", 13, in{apart(7), ints(3)}, 2)
	of("TopK", 13, in{apart(2, 5), ints(2)}, 1, "largest", 0)
	of("TopK", 9, in{apart(4, 3)}, 2, "k", 2, "axis", 0)
	of("Compress", 13, in{normal(2, 3), bools(false, true)}, 1, "axis", 1)
	of("Compress", 13, in{normal(2, 3), bools(true, false, false, true)}, 1)
	of("OneHot", 13, in{ints(1, -1, 5), whole(3), normal(2)}, 1)
	of("OneHot", 13, in{ints(1, 0), whole(3), normal(2)}, 1, "axis", 0)
	of("Unique", 13, in{apart(2, 2)}, 4)
	of("Unique", 13, in{apart(7)}, 1, "sorted", 0)
	of("Unique", 13, in{apart(3, 2)}, 1, "axis", 1)
	return out
}
