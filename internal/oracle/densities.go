package oracle

import "math"

// ErdosRenyi is how many of the entries of layers of some shapes stay so that they are
// total in all, and the share of each is proportional to the sum of its first dims
// dimensions over their product, or 1 (Mocanu et al. 2018 with dims 2; Evci et al. 2020
// with all of them): the factor is found by bisection, and rounded to a whole number of
// entries where the fraction that is lost is largest.
func ErdosRenyi(shapes [][]int, total, dims int) []int {
	share := func(eps float64, shape []int) float64 {
		sum, product := 0., 1.
		for _, d := range shape[:min(dims, len(shape))] {
			sum, product = sum+float64(d), product*float64(d)
		}
		return math.Min(1, eps*sum/product)
	}
	lo, hi := 0., 1e6
	for range 200 {
		eps, kept := (lo+hi)/2, 0.
		for _, s := range shapes {
			kept += share(eps, s) * size(s)
		}
		if kept < float64(total) {
			lo = eps
		} else {
			hi = eps
		}
	}
	exact := make([]float64, len(shapes))
	for l, s := range shapes {
		exact[l] = share(hi, s) * size(s)
	}
	return Rounded(exact, total)
}

// Rounded are whole numbers of a given sum: rounded up where the fraction that would be
// lost is largest, the first of equal ones.
func Rounded(exact []float64, total int) []int {
	out := make([]int, len(exact))
	lost := make([]float64, len(exact))
	for l, x := range exact {
		out[l] = int(math.Floor(x + 1e-7))
		lost[l] = x - float64(out[l])
		total -= out[l]
	}
	for ; total > 0; total-- {
		best := 0
		for l := range lost {
			if lost[l] > lost[best]+1e-7 {
				best = l
			}
		}
		out[best]++
		lost[best] = math.Inf(-1)
	}
	return out
}

func size(shape []int) float64 {
	n := 1.
	for _, d := range shape {
		n *= float64(d)
	}
	return n
}
