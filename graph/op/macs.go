package op

import "pare/graph"

// MACs counts the multiply-accumulates of a node whose shapes are known; false
// where its operator has none.
func MACs(n *graph.Node) (int64, bool) {
	d := Lookup(n.Domain, n.Op)
	if d == nil || d.MACs == nil {
		return 0, false
	}
	return d.MACs(n), true
}

// OneSample copies a graph whose shapes are inferred, for counting: sizes that
// are not known, such as the batch's, become 1. The tensors are shared with g, of
// whose values m has the copies.
func OneSample(g *graph.Graph) (c *graph.Graph, m map[*graph.Value]*graph.Value) {
	c, m = g.Clone(false)
	for _, v := range m {
		for i, d := range v.Shape {
			if !d.Known() {
				v.Shape[i] = graph.N(max(1, d.Mul))
			}
		}
	}
	return c, m
}
