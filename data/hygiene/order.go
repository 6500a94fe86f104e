package hygiene

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// quartiles are the lower and the upper quartile.
func quartiles(x []float64) (low, high float64) {
	s := slices.Clone(x)
	slices.Sort(s)
	if len(s) == 0 {
		return math.NaN(), math.NaN()
	}
	return stat.Quantile(.25, stat.Empirical, s, nil), stat.Quantile(.75, stat.Empirical, s, nil)
}

func farthestFirst(x []Outlier) {
	slices.SortStableFunc(x, func(a, b Outlier) int { return cmp.Compare(b.Distance, a.Distance) })
}

// ascending is the order of values, that of equal ones as they come.
func ascending(n int, value func(i int) float64) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(value(a), value(b)) })
	return out
}
