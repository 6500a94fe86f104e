package kernel

import (
	"cmp"
	"math"
	"slices"
)

// Sum adds x up in double precision.
func Sum(x []float32) float64 { return sumVec(x) }

// Dot is the inner product of x and y in double precision.
func Dot(x, y []float32) float64 {
	if len(y) < len(x) {
		panic("kernel: operands of unequal length")
	}
	return dotVec(x, y[:len(x)])
}

// Max is the largest of x; NaN where one is, -Inf where there is none.
func Max(x []float32) float32 { return maxVec(x) }

// The definitions.

func goSum(x []float32) float64 {
	var a, b, c, d float64
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a += float64(x[i])
		b += float64(x[i+1])
		c += float64(x[i+2])
		d += float64(x[i+3])
	}
	for ; i < len(x); i++ {
		a += float64(x[i])
	}
	return a + b + c + d
}

func goDot(x, y []float32) float64 {
	s := 0.0
	for i, v := range x {
		s += float64(v) * float64(y[i])
	}
	return s
}

func goSqdev(x []float32, m float32) float64 {
	s := 0.0
	for _, v := range x {
		d := float64(v) - float64(m)
		s += d * d
	}
	return s
}

func goMax(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// Argmax is where the first of the largest numbers is, but for those that are NaN behind the
// first; 0 where there are none.
func Argmax[T cmp.Ordered](x []T) int {
	at := 0
	for i, v := range x {
		if v > x[at] {
			at = i
		}
	}
	return at
}

// Largest is where the first of the largest numbers is; -1: there are none, or one of them is
// NaN.
func Largest(x []float32) int {
	if len(x) == 0 {
		return -1
	}
	return slices.Index(x, maxVec(x))
}
