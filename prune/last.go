package prune

import "pare/graph"

// Last says which weights are those of output layers: no other stands between them and an
// output of the network. A network of several outputs has several, and so has one that
// ends in a sum of layers.
func Last(g *graph.Graph, all []*Weight) map[*graph.Value]bool {
	is := map[*graph.Value]bool{}
	by := map[*graph.Node]*Weight{}
	for _, w := range all {
		is[w.Value], by[w.Node] = true, w
	}
	out, seen := map[*graph.Value]bool{}, map[*graph.Node]bool{}
	var back func(v *graph.Value)
	back = func(v *graph.Value) {
		if v == nil || v.From == nil || seen[v.From] {
			return
		}
		n := v.From
		seen[n] = true
		here := false
		if w := by[n]; w != nil {
			out[w.Value], here = true, true
		}
		for _, in := range n.Inputs {
			if is[in] { // maybe one that several layers share
				out[in], here = true, true
			}
		}
		if here {
			return
		}
		for _, in := range n.Inputs {
			back(in)
		}
	}
	for _, o := range g.Outputs {
		back(o)
	}
	return out
}
