package zoo

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
)

// experts is a layer to a width, blocks h + Σ p_e f_e(h) over the two experts whose logits
// are largest, each of two layers with ReLU between, and a classifier. The weights p of the
// two add up to 1.
func experts(o Options, blocks, width, n int) (*graph.Graph, error) {
	if blocks < 1 || width < 1 || n < 2 {
		return nil, fmt.Errorf("%d blocks of width %d with %d experts: at least 1, 1 and 2 are needed", blocks, width, n)
	}
	in := o.In
	if in == nil {
		in = []int{width}
	}
	b, x := newNet("experts", o, in...)
	if len(in) > 1 {
		x = b.flatten(x)
	}
	b.G.Opset[op.ContribDomain] = 1
	h := b.relu(b.linear("stem", x, width, b.he(features(x))))
	for i := range blocks {
		name := func(s string) string { return fmt.Sprintf("blocks.%d.%s", i, s) }
		router := b.linear(name("router"), h, n, b.normal(.1))
		b.at(name("experts"))
		second := b.he(width)
		y := b.Node(op.ContribDomain, "MoE", 1, []*graph.Value{h, router,
			b.param(name("experts.fc1.weight"), b.he(width), n, width, width), b.param(name("experts.fc1.bias"), nil, n, width),
			b.param(name("experts.fc2.weight"), func(w []float32) {
				second(w)
				for k := range w {
					w[k] *= residualScale
				}
			}, n, width, width), b.param(name("experts.fc2.bias"), nil, n, width)},
			graph.MakeAttr("k", 2), graph.MakeAttr("activation_type", "relu"), graph.MakeAttr("normalize_routing_weights", 1)).Outputs[0]
		y.From.Name = name("experts")
		h = b.Op("Add", h, y)
	}
	return b.finish(b.linear("head", h, o.Classes, b.he(width)), "logits")
}
