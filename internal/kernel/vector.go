package kernel

// Elementwise passes over slices of equal length. dst may be one of the inputs.

// Add writes x+y.
func Add(x, y, dst []float32) {
	n := addVec(x, y, dst)
	for i := n; i < len(dst); i++ {
		dst[i] = x[i] + y[i]
	}
}

// Sub writes x-y.
func Sub(x, y, dst []float32) {
	n := subVec(x, y, dst)
	for i := n; i < len(dst); i++ {
		dst[i] = x[i] - y[i]
	}
}

// Mul writes x*y.
func Mul(x, y, dst []float32) {
	n := mulVec(x, y, dst)
	for i := n; i < len(dst); i++ {
		dst[i] = x[i] * y[i]
	}
}

// Axpby writes s*x + t*y.
func Axpby(s float32, x []float32, t float32, y, dst []float32) {
	n := axpbyVec(s, x, t, y, dst)
	for i := n; i < len(dst); i++ {
		dst[i] = s*x[i] + t*y[i]
	}
}

// Relu writes max(x, 0); NaN stays NaN.
func Relu(x, dst []float32) {
	n := reluVec(x, dst)
	for i := n; i < len(dst); i++ {
		if v := x[i]; v < 0 {
			dst[i] = 0
		} else {
			dst[i] = v
		}
	}
}

// ReluGrad writes d where y > 0 and 0 elsewhere.
func ReluGrad(d, y, dst []float32) {
	n := reluGradVec(d, y, dst)
	for i := n; i < len(dst); i++ {
		if y[i] > 0 {
			dst[i] = d[i]
		} else {
			dst[i] = 0
		}
	}
}
