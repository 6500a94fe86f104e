package score

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Rank is the numerical rank of a matrix of float32, row by row: the singular values above
// the largest one times the larger dimension times 2⁻²³, as NumPy counts them. HRank (Lin,
// Ji, Wang, Zhang, Zhang, Tian, Shao 2020, arXiv 2002.10179) takes it of feature maps.
func Rank(x []float32, rows, cols int) int {
	if rows == 0 || cols == 0 {
		return 0
	}
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	var d mat.SVD
	if !d.Factorize(mat.NewDense(rows, cols, wide), mat.SVDNone) {
		return 0
	}
	s := d.Values(nil)
	least, n := s[0]*float64(max(rows, cols))*0x1p-23, 0
	for _, v := range s {
		if v > least {
			n++
		}
	}
	return n
}

// Cosine is the cosine of the angle between two vectors, in [-1,1]; 0 where one is zero.
func Cosine(a, b []float32) float64 {
	dot, aa, bb := 0., 0., 0.
	for i, x := range a {
		dot += float64(x) * float64(b[i])
		aa += float64(x) * float64(x)
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return min(1, max(-1, dot/math.Sqrt(aa*bb)))
}

// Angle is the angle between two vectors over pi, in [0,1] (Gromov, Tirumala, Shapourian,
// Glorioso, Roberts 2024, arXiv 2403.17887, equation 8); 1/2 where one is zero.
func Angle(a, b []float32) float64 {
	return math.Acos(Cosine(a, b)) / math.Pi
}

// Divergence is the Kullback-Leibler divergence of the softmax of p from that of q: the sum
// over classes of q (log q - log p).
func Divergence(q, p []float32) float64 {
	lq, lp := logSoftmax(q), logSoftmax(p)
	sum := 0.
	for c, x := range lq {
		sum += math.Exp(x) * (x - lp[c])
	}
	return sum
}

func logSoftmax(x []float32) []float64 {
	most := math.Inf(-1)
	for _, v := range x {
		most = math.Max(most, float64(v))
	}
	sum := 0.
	for _, v := range x {
		sum += math.Exp(float64(v) - most)
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v) - most - math.Log(sum)
	}
	return out
}
