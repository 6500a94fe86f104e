package score

import (
	"math"

	"pare/prune/structure"
)

// FilterNorms rates coupled channels by the L2 norm of the filters that make them, the
// criterion of He, Kang, Dong, Fu, Yang 2018 (Soft Filter Pruning, IJCAI, arXiv
// 1808.06866, equation 2 with p = 2). Where several weights make a channel, as in a
// residual network, the norms of its filters are added up. A group's mean is 1. The L1
// norm is structure.Filters.
func FilterNorms(groups []*structure.Group) [][]float64 {
	return eachMaker(groups, func(filters [][]float32, out []float64) {
		for c, f := range filters {
			out[c] += distance(f, make([]float32, len(f)))
		}
	})
}

// GeometricMedian rates coupled channels by how far their filters are from those of the
// other channels: filter j of a layer by
//
//	Σ_k |F_j − F_k|₂
//
// so that what goes first is nearest to the geometric median of the layer, and others can
// stand in for it (He, Liu, Wang, Hu, Yang 2019, CVPR, arXiv 1811.00250, equations 4 to
// 6). Where several weights make a channel, their sums are added up. A group's mean is 1.
func GeometricMedian(groups []*structure.Group) [][]float64 {
	return eachMaker(groups, func(filters [][]float32, out []float64) {
		for j := range filters {
			for k := range j {
				d := distance(filters[j], filters[k])
				out[j] += d
				out[k] += d
			}
		}
	})
}

// eachMaker adds up what the filters of each weight that makes a group's channels give.
func eachMaker(groups []*structure.Group, f func(filters [][]float32, out []float64)) [][]float64 {
	out := make([][]float64, len(groups))
	for i, g := range groups {
		out[i] = make([]float64, len(g.Channels))
		for _, k := range g.Makes() {
			w := g.Axes[k].Value.Const
			if w == nil || w.F32() == nil {
				continue
			}
			filters := make([][]float32, len(g.Channels))
			for c := range filters {
				for _, e := range g.Entries(k, c) {
					filters[c] = append(filters[c], w.F32()[e])
				}
			}
			f(filters, out[i])
		}
		structure.Relative(out[i])
	}
	return out
}

// distance is the Euclidean one.
func distance(a, b []float32) float64 {
	sum := 0.0
	for i, x := range a {
		d := float64(x) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}
