package cases

import "pare/tensor"

// quantisedNodes are operators on integers of 8 bits.
func quantisedNodes() []Runtime {
	u := func(shape ...int) Input { return whole8(0, 255, shape...) }
	s := func(shape ...int) Input { return whole8(-128, 127, shape...) }
	scale := single
	var out []Runtime
	for _, op := range []string{"QLinearAdd", "QLinearMul"} {
		out = append(out,
			Runtime{Op: op, In: in{u(2, 3), scale(.02), byteOf(120), u(3), scale(.03), byteOf(100), scale(.05), byteOf(128)}, Const: []int{1, 2, 4, 5, 6, 7}},
			Runtime{Op: op, In: in{s(2, 3), scale(.02), charOf(-3), s(2, 3), scale(.03), charOf(4), scale(.05), charOf(1)}, Const: []int{1, 2, 4, 5, 6, 7}})
	}
	four := []int{1, 2, 3, 4}
	one := func(op string, x Input, attrs ...any) {
		out = append(out, Runtime{Op: op, In: in{x, scale(.03), byteOf(110), scale(.01), byteOf(20)}, Attrs: as(attrs...), Const: four})
	}
	one("QLinearSigmoid", u(2, 9))
	one("QLinearLeakyRelu", u(2, 9), "alpha", .2)
	one("QLinearSoftmax", u(2, 9), "opset", 13)
	one("QLinearGlobalAveragePool", u(1, 3, 4, 5))
	one("QLinearGlobalAveragePool", u(1, 4, 5, 3), "channels_last", 1)
	one("QLinearAveragePool", u(1, 3, 5, 5), "kernel_shape", []int{3, 3}, "pads", []int{1, 1, 1, 1}, "strides", []int{2, 2})
	one("QLinearAveragePool", u(1, 5, 5, 3), "kernel_shape", []int{2, 2}, "channels_last", 1)
	out = append(out, Runtime{Op: "QLinearReduceMean", In: in{u(2, 3, 4), scale(.03), byteOf(110), scale(.01), byteOf(120)}, Const: four,
		Attrs: as("axes", []int{2}, "keepdims", 0), Alone: "no execution provider"})
	return append(out,
		Runtime{Op: "QLinearConcat", In: in{scale(.05), byteOf(128), u(2, 3), scale(.02), byteOf(120), u(2, 2), scale(.04), byteOf(10)}, Attrs: as("axis", 1),
			Const: []int{0, 1, 3, 4, 6, 7}},
		Runtime{Op: "QLinearWhere", In: in{truth([]bool{true, false, true}, 3), u(2, 3), scale(.02), byteOf(120), u(2, 3), scale(.04), byteOf(10), scale(.05), byteOf(128)},
			Const: []int{2, 3, 5, 6, 7, 8}},
		Runtime{Op: "QLinearConv", In: in{u(1, 2, 4, 4), scale(.02), byteOf(120), s(3, 2, 3, 3), is(tensor.Vector[float32](.01, .02, .03)), is(tensor.Vector[int8](0, 0, 0)),
			scale(.2), byteOf(128), int32s([]int32{5, -700, 90}, 3)}, Attrs: as("pads", []int{1, 1, 1, 1}), Const: []int{1, 2, 3, 4, 5, 6, 7, 8}, Alone: "channels that come first"},
		Runtime{Op: "QLinearConv", In: in{u(1, 4, 4, 2), scale(.02), byteOf(120), s(3, 2, 3, 3), scale(.01), charOf(0), scale(.2), byteOf(128)},
			Attrs: as("channels_last", 1, "strides", []int{2, 2}), Const: []int{1, 2, 3, 4, 5, 6, 7}},
		Runtime{Op: "QGemm", In: in{u(2, 4), scale(.02), byteOf(120), s(3, 4), is(tensor.Vector[float32](.01, .02, .03)), is(tensor.Vector[int8](1, 2, 3)),
			int32s([]int32{50, -70, 900}, 3), scale(.1), byteOf(128)}, Attrs: as("transB", 1), Const: []int{1, 2, 3, 4, 5, 6, 7, 8}},
		Runtime{Op: "QGemm", In: in{u(2, 4), scale(.02), byteOf(120), s(4, 3), scale(.01), charOf(-1)}, Attrs: as("alpha", .5), Const: []int{1, 2, 3, 4, 5}},
		Runtime{Op: "DynamicQuantizeMatMul", In: in{f32(2, 3, 4), s(4, 5), scale(.02), charOf(3), f32(5)}, Const: []int{1, 2, 3, 4}},
		Runtime{Op: "DynamicQuantizeMatMul", In: in{f32(3, 4), u(4, 2), is(tensor.Vector[float32](.01, .02))}, Const: []int{1, 2}},
		Runtime{Op: "MatMulIntegerToFloat", In: in{u(3, 4), s(4, 2), scale(.02), is(tensor.Vector[float32](.01, .02)), byteOf(100), is(tensor.Vector[int8](1, -1)), f32(2)},
			Const: []int{1, 2, 3, 4, 5, 6}},
		Runtime{Op: "MatMulIntegerToFloat", In: in{u(3, 4), u(4, 2), scale(.02), scale(.01), nil, byteOf(7)}, Const: []int{1, 2, 3, 5}},
		Runtime{Op: "QuantizeLinear", In: in{f32(3, 4), scale(.02), byteOf(100)}, Const: []int{1, 2}},
		Runtime{Op: "DequantizeLinear", In: in{u(3, 4), is(tensor.Vector[float32](.02, .01, .03)), is(tensor.Vector[uint8](100, 5, 9))}, Attrs: as("axis", 0), Const: []int{1, 2}, Opset: 13},
		Runtime{Op: "QAttention", In: in{u(2, 3, 6), s(6, 24), f32(24), scale(.02), scale(.01), int32s([]int32{2, 3}, 2), byteOf(120), charOf(0)},
			Attrs: as("num_heads", 2), Const: []int{1, 2, 3, 4, 6, 7}},
		Runtime{Op: "QAttention", In: in{u(1, 3, 6), u(6, 24), f32(24), scale(.02), around(.01, .02, 24), nil, byteOf(120), whole8(100, 130, 24), f32(2, 1, 2, 2, 4)},
			Attrs: as("num_heads", 2, "unidirectional", 1), Const: []int{1, 2, 3, 4, 6, 7}, Outs: []int{0, 1}},
	)
}

