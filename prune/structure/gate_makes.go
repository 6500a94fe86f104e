package structure

import (
	"slices"

	"pare/graph"
)

// GateMakes multiplies channels as GateReads does, by the same kind of matrix, where weights
// make them: what a table or a layer gives, its bias with it.
func GateMakes(g *graph.Graph, groups []*Group, first []int, m *graph.Value) error {
	column := columns(groups, first, m.Const.Shape[1])
	wanted := map[Axis]bool{}
	for i, grp := range groups {
		if first[i] < 0 {
			continue
		}
		for _, k := range grp.Makes() {
			wanted[grp.Axes[k]] = true
		}
	}
	uses := g.Uses()
	for _, n := range slices.Clone(g.Nodes) {
		if !slices.ContainsFunc(makes(n), func(a Axis) bool { return wanted[a] }) {
			continue
		}
		x, _ := biased(n, uses)
		for d := 1; d < len(x.Shape); d++ {
			if column[Axis{x, d}] == nil {
				continue
			}
			y := gate(g, m, Axis{x, d}, column[Axis{x, d}])
			for _, u := range uses[x] {
				u.Node.Inputs[u.Index] = y
			}
			break
		}
	}
	return g.Sort()
}

// ScaleMakes multiplies what the weights of a group make by a factor a channel: the weights
// and their biases.
func (grp *Group) ScaleMakes(g *graph.Graph, by []float64) {
	wanted, done := map[Axis]bool{}, map[int]bool{}
	for _, k := range grp.Makes() {
		wanted[grp.Axes[k]] = true
		grp.Scale(k, by)
	}
	uses := g.Uses()
	for _, n := range g.Nodes {
		if !slices.ContainsFunc(makes(n), func(a Axis) bool { return wanted[a] }) {
			continue
		}
		_, added := biased(n, uses)
		for k, a := range grp.Axes {
			if a.Value == added && !done[k] {
				done[k] = true
				grp.Scale(k, by)
			}
		}
	}
}

// ScaleReads multiplies the weights that read the channels of a group by a factor a channel.
func (grp *Group) ScaleReads(by []float64) {
	for _, k := range grp.Readers() {
		grp.Scale(k, by)
	}
}

// Scale multiplies the constant along axis k of the group by a factor a channel.
func (grp *Group) Scale(k int, by []float64) {
	x := grp.Axes[k].Value.Const.F32()
	for c := range grp.Channels {
		for _, e := range grp.Entries(k, c) {
			x[e] *= float32(by[c])
		}
	}
}

// biased gives what a layer makes with its bias, and the bias: a vector that Gemm or Conv
// adds, or an Add behind, which alone reads the layer; nil: there is none.
func biased(n *graph.Node, uses map[*graph.Value][]graph.Use) (out, bias *graph.Value) {
	vector := func(v *graph.Value) bool { return v != nil && v.IsConst() && len(v.Shape) == 1 }
	out = n.Out(0)
	if v := n.In(2); n.Is("Gemm", "Conv") && vector(v) {
		return out, v
	}
	if us := uses[out]; len(us) == 1 && us[0].Node.Is("Add") {
		if v := us[0].Node.In(1 - us[0].Index); vector(v) {
			return us[0].Node.Out(0), v
		}
	}
	return out, nil
}
