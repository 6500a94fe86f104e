package score

import (
	"slices"

	"pare/prune"
)

// LAMP is w^2 over the sum of the squares of the layer's weights that are ranked
// at or above it (Lee, Park, Mo, Ahn and Shin 2021, equation 1): ranked over all
// layers, it cuts by magnitude within each and chooses how much of each. The
// largest weight of a layer has 1, so no layer is emptied. Of equal weights the
// lower index is ranked lower.
func LAMP(ws []*prune.Weight) [][]float32 {
	out := make([][]float32, len(ws))
	for l, w := range ws {
		x := w.Data()
		order := make([]int32, len(x))
		for i := range order {
			order[i] = int32(i)
		}
		slices.SortStableFunc(order, func(a, b int32) int {
			u, v := x[a]*x[a], x[b]*x[b]
			switch {
			case u < v:
				return -1
			case u > v:
				return 1
			}
			return 0
		})
		out[l] = make([]float32, len(x))
		sum := 0.0
		for k := len(order) - 1; k >= 0; k-- {
			i := order[k]
			sq := float64(x[i]) * float64(x[i])
			sum += sq
			if sum > 0 {
				out[l][i] = float32(sq / sum)
			}
		}
	}
	return out
}
