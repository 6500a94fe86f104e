package allocate

import (
	"math"

	"pare/prune"
)

// IGQ gives layer l of n_l weights the density 1/(F*n_l+1): ideal gas quotas
// (Vysogorets and Kempe 2021, arXiv 2107.02306), in which layers are columns of
// gas that one force F presses together. F is found by bisection; counts are
// rounded so that the total is exact.
func IGQ(ws []*prune.Weight, sparsity float64) ([]int, error) {
	total, err := Keep(prune.Total(ws), sparsity)
	if err != nil {
		return nil, err
	}
	share := make([]float64, len(ws))
	kept := func(force float64) float64 {
		sum := 0.0
		for l, w := range ws {
			n := float64(w.Len())
			share[l] = 1 / (force*n + 1)
			sum += share[l] * n
		}
		return sum
	}
	lo, hi := -50., 50. // of the force's logarithm; what is kept falls with it
	for range 200 {
		mid := (lo + hi) / 2
		if kept(math.Exp(mid)) > float64(total) {
			lo = mid
		} else {
			hi = mid
		}
	}
	kept(math.Exp(hi))
	return exact(ws, share, total), nil
}
