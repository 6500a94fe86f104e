package oracle

import (
	"math"
	"slices"
	"testing"
)

// Ties says which of equal scores go first.
type Ties bool

// The two orders in use.
const (
	CutFirst  Ties = false // the one of the lowest index is cut first
	KeepFirst Ties = true  // the one of the lowest index is kept first
)

// clearGap is the least gap, as a share of the scores, between what stays and what goes:
// far more than the rounding of float32 moves scores.
const clearGap = 2e-5

// Best keeps the k highest scores. It fails where the choice hangs on rounding, other
// than by a tie: then the test needs another seed.
func Best(t testing.TB, score []float64, k int, ties Ties) []bool {
	t.Helper()
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch { // the lowest first
		case score[a] < score[b]:
			return -1
		case score[a] > score[b]:
			return 1
		case ties == KeepFirst:
			return b - a
		}
		return a - b
	})
	cut := len(score) - k
	if cut > 0 && k > 0 {
		a, b := score[order[cut-1]], score[order[cut]]
		if a != b && b-a < clearGap*math.Abs(b) {
			t.Fatalf("scores %v and %v are too close for a test: choose another seed", a, b)
		}
	}
	keep := make([]bool, len(score))
	for _, i := range order[cut:] {
		keep[i] = true
	}
	return keep
}

// BestOfAll keeps the k highest scores of all layers ranked together; of equal ones the
// lowest layer's lowest index is cut first.
func BestOfAll(t testing.TB, score [][]float64, k int) [][]bool {
	t.Helper()
	keep := Best(t, slices.Concat(score...), k, CutFirst)
	out := make([][]bool, len(score))
	for l, s := range score {
		out[l], keep = keep[:len(s)], keep[len(s):]
	}
	return out
}

// Count is the number of entries that stay.
func Count(mask []bool) int {
	n := 0
	for _, keep := range mask {
		if keep {
			n++
		}
	}
	return n
}

// Total is the number of entries of all layers.
func Total(ps []*Tensor) int {
	n := 0
	for _, p := range ps {
		n += len(p.X)
	}
	return n
}

// Sizes are the absolute values.
func Sizes(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Abs(v)
	}
	return out
}

// Among gives the scores of what a mask keeps, and minus infinity for the others.
func Among(mask []bool, score []float64) []float64 {
	out := slices.Clone(score)
	for i, keep := range mask {
		if !keep {
			out[i] = math.Inf(-1)
		}
	}
	return out
}