// nbitsNodes have weights of 4 and 8 bits, in blocks.
func nbitsNodes() []Runtime {
	bytes := func(shape ...int) Input { return whole8(0, 255, shape...) }
	var out []Runtime
	add := func(op string, attrs []any, ins ...Input) {
		out = append(out, Runtime{Op: op, In: ins, Attrs: as(attrs...), Const: []int{1, 2, 3, 4, 5}, Whole: true})
	}
	add("MatMulNBits", []any{"K", 32, "N", 5, "bits", 4, "block_size", 16}, f32(2, 3, 32), bytes(5, 2, 8), around(.01, .1, 5, 2))
	add("MatMulNBits", []any{"K", 40, "N", 5, "bits", 4, "block_size", 16}, f32(2, 40), bytes(5, 3, 8), around(.01, .1, 15), bytes(10))
	add("MatMulNBits", []any{"K", 32, "N", 4, "bits", 4, "block_size", 32}, f32(2, 32), bytes(4, 1, 16), around(.01, .1, 4, 1), nil, nil, f32(4))
	add("MatMulNBits", []any{"K", 32, "N", 4, "bits", 8, "block_size", 16}, f32(2, 32), bytes(4, 2, 16), around(.01, .1, 8), bytes(4, 2))
	add("MatMulNBits", []any{"K", 32, "N", 4, "bits", 4, "block_size", 16}, f32(2, 32), bytes(4, 2, 8), around(.01, .1, 4, 2), around(0, 15, 4, 2))
	gather := func(attrs []any, ins ...Input) {
		out = append(out, Runtime{Op: "GatherBlockQuantized", In: ins, Attrs: as(attrs...), Const: []int{0, 2, 3}, Whole: true})
	}
	at := grid([]int64{4, 0, 2, 1, 1, 3}, 2, 3)
	gather([]any{"bits", 4, "block_size", 16, "quantize_axis", 1}, bytes(5, 16), at, around(.01, .1, 5, 2), bytes(5, 1))
	gather([]any{"bits", 8, "block_size", 16, "quantize_axis", 1}, bytes(5, 32), at, around(.01, .1, 5, 2))
	return out
}

// imageNodes are of channels that come last.
func imageNodes() []Runtime {
	return []Runtime{
		{Op: "NhwcMaxPool", In: in{whole8(0, 255, 1, 4, 5, 3)}, Attrs: as("kernel_shape", []int{2, 2}, "strides", []int{2, 1})},
		{Op: "NhwcConv", In: in{f32(1, 4, 5, 2), f32(3, 2, 3, 3), f32(3)}, Attrs: as("pads", []int{1, 1, 1, 1}), Alone: "CUDA"},
		{Op: "NhwcFusedConv", In: in{f32(1, 4, 5, 2), f32(3, 2, 1, 1), f32(3), f32(1, 4, 5, 3)}, Attrs: as("activation", "Relu"), Alone: "ARM"},
		{Op: "GroupNorm", In: in{f32(2, 3, 2, 4), f32(4), f32(4)}, Attrs: as("groups", 2, "activation", 1), Alone: "CUDA"},
		{Op: "SkipGroupNorm", In: in{f32(2, 3, 2, 4), f32(4), f32(4), f32(2, 4), f32(4)}, Attrs: as("groups", 2, "activation", 0), Outs: []int{0, 1}, Alone: "CUDA"},
	}
}
