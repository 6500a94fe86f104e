package kernel

import "math"

var (
	uLeaky = unary{def: func(x, a, b float32) float32 {
		if x < 0 {
			return a * x
		}
		return b * x
	}}
	uElu = unary{def: func(x, a, b float32) float32 {
		if x < 0 {
			return a * float32(math.Expm1(float64(x)))
		}
		return b * x
	}}
	uHardSigmoid = unary{def: hardSigmoid}
	uSwish       = unary{def: func(x, a, b float32) float32 { return float32(float64(x) * sigmoid(float64(a)*float64(x))) }}
	uMish        = unary{def: f32(mish)}
	bPRelu       = binary{def: func(x, y, a, b float32) float32 {
		if x < 0 {
			return x * y
		}
		return x
	}}
	bMin = binary{def: func(x, y, a, b float32) float32 { return min(x, y) }}
)

// mish is x*tanh(log(1+e^x)).
func mish(x float64) float64 { return x * math.Tanh(math.Log1p(math.Exp(x))) }

// LeakyRelu writes a*x where x < 0, b*x elsewhere.
func LeakyRelu(x []float32, a, b float32, dst []float32) { uLeaky.run(x, dst, a, b) }

// Elu writes a*(e^x-1) where x < 0, b*x elsewhere.
func Elu(x []float32, a, b float32, dst []float32) { uElu.run(x, dst, a, b) }

// HardSigmoid writes a*x+b held between 0 and 1; NaN stays NaN.
func HardSigmoid(x []float32, a, b float32, dst []float32) { uHardSigmoid.run(x, dst, a, b) }

// Swish writes x/(1+e^(-a*x)).
func Swish(x []float32, a float32, dst []float32) { uSwish.run(x, dst, a, 0) }

// Mish writes x*tanh(log(1+e^x)), within 3e-7 relative to it.
func Mish(x, dst []float32) { uMish.run(x, dst, 0, 0) }

// PRelu writes x*slope where x < 0, x elsewhere.
func PRelu(x, slope, dst []float32) { bPRelu.run(x, slope, dst, 0, 0) }

// Minimum writes the smaller of x and y; NaN in either gives NaN.
func Minimum(x, y, dst []float32) { bMin.run(x, y, dst, 0, 0) }

// Comparison is how Choose compares.
type Comparison uint8

// The comparisons; none holds for NaN.
const (
	Above    Comparison = iota // x > s
	NotBelow                   // x >= s
	Below                      // x < s
	NotAbove                   // x <= s
)

// choice is a function of three values and a number: y where x compares with s,
// else w.
type choice struct {
	def        func(x, s float32) bool
	v512, v256 func(n int, x, y, w, z *float32, s float32)
}

// choices by Comparison.
var choices = [...]choice{
	{def: func(x, s float32) bool { return x > s }},
	{def: func(x, s float32) bool { return x >= s }},
	{def: func(x, s float32) bool { return x < s }},
	{def: func(x, s float32) bool { return x <= s }},
}

// Choose writes y where x compares with s, and w elsewhere.
func Choose(by Comparison, x []float32, s float32, y, w, dst []float32) {
	c, n := &choices[by], len(dst)
	if len(x) < n || len(y) < n || len(w) < n {
		panic("kernel: operands of unequal length")
	}
	switch {
	case n == 0:
	case isa == AVX512 && c.v512 != nil:
		c.v512(n, &x[0], &y[0], &w[0], &dst[0], s)
	case isa >= AVX2 && c.v256 != nil:
		c.v256(n, &x[0], &y[0], &w[0], &dst[0], s)
	default:
		for i, v := range x[:n] {
			if c.def(v, s) {
				dst[i] = y[i]
			} else {
				dst[i] = w[i]
			}
		}
	}
}
