package zoo

import (
	"fmt"

	"pare/graph"
)

// residualScale is what the weights of residual branches are of He's: small branches keep
// deep sums from growing.
const residualScale = .2

// residualMLP is a layer to a width, blocks h + relu(W h + b), and a classifier.
func residualMLP(o Options, blocks, width int) (*graph.Graph, error) {
	if blocks < 0 || width < 1 {
		return nil, fmt.Errorf("%d blocks of width %d: a width of at least 1 is needed", blocks, width)
	}
	in := o.In
	if in == nil {
		in = []int{width}
	}
	b, x := newNet("residual-mlp", o, in...)
	if len(in) > 1 {
		x = b.flatten(x)
	}
	h := b.relu(b.linear("stem", x, width, b.he(features(x))))
	for i := range blocks {
		branch := b.he(width)
		f := b.relu(b.linear(fmt.Sprintf("blocks.%d", i), h, width, func(w []float32) {
			branch(w)
			for k := range w {
				w[k] *= residualScale
			}
		}))
		h = b.Op("Add", h, f)
	}
	return b.finish(b.linear("head", h, o.Classes, b.he(width)), "logits")
}
