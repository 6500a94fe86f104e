package score

import (
	"math"

	"pare/graph"
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
	for i, scales := range structure.Scales(g, groups) {
		rate, n := make([]float64, len(groups[i].Channels)), len(scales)
		for _, k := range scales {
			x := groups[i].Axes[k].Value.Const.F32()
			for c := range rate {
				of := groups[i].Entries(k, c)
				for _, e := range of {
					rate[c] += math.Abs(float64(x[e])) / float64(len(of))
				}
			}
		}
		for c := range rate {
			if rate[c] /= float64(n); n == 0 {
				rate[c] = math.Inf(1)
			}
		}
		if n == 0 {
			without = append(without, groups[i].Name)
		}
		rates = append(rates, rate)
	}
	return rates, without
}
