package cases

import (
	"pare/graph"
	"pare/tensor"
)

// writtenOut is why second derivatives of what becomes many nodes are left to
// the cases of these.
const writtenOut = "written out into operators whose second derivatives are checked"

func lengths(v ...int32) Input { return is(tensor.Vector(v...)) }

func recurrent() []Case {
	const T, B, I, H = 3, 2, 3, 2
	var out []Case
	for _, cell := range []struct {
		name  string
		gates int
	}{{"RNN", 1}, {"GRU", 3}, {"LSTM", 4}} {
		name, g := cell.name, cell.gates
		for layout := range 2 {
			x, s := []int{T, B, I}, []int{2, B, H}
			if layout == 1 {
				x, s = []int{B, T, I}, []int{B, 2, H}
			}
			c := Case{Op: name, Outs: 2, First: writtenOut, In: in{normal(x...), normal(2, g*H, I), normal(2, g*H, H), normal(2, 2*g*H), nil, normal(s...)},
				Attrs: as("hidden_size", H, "direction", "bidirectional", "layout", layout)}
			if name == "LSTM" {
				c.In, c.Outs = append(c.In, normal(s...), normal(2, 3*H)), 3
			}
			out = append(out, c)
		}
		out = append(out, Case{Op: name, Opset: 22, Outs: 2, First: writtenOut, In: in{normal(T, B, I), normal(1, g*H, I), normal(1, g*H, H)},
			Attrs: as("hidden_size", H, "direction", "reverse", "clip", .7)})
		short := in{normal(2, 1, 2), normal(1, g*H, 2), normal(1, g*H, H), normal(1, 2*g*H)}
		out = append(out, Case{Op: name, In: short, Attrs: as("hidden_size", H)},
			Case{Op: name, Outs: 2, First: writtenOut, Attrs: as("hidden_size", H, "direction", "bidirectional"), // lengths of its own for each sample
				In: in{normal(T, B, I), normal(2, g*H, I), normal(2, g*H, H), normal(2, 2*g*H), lengths(3, 1), normal(2, B, H)}},
			Case{Op: name, Outs: 2, First: writtenOut, Attrs: as("hidden_size", H, "direction", "reverse"),
				In: in{normal(T, B, I), normal(1, g*H, I), normal(1, g*H, H), nil, lengths(2, 3)}})
	}
	return append(out,
		Case{Op: "RNN", Outs: 2, First: writtenOut, In: in{normal(T, B, I), normal(1, H, I), normal(1, H, H)}, Attrs: as("hidden_size", H, "activations", []string{"Relu"})},
		Case{Op: "GRU", Outs: 2, First: writtenOut, In: in{normal(T, B, I), normal(1, 3*H, I), normal(1, 3*H, H), normal(1, 6*H)},
			Attrs: as("hidden_size", H, "linear_before_reset", 1)},
		Case{Op: "GRU", Outs: 2, First: writtenOut, In: in{normal(T, B, I), normal(1, 3*H, I), normal(1, 3*H, H), normal(1, 6*H)},
			Attrs: as("hidden_size", H, "linear_before_reset", 1, "activations", []string{"Sigmoid", "Softsign"})},
		Case{Op: "LSTM", Outs: 3, First: writtenOut, In: in{normal(T, B, I), normal(1, 4*H, I), normal(1, 4*H, H)},
			Attrs: as("hidden_size", H, "input_forget", 1, "activations", []string{"Sigmoid", "ScaledTanh", "Affine"},
				"activation_alpha", []float32{.9, .5}, "activation_beta", []float32{.8, .1})})
}

func signals() []Case {
	var out []Case
	for parts := 1; parts <= 2; parts++ {
		x := normal(2, 5, 3, parts)
		for _, attrs := range [][]graph.Attr{nil, as("inverse", 1), as("onesided", 1)} {
			if parts == 2 && len(attrs) == 1 && attrs[0].Name == "onesided" {
				continue // only of real signals
			}
			out = append(out, Case{Op: "DFT", Opset: 17, In: in{x}, Attrs: append(as("axis", 1), attrs...)},
				Case{Op: "DFT", In: in{x, whole(7)}, Attrs: attrs},
				Case{Op: "DFT", In: in{x, whole(4), whole(1)}, Attrs: attrs})
		}
	}
	for n := int64(5); n <= 6; n++ {
		out = append(out, Case{Op: "DFT", In: in{normal(2, 4, 2), whole(n)}, Attrs: as("inverse", 1, "onesided", 1)})
	}
	return append(out,
		Case{Domain: graph.Pare, Op: "DFTGrad", In: in{normal(2, 4, 2), normal(2, 6, 1), nil, nil}, Attrs: as("opset", 20, "onesided", 1)},
		Case{Op: "STFT", Opset: 17, In: in{normal(2, 9, 1), whole(2), normal(4)}},
		Case{Op: "STFT", In: in{normal(2, 9, 2), whole(3), nil, whole(4)}, Attrs: as("onesided", 0)})
}

