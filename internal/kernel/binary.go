package kernel

import "math"

// binary is a function of two values and up to two parameters, applied to
// every pair of elements.
type binary struct {
	def              func(x, y, a, b float32) float32
	v512, v256, neon func(n int, x, y, z *float32, a, b float32)
}

func (u *binary) run(x, y, dst []float32, a, b float32) {
	n := len(dst)
	if len(x) < n || len(y) < n {
		panic("kernel: operands of unequal length")
	}
	switch {
	case n == 0:
	case isa == AVX512 && u.v512 != nil:
		u.v512(n, &x[0], &y[0], &dst[0], a, b)
	case isa == NEON && u.neon != nil:
		u.neon(n, &x[0], &y[0], &dst[0], a, b)
	case isa != Generic && u.v256 != nil:
		u.v256(n, &x[0], &y[0], &dst[0], a, b)
	default:
		for i, v := range x[:n] {
			dst[i] = u.def(v, y[i], a, b)
		}
	}
}

var (
	bDiv      = binary{def: func(x, y, a, b float32) float32 { return x / y }}
	bMax      = binary{def: func(x, y, a, b float32) float32 { return max(x, y) }}
	bGeluGrad = binary{def: grad(geluGrad)}
	bClipGrad = binary{def: func(d, x, lo, hi float32) float32 {
		if x > lo && x < hi {
			return d
		}
		return 0
	}}
)

// grad multiplies by a derivative.
func grad(f func(float64) float64) func(d, x, a, b float32) float32 {
	return func(d, x, a, b float32) float32 { return float32(float64(d) * f(float64(x))) }
}

func geluGrad(x float64) float64 {
	return .5*(1+math.Erf(x/math.Sqrt2)) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
}

// Div writes x/y.
func Div(x, y, dst []float32) { bDiv.run(x, y, dst, 0, 0) }

// Maximum writes the larger of x and y; NaN in either gives NaN.
func Maximum(x, y, dst []float32) { bMax.run(x, y, dst, 0, 0) }

// GeluGrad writes d times the derivative of Gelu at x.
func GeluGrad(d, x, dst []float32) { bGeluGrad.run(d, x, dst, 0, 0) }

// ClipGrad writes d where lo < y < hi and 0 elsewhere, y being what was clipped.
func ClipGrad(d, y []float32, lo, hi float32, dst []float32) { bClipGrad.run(d, y, dst, lo, hi) }
