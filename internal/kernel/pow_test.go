package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Powers are those of float64, rounded: half an ulp and the 1e-11 that the tables are
// off by; and the rules of zeros, infinities and what is no number hold.
func TestPow(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, 2, -2, 3, .5, -.5, inf, -inf, nan, 1e-40, 3e38, 1.5, -1.5}
	check := func(x, y float32) {
		t.Helper()
		z := make([]float32, 2)
		Pow([]float32{x}, []float32{y}, z[:1])
		PowOf([]float32{x}, y, z[1:])
		exact := math.Pow(float64(x), float64(y))
		for _, v := range z {
			d := math.Abs(float64(v) - exact)
			if v != float32(exact) && !(v != v && exact != exact) && !(d <= math.Abs(exact)*(.5000002/(1<<23))) {
				t.Fatalf("%v^%v = %v, want %v", x, y, v, exact)
			}
		}
	}
	for _, x := range special {
		for _, y := range special {
			check(x, y)
		}
	}
	for range 200000 {
		x := float32(math.Exp(6 * r.NormFloat64()))
		check(x, float32(3*r.NormFloat64()))
		check(float32(1+1e-3*r.NormFloat64()), float32(1e4*r.NormFloat64()))
	}
}
