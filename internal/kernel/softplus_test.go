package kernel

import (
	"math"
	"testing"
)

func TestSoftplus(t *testing.T) {
	inf := float32(math.Inf(1))
	x := []float32{0, float32(math.Copysign(0, -1)), inf, -inf, float32(math.NaN()), 1e30, -1e30, 1e-30, -103, -86, 88, 89}
	for i := range 4001 {
		x = append(x, float32(i-2000)/50)
	}
	eachISA(t, func(t *testing.T) {
		y := append([]float32{}, x...)
		Softplus(y, y)
		for i, v := range x {
			want := math.Max(float64(v), 0) + math.Log1p(math.Exp(-math.Abs(float64(v))))
			switch got := float64(y[i]); {
			case math.IsNaN(want) && math.IsNaN(got), math.IsInf(want, 1) && math.IsInf(got, 1):
			case !(math.Abs(got-want) <= 5e-7*want+1e-37):
				t.Fatalf("softplus(%v) = %v, want %v", v, got, want)
			}
		}
	})
}

func TestSign(t *testing.T) {
	x := []float32{2, -.5, 0, float32(math.Inf(-1)), float32(math.NaN())}
	Sign(x, x)
	for i, want := range []float32{1, -1, 0, -1} {
		if x[i] != want {
			t.Errorf("sign %d is %v, want %v", i, x[i], want)
		}
	}
	if x[4] == x[4] {
		t.Errorf("the sign of NaN is %v", x[4])
	}
}
