package kernel

import (
	"fmt"
	"math"
)

// Softmax writes e^(x-max)/sum of each row of x [rows, cols].
func Softmax(x, dst []float32, cols int) {
	for i := 0; cols > 0 && i+cols <= len(x); i += cols {
		row, y := x[i:i+cols], dst[i:i+cols]
		_, s := ExpSum(row, y)
		Scale(1/s, y, y)
	}
}

// ExpSum writes e^(x-max), and gives the largest of x and the sum of what it wrote.
func ExpSum(x, dst []float32) (most, sum float32) {
	most = maxVec(x)
	return most, expSumVec(x, dst, most)
}

// LogSoftmax writes x - log(sum e^x) of each row.
func LogSoftmax(x, dst []float32, cols int) {
	for i := 0; cols > 0 && i+cols <= len(x); i += cols {
		row, y := x[i:i+cols], dst[i:i+cols]
		m := maxVec(row)
		s := expSumVec(row, y, m)
		Affine(1, row, -m, y)
		Affine(1, y, -float32(math.Log(float64(s))), y)
	}
}

// SoftmaxGrad writes y*(d - sum d*y) of each row, where y is the softmax.
func SoftmaxGrad(d, y, dst []float32, cols int) {
	for i := 0; cols > 0 && i+cols <= len(y); i += cols {
		dr, yr, o := d[i:i+cols], y[i:i+cols], dst[i:i+cols]
		s := float32(Dot(dr, yr))
		Affine(1, dr, -s, o)
		Mul(o, yr, o)
	}
}

// CrossEntropy writes to loss[i] the cross-entropy of row i of x [rows, cols]
// (logits) with a class, mixed with the uniform distribution by smoothing.
// buf has room for one row. A class outside the columns is an error.
func CrossEntropy(x []float32, class []int32, cols int, smoothing float32, loss, buf []float32) error {
	for i := range loss {
		c := class[i]
		if c < 0 || int(c) >= cols {
			return fmt.Errorf("class %d of row %d is outside the %d columns", c, i, cols)
		}
		row := x[i*cols : (i+1)*cols]
		m := maxVec(row)
		lse := float64(m) + math.Log(float64(expSumVec(row, buf[:cols], m)))
		e := float64(smoothing)
		l := (1 - e) * (lse - float64(row[c]))
		if e > 0 {
			l += e * (lse - Sum(row)/float64(cols))
		}
		loss[i] = float32(l)
	}
	return nil
}

// CrossEntropyGrad writes scale*(softmax - target) for each row; scale is 1/rows
// for the gradient of the mean.
func CrossEntropyGrad(x []float32, class []int32, cols int, smoothing, scale float32, dst []float32) error {
	for i, c := range class {
		if c < 0 || int(c) >= cols {
			return fmt.Errorf("class %d of row %d is outside the %d columns", c, i, cols)
		}
		row, o := x[i*cols:(i+1)*cols], dst[i*cols:(i+1)*cols]
		s := expSumVec(row, o, maxVec(row))
		Affine(scale/s, o, -scale*smoothing/float32(cols), o)
		o[c] -= scale * (1 - smoothing)
	}
	return nil
}

// goExpSum writes e^(x-m) and adds it up.
func goExpSum(x, dst []float32, m float32) float32 {
	s := 0.0
	for i, v := range x {
		e := math.Exp(float64(v) - float64(m))
		dst[i] = float32(e)
		s += e
	}
	return float32(s)
}
