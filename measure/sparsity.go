package measure

import (
	"math"
)

// PQ is the PQ index of a vector (Diao, Ding, Tarokh et al. 2023, definition 1):
//
//	I = 1 - d^(1/q-1/p) * ||w||_p / ||w||_q, with ||w||_p = (sum |w_i|^p)^(1/p)
//
// for 0 < p < q: 0 where all entries are alike, 1-d^(1/q-1/p) where one alone is
// not zero. A vector of zeros has 0. Entries that are cut must be left out: zeros
// of a mask would count as sparsity that is still to be used.
func PQ(w []float32, p, q float64) float64 {
	top := 0.0
	for _, x := range w {
		top = max(top, math.Abs(float64(x)))
	}
	if top == 0 {
		return 0
	}
	fp, fq := power(p), power(q)
	var sp, sq float64
	for _, x := range w { // divided by the largest, so that nothing overflows
		a := math.Abs(float64(x)) / top
		sp += fp(a)
		sq += fq(a)
	}
	d := float64(len(w))
	return max(0, 1-math.Pow(sp/d, 1/p)/math.Pow(sq/d, 1/q))
}

// power is x^p without a logarithm for the exponents in use.
func power(p float64) func(float64) float64 {
	switch p {
	case .5:
		return math.Sqrt
	case 1:
		return func(x float64) float64 { return x }
	case 2:
		return func(x float64) float64 { return x * x }
	}
	return func(x float64) float64 { return math.Pow(x, p) }
}

// Gini is the Gini index of the absolute values, in [0,1): 0 where all are alike,
// 1-1/d where one alone is not zero; 0 for zeros (Hurley & Rickard 2009):
//
//	sum_i (2i-d-1) a_i / (d sum_i a_i), a sorted from the smallest, i from 1
func Gini(w []float32) float64 {
	d := float64(len(w))
	var top, sum float64
	for i, a := range sortedAbs(w) {
		top += (2*float64(i+1) - d - 1) * float64(a)
		sum += float64(a)
	}
	if sum == 0 {
		return 0
	}
	return max(0, top/(d*sum))
}

// sortedAbs sorts absolute values by their bits, which order as they do: three
// passes of a radix sort.
func sortedAbs(w []float32) []float32 {
	const digit = 11
	a, b := make([]float32, len(w)), make([]float32, len(w))
	for i, x := range w {
		a[i] = math.Float32frombits(math.Float32bits(x) &^ (1 << 31))
	}
	for shift := 0; shift < 32; shift += digit {
		var at [1<<digit + 1]int
		for _, x := range a {
			at[math.Float32bits(x)>>shift&(1<<digit-1)+1]++
		}
		for i := range at[1:] {
			at[i+1] += at[i]
		}
		for _, x := range a {
			k := math.Float32bits(x) >> shift & (1<<digit - 1)
			b[at[k]] = x
			at[k]++
		}
		a, b = b, a
	}
	return a
}
