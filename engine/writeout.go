package engine

import (
	"pare/graph"
	"pare/graph/op"
)

// writtenOut are operators without a kernel whose parts have kernels.
var writtenOut = map[string]bool{
	"Attention": true, "CausalConvWithState": true, "Einsum": true, "GRU": true, "GroupNormalization": true, "InstanceNormalization": true,
	"LRN": true, "LSTM": true, "LpNormalization": true, "MeanVarianceNormalization": true, "RMSNormalization": true, "RNN": true,
	"RotaryEmbedding": true, "SwiGLU": true,
}

// maxUnpacked bounds the bytes of the weights of few bits that a plan unpacks.
const maxUnpacked = 1 << 30

// unpacks says whether a plan multiplies by a weight of few bits as by one of float32,
// which has the kernels; left is how many bytes that may still take.
func unpacks(n *graph.Node, left *int64) bool {
	if n.Domain != op.ContribDomain || n.Op != "MatMulNBits" {
		return false
	}
	k, m := int64(n.Int("K", 0)), int64(n.Int("N", 0))
	if k < 1 || m < 1 || k > maxUnpacked || m > maxUnpacked || 4*k*m > *left {
		return false
	}
	*left -= 4 * k * m
	return true
}

// WritesOut says whether the engine runs an ai.onnx operator as simpler ones.
func WritesOut(name string) bool { return writtenOut[name] && lowerings[name] == nil }

// maxSteps bounds the steps of a recurrence that is written out.
const maxSteps = 1 << 10

// writeOut replaces such operators on float32 by their parts, where sizes are known.
func writeOut(g *graph.Graph) error {
	changed, left := false, int64(maxUnpacked)
	for _, n := range append([]*graph.Node{}, g.Nodes...) {
		known := n.Domain == "" && WritesOut(n.Op) || unpacks(n, &left)
		if !known || otherFloat(n) != nil || !sized(n) || empty(n) || tooLong(n) {
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

// empty says whether there is nothing to compute, or nothing to compute it of: parts of an
// operator need not be defined there.
func empty(n *graph.Node) bool {
	for _, v := range []*graph.Value{n.In(0), n.In(1), n.Out(0)} {
		if v != nil && sizeOf(v) == 0 {
			return true
		}
	}
	return false
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
