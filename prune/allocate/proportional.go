package allocate

import (
	"fmt"

	"pare/prune"
)

// Proportional spreads exactly total entries over the layers, the share of layer l in
// proportion to raw[l] and at most 1: a layer that would pass it stays whole, and the
// others share what is left. Counts are rounded so that the total is exact. Every layer
// keeps at least one entry, taken from the layer that keeps the most. It returns an error
// where total is less than one entry a layer or more than there are.
func Proportional(ws []*prune.Weight, raw []float64, total int) ([]int, error) {
	if n := prune.Total(ws); total < len(ws) || total > n {
		return nil, fmt.Errorf("%d entries cannot be spread over %d layers of %d entries in all, at least one in each", total, len(ws), n)
	}
	share, err := proportional(ws, raw, float64(total))
	if err != nil {
		return nil, err
	}
	keep := exact(ws, share, total)
	for l := range keep {
		if keep[l] == 0 {
			keep[l]++
			keep[largest(keep)]--
		}
	}
	return keep, nil
}

// largest is the place of the largest number, the first of equals.
func largest(x []int) int {
	at := 0
	for i, n := range x {
		if n > x[at] {
			at = i
		}
	}
	return at
}

// ErdosRenyiShares is what ErdosRenyi's shares are in proportion to: the sum of a weight's
// dimensions over their product, kernels' sizes among them.
func ErdosRenyiShares(ws []*prune.Weight) []float64 { return erdosRenyiShares(ws, true) }

func erdosRenyiShares(ws []*prune.Weight, kernel bool) []float64 {
	raw := make([]float64, len(ws))
	for l, w := range ws {
		dims := w.Const.Shape
		if !kernel && len(dims) > 2 {
			dims = dims[:2]
		}
		s, p := 0, 1
		for _, d := range dims {
			s, p = s+d, p*d
		}
		raw[l] = float64(s) / float64(p)
	}
	return raw
}
