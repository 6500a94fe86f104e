package calibrated

import "math"

// assign gives every row of a square matrix a column of its own, such that the sum of
// their entries is the largest: shortest augmenting paths, row by row, with prices of rows
// and columns (Kuhn 1955; Jonker, Volgenant 1987). gain is the entry of a row and a column.
func assign(n int, gain func(row, col int) float64) []int {
	rowPrice, colPrice := make([]float64, n+1), make([]float64, n+1)
	rowOf, before := make([]int, n+1), make([]int, n+1) // by column; 0 stands for none, counts are from 1
	least, seen := make([]float64, n+1), make([]bool, n+1)
	for row := 1; row <= n; row++ {
		rowOf[0] = row
		at := 0
		for i := range least {
			least[i], seen[i] = math.Inf(1), false
		}
		for rowOf[at] != 0 {
			seen[at] = true
			r, next, step := rowOf[at], 0, math.Inf(1)
			for c := 1; c <= n; c++ {
				if seen[c] {
					continue
				}
				if d := -gain(r-1, c-1) - rowPrice[r] - colPrice[c]; d < least[c] {
					least[c], before[c] = d, at
				}
				if least[c] < step {
					step, next = least[c], c
				}
			}
			for c := 0; c <= n; c++ {
				if seen[c] {
					rowPrice[rowOf[c]] += step
					colPrice[c] -= step
				} else {
					least[c] -= step
				}
			}
			at = next
		}
		for at != 0 {
			rowOf[at] = rowOf[before[at]]
			at = before[at]
		}
	}
	out := make([]int, n)
	for c := 1; c <= n; c++ {
		out[rowOf[c]-1] = c - 1
	}
	return out
}
