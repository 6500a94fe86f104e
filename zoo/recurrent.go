package zoo

import (
	"fmt"

	"pare/graph"
)

// lstm runs layers of LSTM (Hochreiter & Schmidhuber 1997) over a series
// [N T features] and takes o.Classes numbers from the last state. Time comes
// first inside, as PyTorch exports batch_first: a Transpose before the first
// layer, a Squeeze behind each. Gates stand in ONNX's order, i o f c.
func lstm(o Options, layers, width int) (*graph.Graph, error) {
	in := o.In
	if in == nil {
		in = []int{32, 1}
	}
	if len(in) != 2 || in[0] < 1 || in[1] < 1 || layers < 1 || width < 1 {
		return nil, fmt.Errorf("input %v, %d layers of %d: an LSTM takes [steps features] through at least one layer", in, layers, width)
	}
	b, x := newNet("lstm", o, in...)
	h := o.width(width)
	b.at("lstm")
	x = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{1, 0, 2})}, x)
	init := b.torch(h)
	for i := range layers {
		of := func(part string, shape ...int) *graph.Value {
			return b.param(fmt.Sprintf("lstm.%s_l%d", part, i), init, shape...)
		}
		w, r, bias := of("weight_ih", 1, 4*h, features(x)), of("weight_hh", 1, 4*h, h), of("bias", 1, 8*h)
		y := b.Node("", "LSTM", 1, []*graph.Value{x, w, r, bias}, graph.MakeAttr("hidden_size", h)).Outputs[0]
		x = b.Squeeze(y, 1)
	}
	x = b.Attr("Gather", []graph.Attr{graph.MakeAttr("axis", 0)}, x, b.Const(index(-1)))
	return b.finish(b.torchLinear("head", x, o.Classes), "prediction")
}
