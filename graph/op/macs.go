package op

import "pare/graph"

// MACs counts the multiply-accumulates of a node whose shapes are known; false
// where its operator has none, or a rank is not known. Those of a body count as often
// as it runs, once where that is not known before running; of an If's branches the
// larger counts.
func MACs(n *graph.Node) (int64, bool) {
	bodies := n.Subgraphs()
	if len(bodies) > 0 {
		most, some := int64(0), false
		for _, s := range bodies {
			c := int64(0)
			for _, m := range s.Nodes {
				k, ok := MACs(m)
				c, some = c+k, some || ok
			}
			most = max(most, c)
		}
		return most * int64(Times(n)), some
	}
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

// Times says how often the body of a node runs: the count of a Loop, the steps of
// a Scan, else 1.
func Times(n *graph.Node) int {
	switch {
	case n.Is("Loop") && n.In(0).IsConst():
		if k, err := intsOf(n.In(0).Const); err == nil && len(k) == 1 {
			return max(0, k[0])
		}
	case n.Is("Scan"):
		s, err := scanOf(n, 9)
		lead := 0
		if err != nil { // of opset 8, a batch in front
			s, err = scanOf(n, 8)
			lead = 1
		}
		if err != nil {
			break
		}
		x := n.In(s.skip + s.carried)
		if x == nil || x.Shape == nil {
			break
		}
		if a, err := axis(s.inAxes[0], len(x.Shape)-lead); err == nil && x.Shape[a+lead].Known() {
			return x.Shape[a+lead].Mul
		}
	}
	return 1
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
