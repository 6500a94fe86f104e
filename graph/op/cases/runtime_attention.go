package cases

// attentionNodes are attentions of BERT, GPT-2, Whisper and their like, two heads of 4
// unless it is said otherwise.
func attentionNodes() []Runtime {
	two := func(kv ...any) []any { return append([]any{"num_heads", 2}, kv...) }
	keep := int32s([]int32{1, 1, 0, 1, 1, 1}, 2, 3)
	keep5 := int32s([]int32{0, 1, 1, 1, 1, 1, 1, 1, 1, 0}, 2, 5)
	square := int32s([]int32{1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1}, 2, 3, 3)
	var out []Runtime
	packed := func(attrs []any, outs []int, more ...Input) {
		out = append(out, Runtime{Op: "Attention", In: append(in{f32(2, 3, 6), f32(6, 24), f32(24)}, more...), Attrs: as(attrs...), Const: []int{1, 2}, Outs: outs})
	}
	packed(two(), nil, keep)
	packed(two("unidirectional", 1), nil)
	packed(two("unidirectional", 1, "scale", .3), nil, keep)
	packed(two("mask_filter_value", -5.), nil, int32s([]int32{2, 3}, 2))
	packed(two(), nil, int32s([]int32{3, 2, 1, 0}, 4))
	packed(two(), nil, square)
	packed(two(), nil, nil, nil, f32(1, 2, 3, 3))
	packed(two("unidirectional", 1), []int{0, 1}, keep5, f32(2, 2, 2, 2, 4))
	packed(two("unidirectional", 1), []int{0, 1}, nil, nil, f32(2, 2, 3, 3))
	out = append(out,
		Runtime{Op: "Attention", In: in{f32(2, 3, 6), f32(6, 20), f32(20)}, Attrs: as(two("qkv_hidden_sizes", []int{8, 8, 4})...), Const: []int{1, 2}},
		Runtime{Op: "Attention", In: in{f32(2, 3, 6), f32(6, 24), f32(24), keep}, Attrs: as(two()...), Const: []int{1, 2},
			Free: []Free{{0, 0, "batch"}, {0, 1, "length"}, {3, 0, "batch"}, {3, 1, "length"}}},
		Runtime{Op: "Attention", In: in{f32(1, 3, 6), f32(6, 24), f32(24), nil, f32(2, 1, 2, 2, 4)}, Attrs: as(two("unidirectional", 1)...), Const: []int{1, 2},
			Outs: []int{0, 1}, Free: []Free{{0, 0, "batch"}, {0, 1, "length"}, {4, 1, "batch"}, {4, 3, "past"}}},
	)
	many := func(attrs []any, outs []int, ins ...Input) {
		out = append(out, Runtime{Op: "MultiHeadAttention", In: ins, Attrs: as(attrs...), Outs: outs})
	}
	q, k5 := f32(2, 3, 8), f32(2, 5, 8)
	many(two(), nil, q, k5, k5, f32(24))
	many(two(), nil, q, k5, f32(2, 5, 12), f32(28), keep5)
	many(two(), nil, q, k5, k5, nil, int32s([]int32{2, 5}, 2))
	many(two(), nil, q, k5, k5, nil, nil, f32(2, 1, 3, 5))
	many(two("unidirectional", 1, "scale", .7), nil, q, q, q)
	many(two(), []int{0, 1, 2}, q, q, q, nil, nil, nil, f32(2, 2, 2, 4), f32(2, 2, 2, 4))
	many(two("unidirectional", 1), []int{0, 1, 2}, q, q, q, f32(24), keep5, f32(1, 2, 3, 5), f32(2, 2, 2, 4), f32(2, 2, 2, 4))
	many(two(), nil, q, f32(2, 2, 5, 4), f32(2, 2, 5, 4))
	many(two(), nil, q, k5, k5, nil, int32s([]int32{1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1}, 2, 3, 5))
	out = append(out,
		Runtime{Op: "MultiHeadAttention", In: in{f32(2, 3, 2, 3, 4)}, Attrs: as(two()...), Alone: "CUDA"},
		Runtime{Op: "MultiHeadAttention", In: in{q, f32(2, 5, 2, 2, 4)}, Attrs: as(two()...), Alone: "CUDA"})
	at := grid([]int64{0, 1, 2, 4, 3, 1}, 2, 3)
	turn := func(attrs []any, ins ...Input) {
		out = append(out, Runtime{Op: "RotaryEmbedding", In: ins, Attrs: as(attrs...), Const: []int{2, 3}})
	}
	turn(nil, f32(2, 3, 8), at, f32(5, 2), f32(5, 2))
	turn([]any{"interleaved", 1}, f32(2, 2, 3, 4), at, f32(5, 2), f32(5, 2))
	turn(nil, f32(2, 2, 3, 4), ints(2), f32(5, 2), f32(5, 2))
	turn([]any{"num_heads", 2, "rotary_embedding_dim", 4}, f32(2, 3, 12), at, f32(5, 2), f32(5, 2))
	return out
}

