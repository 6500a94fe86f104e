package sweep

import (
	"math"
	"slices"
)

// Rungs are the epochs after which successive halving chooses, the last of them the end:
// least, least·eta, least·eta² and so on below most, and most (Jamieson and Talwalkar 2016).
func Rungs(least, eta, most int) (out []int) {
	for r := least; r < most; r *= eta {
		out = append(out, r)
		if r > most/eta {
			break
		}
	}
	return append(out, most)
}

// Promote gives the places of the best of some values, one of eta and at least one, in their
// order; of equal ones the first. NaN is no value and is never promoted.
func Promote(values []float64, higher bool, eta int) []int {
	var at []int
	for i, v := range values {
		if !math.IsNaN(v) {
			at = append(at, i)
		}
	}
	slices.SortStableFunc(at, func(a, b int) int { return order(values[a], values[b], higher) })
	at = at[:min(len(at), max(1, len(values)/eta))]
	slices.Sort(at)
	return at
}

// order is below 0 where a is better than b; what is no number is worst.
func order(a, b float64, higher bool) int {
	switch {
	case math.IsNaN(a) && math.IsNaN(b) || a == b:
		return 0
	case math.IsNaN(b) || !math.IsNaN(a) && (a > b) == higher:
		return -1
	}
	return 1
}
