package allocate

import (
	"fmt"
	"math"

	"pare/prune"
)

// Epsilon keeps the share epsilon*(n+m)/(n*m) of a layer of n inputs and m
// outputs, all of it where that passes 1 (Mocanu et al. 2018, equation 1). A
// convolution keeps that share of the entries of its kernels.
func Epsilon(ws []*prune.Weight, epsilon float64) ([]int, error) {
	if !(epsilon > 0) || math.IsInf(epsilon, 0) {
		return nil, fmt.Errorf("epsilon %v is not a positive number", epsilon)
	}
	out := make([]int, len(ws))
	for l, w := range ws {
		n, m := float64(w.Const.Shape[0]), float64(w.Const.Shape[1])
		out[l] = int(math.Round(math.Min(1, epsilon*(n+m)/(n*m)) * float64(w.Len())))
	}
	return out, nil
}
