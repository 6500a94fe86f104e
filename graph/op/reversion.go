package op

import (
	"fmt"

	"pare/graph"
)

// turns are the versions of ai.onnx from which on an operator means something else in the
// same form. The forms of others differ at most (an attribute that became an input), and
// definitions read each of them by its form, in a graph of any version.
var turns = map[string][]int{
	"DFT": {20}, "Dropout": {10}, "Hardmax": {13}, "LogSoftmax": {13}, "Resize": {11}, "RoiAlign": {16}, "Scan": {9}, "Slice": {10}, "Softmax": {13},
}

// Reversion makes the nodes of a graph mean the same in a graph of another version of
// ai.onnx, those of its subgraphs included, so that they can be moved there; the graph
// says then that it is of that version. The graph is not one that can be written after it:
// forms stay. Ranks must have been inferred. A node for which that is not known is an
// error that names it.
func Reversion(g *graph.Graph, to int) error {
	from := g.Version("")
	var err error
	Each(g, func(n *graph.Node) {
		if err != nil || n.Domain != "" {
			return
		}
		for _, t := range turns[n.Op] {
			if (from < t) != (to < t) {
				err = reversion(g, n, from, to)
			}
		}
	})
	if err != nil {
		return err
	}
	setVersion(g, to)
	return nil
}

func setVersion(g *graph.Graph, to int) {
	if g.Opset != nil {
		g.Opset[""] = to
	}
	for _, n := range g.Nodes {
		for _, s := range n.Subgraphs() {
			setVersion(s, to)
		}
	}
}

// reversion rewrites one node whose meaning turns between two versions.
func reversion(g *graph.Graph, n *graph.Node, from, to int) error {
	switch n.Op {
	case "Dropout":
		if n.Out(1) == nil { // only the type of the mask turns
			return nil
		}
	case "Slice": // attributes that became inputs, and are not read as such any more
		starts, ends, axes := n.Ints("starts"), n.Ints("ends"), n.Ints("axes")
		if starts == nil {
			return nil
		}
		if axes == nil {
			for i := range starts {
				axes = append(axes, i)
			}
		}
		b := NewBuilder(g, n.Name)
		n.Inputs = []*graph.Value{n.In(0), b.Ints(starts...), b.Ints(ends...), b.Ints(axes...)}
		drop(n, "starts", "ends", "axes")
		return nil
	case "Softmax", "LogSoftmax", "Hardmax":
		// from 13 on along one axis, before along all from one on
		if x := n.In(0); x != nil && x.Shape != nil {
			def := -1
			if from < 13 {
				def = 1
			}
			if a, err := axis(n.Int("axis", def), len(x.Shape)); err == nil && a == len(x.Shape)-1 {
				n.Set("axis", a)
				return nil
			}
		}
	}
	return at(n, fmt.Errorf("the operator means something else in opset %d than in opset %d", to, from))
}
