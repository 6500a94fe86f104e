package op

import (
	"fmt"
	"strings"

	"pare/graph"
)

// Raise makes a graph one of at least a version of ai.onnx, at most 13, that can be
// written: what was an attribute and became an input is one, those of subgraphs included.
// Ranks must have been inferred. An operator that has gone, or means something else since
// (see Reversion), is an error that names it; the graph is then not to be used.
func Raise(g *graph.Graph, to int) error {
	from := g.Version("")
	if from >= to {
		return nil
	}
	if to > 13 {
		return fmt.Errorf("graphs are raised to opset 13 at most, not %d", to)
	}
	var err error
	Each(g, func(n *graph.Node) {
		if err == nil && n.Domain == "" {
			err = raise(g, n, from, to)
		}
	})
	if err != nil {
		return err
	}
	return Reversion(g, to)
}

// inputsSince are attributes that became inputs, in their order, and in which version.
var inputsSince = map[string]struct {
	version int
	attrs   string
}{
	"Clip": {11, "min max"}, "Pad": {11, "pads value"}, "Squeeze": {13, "axes"}, "Unsqueeze": {13, "axes"}, "ReduceSum": {13, "axes"}, "Split": {13, "split"},
	"TopK": {10, "k"}, "Dropout": {12, "ratio"},
}

func raise(g *graph.Graph, n *graph.Node, from, to int) error {
	if n.Is("Upsample", "Scatter") {
		return at(n, fmt.Errorf("the operator is not part of opset %d: export the network with opset 13 or later", to))
	}
	x, ok := inputsSince[n.Op]
	if !ok || from >= x.version || to < x.version {
		return nil
	}
	b := NewBuilder(g, n.Name)
	in := n.Inputs[:1:1]
	for _, name := range strings.Fields(x.attrs) {
		a := n.Attr(name)
		switch {
		case a == nil:
			in = append(in, nil)
		case a.Kind == graph.AttrFloat:
			in = append(in, b.Scalar(float64(a.F), n.In(0)))
		case a.Kind == graph.AttrInt:
			in = append(in, b.Ints(int(a.I)))
		default:
			in = append(in, b.Ints(n.Ints(name)...))
		}
		drop(n, name)
	}
	for len(in) > 0 && in[len(in)-1] == nil {
		in = in[:len(in)-1]
	}
	n.Inputs = in
	return b.Err()
}
