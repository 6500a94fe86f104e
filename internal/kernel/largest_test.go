package kernel

import (
	"math"
	"testing"
)

// Largest finds the first of the largest, and nothing among numbers that are none.
func TestLargest(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachISA(t, func(t *testing.T) {
		for _, c := range []struct {
			x    []float32
			want int
		}{{nil, -1}, {[]float32{-3}, 0}, {[]float32{1, 5, -2, 5}, 1}, {[]float32{-inf, -inf}, 0}, {[]float32{2, inf, 3}, 1}, {[]float32{9, nan, 3}, -1}} {
			for _, before := range []int{0, 15, 40} {
				x, want := make([]float32, before, before+len(c.x)), c.want
				for i := range x {
					x[i] = -1e30
				}
				if x = append(x, c.x...); want >= 0 {
					want += before
				}
				if len(c.x) == 0 && before > 0 || len(c.x) > 0 && c.x[0] == -inf && before > 0 {
					want = 0
				}
				if got := Largest(x); got != want {
					t.Errorf("%v: the largest is number %d, want %d", x, got, want)
				}
			}
		}
	})
}
