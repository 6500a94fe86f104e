package allocate

import (
	"fmt"

	"pare/internal/kernel"
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
			keep[kernel.Argmax(keep)]--
		}
	}
	return keep, nil
}
