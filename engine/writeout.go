package engine

import (
	"pare/graph"
	"pare/graph/op"
)

// writtenOut are operators without a kernel whose parts have kernels.
var writtenOut = map[string]bool{
	"Attention": true, "CausalConvWithState": true, "GRU": true, "GroupNormalization": true, "InstanceNormalization": true,
	"LRN": true, "LSTM": true, "LpNormalization": true, "MeanVarianceNormalization": true, "RMSNormalization": true, "RNN": true,
	"RotaryEmbedding": true, "SwiGLU": true,
}

// WritesOut says whether the engine runs an ai.onnx operator as simpler ones.
func WritesOut(name string) bool { return writtenOut[name] && lowerings[name] == nil }

// maxSteps bounds the steps of a recurrence that is written out.
const maxSteps = 1 << 10

// writeOut replaces such operators on float32 by their parts, where sizes are known.
func writeOut(g *graph.Graph) error {
	changed := false
	for _, n := range append([]*graph.Node{}, g.Nodes...) {
		if n.Domain != "" || !WritesOut(n.Op) || otherFloat(n) != nil || !sized(n) || tooLong(n) {
			continue
		}
		// An operator of a form that is not written out runs by its definition.
		changed = op.Expand(g, n) == nil || changed
	}
	if !changed {
		return nil
	}
	if _, err := op.Fold(g); err != nil {
		return err
	}
	g.Prune()
	return g.Sort()
}

// sized says whether all shapes of a node are numbers.
func sized(n *graph.Node) bool {
	for _, v := range append(append([]*graph.Value{}, n.Inputs...), n.Outputs...) {
		if v == nil {
			continue
		}
		if _, ok := v.Shape.Ints(); !ok {
			return false
		}
	}
	return true
}

func tooLong(n *graph.Node) bool {
	if n.Op != "LSTM" && n.Op != "GRU" && n.Op != "RNN" {
		return false
	}
	steps := n.In(0).Shape[0]
	if n.Int("layout", 0) != 0 {
		steps = n.In(0).Shape[1]
	}
	return steps.Mul > maxSteps
}
