package structure

import (
	"math"

	"pare/graph"
	"pare/tensor"
)

// Scales lists, for every group, the axes of its scales: the trained numbers, one a
// channel, that a normalisation over each channel of its own multiplies with. They are
// places in Group.Axes; a group without any has none. A constant that stands anywhere
// else too is no scale.
func Scales(g *graph.Graph, groups []*Group) [][]int {
	uses := g.Uses()
	scale := func(v *graph.Value) bool {
		if !v.IsConst() || v.Role != graph.Param || v.DType != tensor.Float32 || len(v.Shape) != 1 {
			return false
		}
		for _, u := range uses[v] {
			if u.Index != 1 || !u.Node.Is("BatchNormalization", "InstanceNormalization") {
				return false
			}
		}
		return len(uses[v]) > 0
	}
	out := make([][]int, len(groups))
	for i, grp := range groups {
		for k, a := range grp.Axes {
			if scale(a.Value) {
				out[i] = append(out[i], k)
			}
		}
	}
	return out
}

// LargestScales gives for every group the largest scale of each channel, as numbers of at
// least 0: channels that are tied have several. nil: the group has none.
func LargestScales(g *graph.Graph, groups []*Group) [][]float64 {
	out := make([][]float64, len(groups))
	for i, of := range Scales(g, groups) {
		if len(of) == 0 {
			continue
		}
		out[i] = make([]float64, len(groups[i].Channels))
		for _, k := range of {
			x := groups[i].Axes[k].Value.Const.F32()
			for c := range out[i] {
				for _, e := range groups[i].Entries(k, c) {
					out[i][c] = math.Max(out[i][c], math.Abs(float64(x[e])))
				}
			}
		}
	}
	return out
}

// Makes lists the axes of a group along which weights make its channels, as places in
// Axes.
func (g *Group) Makes() []int {
	var out []int
	for k := range g.Axes {
		if g.made[k] {
			out = append(out, k)
		}
	}
	return out
}

// Entries lists the places, in a constant's numbers, of a channel along axis k of the
// group.
func (g *Group) Entries(k, channel int) []int {
	a := g.Axes[k]
	outer, inner := around(a.Value.Const.Shape, a.Dim)
	n := a.Value.Const.Shape[a.Dim]
	var out []int
	for o := range outer {
		for _, p := range g.Channels[channel].At[k] {
			for i := range inner {
				out = append(out, (o*n+p)*inner+i)
			}
		}
	}
	return out
}

// Selection gives what stays of groups of a network of which kept was left.
func (k Kept) Selection(groups []*Group) Selection {
	s := All(groups)
	for i, g := range groups {
		for c, ch := range g.Channels {
			for x, a := range g.Axes {
				if m := k[a.Value.Name]; m != nil && m[a.Dim] != nil && !m[a.Dim].Kept(ch.At[x][0]) {
					s[i].Set(c, false)
					break
				}
			}
		}
	}
	return s
}
