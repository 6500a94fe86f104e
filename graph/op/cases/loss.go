package cases

import "pare/graph"

func losses() []Case {
	var out []Case
	target := grid([]int64{0, 2, 1, -1}, 2, 2)
	for _, reduction := range []string{"none", "sum", "mean"} {
		attrs := as("reduction", reduction, "ignore_index", -1)
		for _, op := range []string{"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"} {
			outs := 1
			if op == "SoftmaxCrossEntropyLoss" {
				outs = 2
			}
			out = append(out, Case{Op: op, Outs: outs, In: in{normal(2, 3, 2), target}, Attrs: attrs},
				Case{Op: op, Outs: outs, In: in{normal(2, 3, 2), target, between(.5, 2, 3)}, Attrs: attrs, Fixed: []int{2}},
				Case{Op: op, In: in{normal(3, 5), ints(4, 0, 1)}, Attrs: as("reduction", reduction)})
		}
		y := Input(normal())
		if reduction == "none" {
			y = normal(2, 2)
		}
		out = append(out, Case{Domain: graph.Pare, Op: "NegativeLogLikelihoodLossGrad", Attrs: attrs, Fixed: []int{2},
			In: in{y, target, between(.5, 2, 3), normal(2, 3, 2)}})
	}
	out = append(out, crossEntropies()...)
	for _, kv := range [][]any{{"blank", 0}, {"blank", 3, "zero_infinity", 1}} {
		// a repeated mark, an empty sequence, one that fits to the step, one that is too long
		sequences := grid([]int64{1, 1, 2, -1, -1, -1, -1, -1, 2, 1, 1, 2}, 3, 4)
		if kv[1] == 3 {
			sequences = grid([]int64{0, 1, -1, -1, 2, 2, 2, 2, 0, 0, 1, 2}, 3, 4)
		}
		out = append(out, Case{Domain: graph.Pare, Op: "CTC", In: in{normal(3, 5, 4), sequences}, Attrs: as(kv...), First: "the gradient has none of its own"})
	}
	return out
}

func crossEntropies() []Case {
	var out []Case
	weights := []float32{.5, 2, 1, 0, 3}
	for _, e := range []float64{0, .1} {
		for _, kv := range [][]any{{}, {"ignore_index", -100}, {"ignore_index", 1}, {"class_weights", weights}, {"class_weights", weights, "ignore_index", 2}} {
			label, three := ints(1, 0, 4, 2), []float32{2, .5, 3}
			if len(kv) > 0 && kv[1] == -100 {
				label = ints(1, -100, 4, 0)
			}
			out = append(out, Case{Domain: graph.Pare, Op: "SoftmaxCrossEntropy", In: in{normal(4, 5), label}, Attrs: as(append(kv, "label_smoothing", e)...)})
			if len(kv) > 0 && kv[0] == "class_weights" {
				kv = append([]any{"class_weights", three}, kv[2:]...)
			}
			out = append(out, Case{Domain: graph.Pare, Op: "SoftmaxCrossEntropyGrad", In: in{normal(), normal(3, 3), ints(2, 0, 1)}, Attrs: as(append(kv, "label_smoothing", e)...)})
		}
	}
	return out
}

func attentions() []Case {
	q, k, v := normal(2, 4, 3, 2), normal(2, 2, 5, 2), normal(2, 2, 5, 3)
	mask := truth([]bool{true, false, true, true, false, false, false, false, false, false, true, true, false, true, true}, 3, 5) // the second query sees nothing
	of := func(opset int, ins in, kv ...any) Case {
		return Case{Op: "Attention", Opset: opset, In: ins, Attrs: as(kv...)}
	}
	past := of(23, in{q, k, v, nil, normal(2, 2, 2, 2), normal(2, 2, 2, 3)}, "is_causal", 1)
	past.Outs = 3
	return []Case{
		of(23, in{q, k, v}), of(23, in{q, k, v}, "is_causal", 1, "softcap", 2., "scale", .3),
		of(25, in{q, k, v}, "left_window_size", 1, "right_window_size", 0),
		of(23, in{q, k, v, mask}), of(23, in{q, k, v, normal(4, 3, 5)}), past,
		of(23, in{normal(2, 3, 8), normal(2, 5, 4), normal(2, 5, 6)}, "q_num_heads", 4, "kv_num_heads", 2),
		of(23, in{normal(1, 3, 6), normal(1, 3, 6), normal(1, 3, 6)}, "q_num_heads", 2, "kv_num_heads", 2, "is_causal", 1),
	}
}
