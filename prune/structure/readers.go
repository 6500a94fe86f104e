package structure

import "pare/graph"

// Readers lists the axes of a group, as places in Axes, along which trained weights read
// its channels and make none: to multiply a channel's entries there by a number is to
// multiply the channel, wherever it is read.
func (g *Group) Readers() []int {
	var out []int
	for k, a := range g.Axes {
		if v := a.Value; !g.made[k] && v.IsConst() && len(v.Shape) > 1 && v.Role == graph.Param && v.Const.F32() != nil && len(v.Const.F32()) > 0 {
			out = append(out, k)
		}
	}
	return out
}

// Members says, for each entry of the constant of axis k of the group, which channel it
// belongs to, counted on from first; -1: none.
func (g *Group) Members(k int, first int32) []int32 {
	v := g.Axes[k].Value
	out := make([]int32, v.Const.Len())
	for i := range out {
		out[i] = -1
	}
	for c := range g.Channels {
		for _, e := range g.Entries(k, c) {
			out[e] = first + int32(c)
		}
	}
	return out
}