func sums() []Case {
	var out []Case
	for _, c := range []struct {
		equation string
		in       in
	}{
		{"ij,jk->ik", in{normal(2, 3), normal(3, 4)}},
		{"bhid,bhjd->bhij", in{normal(2, 2, 3, 2), normal(2, 2, 4, 2)}},
		{"...ij,...jk", in{normal(2, 1, 2, 3), normal(4, 3, 2)}},
		{"ij->j", in{normal(2, 3)}},
		{"i,j,k->kij", in{normal(2), normal(3), normal(2)}},
		{"ij,kj->k", in{normal(2, 3), normal(2, 3)}},
		{",i->i", in{normal(), normal(3)}},
		{"ii->i", in{normal(3, 3)}},
		{"bii->b", in{normal(2, 3, 3)}},
		{"iij,jk->ik", in{normal(3, 3, 2), normal(2, 4)}},
		{"iii", in{normal(3, 3, 3)}},
	} {
		out = append(out, Case{Op: "Einsum", In: c.in, Attrs: as("equation", c.equation)})
	}
	return append(out,
		Case{Op: "Det", In: in{normal(2, 3, 3)}, First: "the derivative of a cofactor is not needed"},
		Case{Op: "Det", In: in{is(tensor.From([]float64{1, 2, 2, 4}, 2, 2))}, First: "the derivative of a cofactor is not needed"}) // singular
}

// decoders are the parts of language models.
func decoders() []Case {
	cos, sin := normal(5, 2), normal(5, 2)
	ids := grid([]int64{4, 0, 1, 1, 2, 3}, 2, 3)
	var out []Case
	for near := range 2 {
		out = append(out,
			Case{Op: "RotaryEmbedding", Opset: 23, In: in{normal(2, 2, 3, 4), cos, sin, ids}, Attrs: as("interleaved", near)},
			Case{Op: "RotaryEmbedding", Opset: 23, In: in{normal(2, 3, 12), cos, sin, ids}, Attrs: as("interleaved", near, "num_heads", 2, "rotary_embedding_dim", 4)},
			Case{Op: "RotaryEmbedding", Opset: 23, In: in{normal(2, 2, 3, 4), normal(2, 3, 2), normal(2, 3, 2)}, Attrs: as("interleaved", near)})
	}
	q, k, v, past := normal(2, 3, 8), normal(2, 3, 4), normal(2, 3, 6), normal(2, 2, 2, 3)
	for _, c := range []struct {
		rule string
		in   in
	}{
		{"linear", in{q, k, v}},
		{"gated", in{q, k, v, past, normal(2, 3, 4)}},
		{"delta", in{q, k, v, past, nil, normal(2, 3, 1)}},
		{"gated_delta", in{q, k, v, nil, normal(2, 3, 2), normal(2, 3, 2)}},
	} {
		out = append(out, Case{Op: "LinearAttention", Opset: 27, Outs: 2, First: writtenOut, In: c.in, Attrs: as("q_num_heads", 4, "kv_num_heads", 2, "update_rule", c.rule)})
	}
	cache, update, at := normal(2, 2, 5, 2), normal(2, 2, 2, 2), ints(3, 1)
	for _, mode := range []string{"linear", "circular"} {
		out = append(out, Case{Op: "TensorScatter", Opset: 24, In: in{cache, update, at}, Attrs: as("mode", mode)})
	}
	return append(out,
		Case{Domain: graph.Pare, Op: "TensorGather", In: in{cache, update, at}},
		Case{Op: "CausalConvWithState", Opset: 27, Outs: 2, In: in{normal(2, 3, 4), normal(3, 1, 3), normal(3), normal(2, 3, 2)}, Attrs: as("activation", "silu")},
		Case{Op: "CausalConvWithState", Opset: 27, Outs: 2, In: in{normal(2, 3, 1), normal(3, 1, 3)}},
		Case{Op: "SwiGLU", Opset: 28, In: in{normal(2, 3), normal(2, 3)}, Attrs: as("alpha", 1.5)},
		Case{Op: "Dropout", In: in{normal(4, 5)}},
		Case{Op: "Dropout", Opset: 13, In: in{normal(4, 5), is(tensor.Scalar(float32(.3))), is(tensor.Scalar(true))}, Attrs: as("seed", 7)},
		Case{Op: "DequantizeLinear", In: in{is(tensor.From([]int8{1, 2, 3, 4}, 2, 2)), between(.5, 2, 2), is(tensor.Vector[int8](1, -1))}, Attrs: as("axis", 0)},
		Case{Op: "DequantizeLinear", In: in{is(tensor.From([]uint8{1, 200, 3}, 3)), between(.5, 2)}})
}
