package search

import (
	"pare/graph"
	"pare/graph/op"
)

// dropBranches takes out of sums the branches of which nothing is left but one unit whose
// scale is at most tau and whose shift sends nothing: what is added is zero. It gives how
// many there were.
func dropBranches(g *graph.Graph, tau float64) (int, error) {
	n := 0
	for _, sum := range g.Nodes {
		if !isSum(sum) {
			continue
		}
		for i := range 2 {
			if silent(sum.In(i), tau) {
				g.ReplaceUses(sum.Out(0), sum.In(1-i))
				n++
				break
			}
		}
	}
	if n == 0 {
		return 0, nil
	}
	g.Prune()
	return n, op.InferAll(g)
}

// silent says whether a convolution without a bias makes a value from one channel that a
// normalisation scales by at most tau, and shifts to nothing before a ReLU.
func silent(v *graph.Value, tau float64) bool {
	n := v.From
	if !n.Is("Conv") || n.In(2) != nil || n.Int("group", 1) != 1 || n.In(1) == nil || !n.In(1).IsConst() || n.In(1).Const.Shape[1] != 1 {
		return false
	}
	relu := n.In(0).From
	if !relu.Is("Relu") || !relu.In(0).From.Is("BatchNormalization") {
		return false
	}
	norm := relu.In(0).From
	for _, k := range []int{1, 2} {
		if x := norm.In(k); !x.IsConst() || len(x.Const.F32()) != 1 {
			return false
		}
	}
	return float64(abs(norm.In(1).Const.F32()[0])) <= tau && norm.In(2).Const.F32()[0] <= 0
}
