package op

import "pare/graph"

// MACs counts the multiply-accumulates of a node whose shapes are known; false
// where its operator has none, or a rank is not known.
func MACs(n *graph.Node) (int64, bool) {
	d := Lookup(n.Domain, n.Op)
	if d == nil || d.MACs == nil {
		return 0, false
	}
	for _, v := range append(n.Inputs[:len(n.Inputs):len(n.Inputs)], n.Outputs...) {
		if v != nil && v.Shape == nil { // of unknown rank: there is nothing to count by
			return 0, false
		}
	}
	return d.MACs(n), true
}

// OneSample copies a graph whose shapes are inferred, for counting one sample, at the
// sizes of its usage, or at those that are assumed (see Assume). What is not known
// even then becomes 1. The tensors are shared with g, of whose values m has the
// copies.
func OneSample(g *graph.Graph) (c *graph.Graph, m map[*graph.Value]*graph.Value) {
	c, m = g.Clone(false)
	if len(g.Free()) > 0 && (len(g.Usage.Sizes) > 0 || len(g.Open()) > 0) {
		sizes, _ := Assume(g) // where nothing agrees, sizes of 1 are left
		if Bind(c, oneSample(g, sizes)) != nil {
			c, m = g.Clone(false)
		}
	}
	for _, v := range m {
		for i, d := range v.Shape {
			if !d.Known() {
				v.Shape[i] = graph.N(max(1, d.Mul))
			}
		}
	}
	return c, m
}
