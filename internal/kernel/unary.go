package kernel

import "math"

// unary is a function of one value and up to two parameters, applied to every
// element. def is its definition; the vector forms stay within 2e-7 of it,
// relative to the result, where the comment does not say otherwise.
type unary struct {
	def              func(x, a, b float32) float32
	v512, v256, neon func(n int, x, z *float32, a, b float32)
}

func (u *unary) run(x, dst []float32, a, b float32) {
	n := len(dst)
	if len(x) < n {
		panic("kernel: operands of unequal length")
	}
	switch {
	case n == 0:
	case isa == AVX512 && u.v512 != nil:
		u.v512(n, &x[0], &dst[0], a, b)
	case isa == NEON && u.neon != nil:
		u.neon(n, &x[0], &dst[0], a, b)
	case isa != Generic && u.v256 != nil:
		u.v256(n, &x[0], &dst[0], a, b)
	default:
		for i, v := range x[:n] {
			dst[i] = u.def(v, a, b)
		}
	}
}

func f32(f func(float64) float64) func(x, a, b float32) float32 {
	return func(x, a, b float32) float32 { return float32(f(float64(x))) }
}

var (
	uExp        = unary{def: f32(math.Exp)}
	uLog        = unary{def: f32(math.Log)}
	uSigmoid    = unary{def: f32(sigmoid)}
	uTanh       = unary{def: f32(math.Tanh)}
	uErf        = unary{def: f32(math.Erf)}
	uGelu       = unary{def: f32(func(x float64) float64 { return .5 * x * (1 + math.Erf(x/math.Sqrt2)) })}
	uGeluTanh   = unary{def: f32(geluTanh)}
	uSqrt       = unary{def: f32(math.Sqrt)}
	uReciprocal = unary{def: func(x, a, b float32) float32 { return 1 / x }}
	uAbs        = unary{def: f32(math.Abs)}
	uScale      = unary{def: func(x, a, b float32) float32 { return a * x }}
	uAffine     = unary{def: func(x, a, b float32) float32 { return a*x + b }}
	uClip       = unary{def: clip}
	uHardSwish  = unary{def: func(x, a, b float32) float32 { return x * hardSigmoid(x, a, b) }}
)

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func clip(x, lo, hi float32) float32 {
	if x < lo {
		x = lo
	}
	if x > hi {
		x = hi
	}
	return x
}

func hardSigmoid(x, a, b float32) float32 { return clip(a*x+b, 0, 1) }

// geluTanh is x*(1+tanh(u))/2 = x*sigmoid(2u), u = sqrt(2/pi)*(x + 0.044715x^3).
func geluTanh(x float64) float64 { return x * sigmoid(geluArg*(x+geluCubic*x*x*x)) }

const (
	geluArg   = 1.5957691216057307 // 2*sqrt(2/pi)
	geluCubic = 0.044715
)

// Exp writes e^x.
func Exp(x, dst []float32) { uExp.run(x, dst, 0, 0) }

// Log writes the natural logarithm of x: NaN below 0, -Inf at 0.
func Log(x, dst []float32) { uLog.run(x, dst, 0, 0) }

// Sigmoid writes 1/(1+e^-x).
func Sigmoid(x, dst []float32) { uSigmoid.run(x, dst, 0, 0) }

// Tanh writes the hyperbolic tangent of x.
func Tanh(x, dst []float32) { uTanh.run(x, dst, 0, 0) }

// Erf writes the error function of x.
func Erf(x, dst []float32) { uErf.run(x, dst, 0, 0) }

// Gelu writes x*(1+erf(x/sqrt 2))/2, within 2e-7 of |x|.
func Gelu(x, dst []float32) { uGelu.run(x, dst, 0, 0) }

// GeluTanh writes the approximation x*(1+tanh(sqrt(2/pi)*(x+0.044715x^3)))/2.
func GeluTanh(x, dst []float32) { uGeluTanh.run(x, dst, 0, 0) }

// Sqrt writes the square root of x.
func Sqrt(x, dst []float32) { uSqrt.run(x, dst, 0, 0) }

// Reciprocal writes 1/x.
func Reciprocal(x, dst []float32) { uReciprocal.run(x, dst, 0, 0) }

// Abs writes |x|.
func Abs(x, dst []float32) { uAbs.run(x, dst, 0, 0) }

// Affine writes a*x + b.
func Affine(a float32, x []float32, b float32, dst []float32) { uAffine.run(x, dst, a, b) }

// Scale writes s*x.
func Scale(s float32, x, dst []float32) { uScale.run(x, dst[:len(x)], s, 0) }

// Clip writes x held between lo and hi; NaN stays NaN.
func Clip(x []float32, lo, hi float32, dst []float32) { uClip.run(x, dst, lo, hi) }

// HardSwish writes x times its hard sigmoid (a = 1/6, b = 1/2).
func HardSwish(x, dst []float32) { uHardSwish.run(x, dst, 1./6, .5) }

// Fill sets every element.
func Fill(dst []float32, v float32) {
	if len(dst) == 0 {
		return
	}
	dst[0] = v
	for n := 1; n < len(dst); n *= 2 {
		copy(dst[n:], dst[:n])
	}
}
