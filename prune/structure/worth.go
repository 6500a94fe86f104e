package structure

import "pare/graph"

// Worth is what one channel of each group costs: the multiply-accumulates and parameters
// that go when the first one is cut alone.
func Worth(g *graph.Graph, groups []*Group) []Cost {
	m := newMeter(g)
	out := make([]Cost, len(groups))
	for i, grp := range groups {
		one := All([]*Group{grp})
		one[0].Set(0, false)
		c := m.cost(one.removed([]*Group{grp}))
		out[i] = Cost{MACs: m.whole.MACs - c.MACs, Params: m.whole.Params - c.Params}
	}
	return out
}
