package kernel

import "math"

// binary is a function of two values and up to two parameters, applied to
// every pair of elements.
type binary struct {
	def        func(x, y, a, b float32) float32
	v512, v256 func(n int, x, y, z *float32, a, b float32)
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
	case isa >= AVX2 && u.v256 != nil:
		u.v256(n, &x[0], &y[0], &dst[0], a, b)
	default:
		for i, v := range x[:n] {
			dst[i] = u.def(v, y[i], a, b)
		}
	}
}

var (
	bDiv          = binary{def: func(x, y, a, b float32) float32 { return x / y }}
	bMax          = binary{def: func(x, y, a, b float32) float32 { return max(x, y) }}
	bMin          = binary{def: func(x, y, a, b float32) float32 { return min(x, y) }}
	bSigmoidGrad  = binary{def: func(d, y, a, b float32) float32 { return d * y * (1 - y) }}
	bTanhGrad     = binary{def: func(d, y, a, b float32) float32 { return d * (1 - y*y) }}
	bGeluGrad     = binary{def: grad(geluGrad)}
	bGeluTanhGrad = binary{def: grad(geluTanhGrad)}
	bSiluGrad     = binary{def: grad(func(x float64) float64 { s := sigmoid(x); return s * (1 + x*(1-s)) })}
	bErfGrad      = binary{def: grad(func(x float64) float64 { return 2 / math.SqrtPi * math.Exp(-x*x) })}
	bClipGrad     = binary{def: func(d, x, lo, hi float32) float32 {
		if x > lo && x < hi {
			return d
		}
		return 0
	}}
	bHardSigmoidGrad = binary{def: func(d, x, a, b float32) float32 {
		if u := a*x + b; u > 0 && u < 1 {
			return a * d
		}
		return 0
	}}
	bHardSwishGrad = binary{def: func(d, x, a, b float32) float32 {
		switch u := a*x + b; {
		case u <= 0:
			return 0
		case u >= 1:
			return d
		default:
			return d * (u + a*x)
		}
	}}
)

// grad multiplies by a derivative.
func grad(f func(float64) float64) func(d, x, a, b float32) float32 {
	return func(d, x, a, b float32) float32 { return float32(float64(d) * f(float64(x))) }
}

func geluGrad(x float64) float64 {
	return .5*(1+math.Erf(x/math.Sqrt2)) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
}

func geluTanhGrad(x float64) float64 {
	s := sigmoid(geluArg * (x + geluCubic*x*x*x))
	return s + x*s*(1-s)*geluArg*(1+3*geluCubic*x*x)
}

// Div writes x/y.
func Div(x, y, dst []float32) { bDiv.run(x, y, dst, 0, 0) }

// Maximum writes the larger of x and y; NaN in either gives NaN.
func Maximum(x, y, dst []float32) { bMax.run(x, y, dst, 0, 0) }

// Minimum writes the smaller of x and y; NaN in either gives NaN.
func Minimum(x, y, dst []float32) { bMin.run(x, y, dst, 0, 0) }

// SigmoidGrad writes d*y*(1-y), where y is the sigmoid.
func SigmoidGrad(d, y, dst []float32) { bSigmoidGrad.run(d, y, dst, 0, 0) }

// TanhGrad writes d*(1-y*y), where y is the tangent.
func TanhGrad(d, y, dst []float32) { bTanhGrad.run(d, y, dst, 0, 0) }

// ErfGrad writes d*2/sqrt(pi)*e^(-x*x).
func ErfGrad(d, x, dst []float32) { bErfGrad.run(d, x, dst, 0, 0) }

// GeluGrad writes d times the derivative of Gelu at x.
func GeluGrad(d, x, dst []float32) { bGeluGrad.run(d, x, dst, 0, 0) }

// GeluTanhGrad writes d times the derivative of GeluTanh at x.
func GeluTanhGrad(d, x, dst []float32) { bGeluTanhGrad.run(d, x, dst, 0, 0) }

// SiluGrad writes d times the derivative of Silu at x.
func SiluGrad(d, x, dst []float32) { bSiluGrad.run(d, x, dst, 0, 0) }

// ClipGrad writes d where lo < y < hi and 0 elsewhere, y being what was clipped.
func ClipGrad(d, y []float32, lo, hi float32, dst []float32) { bClipGrad.run(d, y, dst, lo, hi) }

// HardSigmoidGrad writes a*d where 0 < a*x+b < 1 and 0 elsewhere.
func HardSigmoidGrad(d, x []float32, a, b float32, dst []float32) {
	bHardSigmoidGrad.run(d, x, dst, a, b)
}

// HardSwishGrad writes d times the derivative of HardSwish at x.
func HardSwishGrad(d, x, dst []float32) { bHardSwishGrad.run(d, x, dst, 1./6, .5) }
