package structure

import (
	"math"
	"slices"

	"pare/graph"
	"pare/prune"
)

// Filters rates every channel of every group by the L1 norm of the filters that
// make it (Li, Kadav, Durdanovic, Samet, Graf 2017): the sum of |w| over its rows of
// the weights whose output it is. What reads the channel has no say. As in Score,
// the group's mean is 1.
func Filters(g *graph.Graph, groups []*Group) [][]float64 {
	made := makers(g)
	out := make([][]float64, len(groups))
	for i, grp := range groups {
		out[i] = make([]float64, len(grp.Channels))
		for k, a := range grp.Axes {
			if made[a] == "" || a.Value.Const.F32() == nil {
				continue
			}
			e := slices.Clone(a.Value.Const.F32())
			for n, w := range e {
				e[n] = float32(math.Abs(float64(w)))
			}
			grp.addTo(out[i], k, e)
		}
		Relative(out[i])
	}
	return out
}

// Share keeps of every group the same share of its channels, those of the highest
// scores: round(share*n), at least one.
func Share(groups []*Group, score [][]float64, share float64) Selection {
	s := make(Selection, len(groups))
	for i, g := range groups {
		x := make([]float32, len(score[i]))
		for c, v := range score[i] {
			x[c] = float32(v)
		}
		s[i] = prune.TopK(x, max(1, int(math.Round(share*float64(len(g.Channels))))), prune.KeepFirst)
	}
	return s
}
