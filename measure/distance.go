package measure

import (
	"fmt"
	"math"
)

// Distance is how far apart two sets of weights of the same shapes are: the L2
// norm of their difference, and the angle between them in radians (Frankle,
// Dziugaite, Roy, Carbin 2019, section 3), 0 where one of them is all zero.
// Entries that a mask cuts are to be zero in both.
func Distance(a, b [][]float32) (l2, angle float64, err error) {
	if len(a) != len(b) {
		return 0, 0, fmt.Errorf("%d weights and %d have no distance", len(a), len(b))
	}
	var dd, aa, bb, ab float64
	for l := range a {
		if len(a[l]) != len(b[l]) {
			return 0, 0, fmt.Errorf("weights of %d and %d entries have no distance", len(a[l]), len(b[l]))
		}
		for i := range a[l] {
			x, y := float64(a[l][i]), float64(b[l][i])
			dd, aa, bb, ab = dd+(x-y)*(x-y), aa+x*x, bb+y*y, ab+x*y
		}
	}
	if aa > 0 && bb > 0 {
		angle = math.Acos(math.Max(-1, math.Min(1, ab/math.Sqrt(aa*bb))))
	}
	return math.Sqrt(dd), angle, nil
}
