package kernel

import "math"

// Sum adds x up in double precision.
func Sum(x []float32) float64 { return sumVec(x) }

// Dot is the inner product of x and y in double precision.
func Dot(x, y []float32) float64 {
	if len(y) < len(x) {
		panic("kernel: operands of unequal length")
	}
	return dotVec(x, y[:len(x)])
}

// Norm is the Euclidean length of x.
func Norm(x []float32) float64 { return math.Sqrt(dotVec(x, x)) }

// SquaredDeviation is the sum of (x-m)^2 in double precision.
func SquaredDeviation(x []float32, m float32) float64 { return sqdevVec(x, m) }

// MaxOf is the largest value: -Inf of none, NaN if there is one.
func MaxOf(x []float32) float32 { return maxVec(x) }

// ArgMax is the index of the first largest value, or of the first NaN; -1 of none.
func ArgMax(x []float32) int {
	if len(x) == 0 {
		return -1
	}
	m := maxVec(x)
	for i, v := range x {
		if v == m || v != v {
			return i
		}
	}
	return 0
}

// Finite says whether no value is NaN or infinite.
func Finite(x []float32) bool { return finiteVec(x) }

// SumRows writes the sum of each row of x [rows, cols]; rows is len(dst).
func SumRows(x, dst []float32) {
	c := perRow(x, len(dst))
	for i := range dst {
		dst[i] = float32(Sum(x[i*c : (i+1)*c]))
	}
}

// MaxRows writes the largest value of each row.
func MaxRows(x, dst []float32) {
	c := perRow(x, len(dst))
	for i := range dst {
		dst[i] = MaxOf(x[i*c : (i+1)*c])
	}
}

// SumColumns writes the sum of each column of x [rows, cols]; cols is
// len(dst). Blocks of 64 rows are summed and then added, so that rounding
// grows slowly.
func SumColumns(x, dst []float32) {
	c := len(dst)
	clear(dst)
	if c == 0 {
		return
	}
	var block [256]float32
	rows := len(x) / c
	for j := 0; j < c; j += len(block) {
		b := block[:min(len(block), c-j)]
		d := dst[j : j+len(b)]
		for r0 := 0; r0 < rows; r0 += 64 {
			clear(b)
			for r := r0; r < min(rows, r0+64); r++ {
				Add(b, x[r*c+j:r*c+j+len(b)], b)
			}
			Add(d, b, d)
		}
	}
}

// MaxColumns writes the largest value of each column.
func MaxColumns(x, dst []float32) {
	c := len(dst)
	Fill(dst, float32(math.Inf(-1)))
	for i := 0; c > 0 && i+c <= len(x); i += c {
		Maximum(dst, x[i:i+c], dst)
	}
}

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

func goFinite(x []float32) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}