// groupedNodes are attentions of decoders of language models: four heads of queries, two
// of keys and values, of size 16.
func groupedNodes() []Runtime {
	var out []Runtime
	attrs := func(kv ...any) []any { return append([]any{"num_heads", 4, "kv_num_heads", 2}, kv...) }
	angles := f32(12, 8)
	add := func(a []any, outs []int, free []Free, ins ...Input) {
		out = append(out, Runtime{Op: "GroupQueryAttention", In: ins, Attrs: as(a...), Outs: outs, Free: free, Opset: 13, Const: []int{7, 8}})
	}
	last := func(v ...int32) Input { return int32s(v, len(v)) }
	total := func(v int32) Input { return int32s([]int32{v}, 1) }
	q, k := f32(2, 3, 64), f32(2, 3, 32)
	past := func(n int) Input { return f32(2, 2, n, 16) }
	all := []int{0, 1, 2}
	add(attrs(), all, nil, q, k, k, nil, nil, last(2, 2), total(3))
	add(attrs("do_rotary", 1), all, nil, q, k, k, nil, nil, last(2, 2), total(3), angles, angles)
	add(attrs("do_rotary", 1, "rotary_interleaved", 1, "scale", .2), all, nil, q, k, k, past(0), past(0), last(2, 2), total(3), angles, angles)
	// one more token, behind a past of its own length
	one, k1 := f32(2, 1, 64), f32(2, 1, 32)
	free := []Free{{0, 0, "batch"}, {0, 1, "length"}, {1, 0, "batch"}, {1, 1, "length"}, {2, 0, "batch"}, {2, 1, "length"},
		{3, 0, "batch"}, {3, 2, "past"}, {4, 0, "batch"}, {4, 2, "past"}, {5, 0, "batch"}}
	add(attrs("do_rotary", 1), all, free, one, k1, k1, past(4), past(4), last(4, 4), total(5), angles, angles)
	add(attrs("local_window_size", 2), all, nil, one, k1, k1, past(4), past(4), last(4, 4), total(5))
	add(attrs("softcap", 1.5), all, nil, one, k1, k1, past(4), past(4), last(4, 4), total(5))
	// in a buffer that is longer, samples of different lengths
	add(attrs("do_rotary", 1), all, nil, one, k1, k1, past(8), past(8), last(4, 6), total(7), angles, angles)
	out[len(out)-1].First = true
	// a window over a prompt; several tokens behind a past
	add(attrs("local_window_size", 2), []int{0}, nil, f32(2, 5, 64), f32(2, 5, 32), f32(2, 5, 32), nil, nil, last(4, 4), total(5))
	add(attrs("do_rotary", 1), all, nil, f32(1, 3, 64), f32(1, 3, 32), f32(1, 3, 32), f32(1, 2, 4, 16), f32(1, 2, 4, 16), last(6), total(7), angles, angles)
	// all three in one
	add(attrs(), all, nil, f32(2, 3, 128), nil, nil, nil, nil, last(2, 2), total(3))
	// positions, what is added, sinks
	add(attrs("do_rotary", 1), all, nil, one, k1, k1, past(4), past(4), last(4, 4), total(5), angles, angles, grid([]int64{6, 4}, 2, 1))
	add(attrs(), []int{0}, nil, q, k, k, nil, nil, last(2, 2), total(3), nil, nil, nil, f32(1, 4, 3, 3))
	add(attrs(), []int{0}, nil, q, k, k, nil, nil, last(2, 2), total(3), nil, nil, nil, nil, f32(4))
	add(attrs("smooth_softmax", 1), []int{0}, nil, q, k, k, nil, nil, last(2, 2), total(3))
	return out
}
