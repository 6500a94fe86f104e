package score

import (
	"math"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
)

// Slimming rates coupled channels by |γ|, the scale of the batch normalisation that they
// go through; the mean of several, where a channel goes through several. All channels of
// the network are ranked by it together, so a group's scores are left as they are (Liu,
// Li, Shen, Huang, Yan, Zhang 2017, ICCV, arXiv 1708.06519, section 3).
//
// Groups whose channels go through none are named: their scores are infinite, so that
// they go last.
func Slimming(g *graph.Graph, groups []*structure.Group) (rates [][]float64, without []string) {
	scales := map[*graph.Value]bool{}
	op.Each(g, func(n *graph.Node) {
		if v := n.In(1); n.Is("BatchNormalization") && v.IsConst() && v.Const.F32() != nil {
			scales[v] = true
		}
	})
	for _, grp := range groups {
		rate := make([]float64, len(grp.Channels))
		n := 0
		for k, a := range grp.Axes {
			if !scales[a.Value] {
				continue
			}
			n++
			for c := range rate {
				of := grp.Slice(k, c, a.Value.Const.F32())
				for _, x := range of {
					rate[c] += math.Abs(float64(x)) / float64(len(of))
				}
			}
		}
		for c := range rate {
			if rate[c] /= float64(n); n == 0 {
				rate[c] = math.Inf(1)
			}
		}
		if n == 0 {
			without = append(without, grp.Name)
		}
		rates = append(rates, rate)
	}
	return rates, without
}
