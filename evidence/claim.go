package evidence

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
)

// Claim is one sentence of the paper as a test that can fail.
type Claim struct {
	Text  string
	Check func(v Values) (measured string, holds bool)
}

// AtLeast claims that a beats b by some points in the mean, and, where every is
// set, in every seed.
func AtLeast(text, a, b string, points float64, every bool) Claim {
	return Claim{text, func(v Values) (string, bool) {
		d := v.Diff(a, b)
		ok := len(d) > 0 && 100*stat.Mean(d, nil) >= points
		for _, x := range d {
			ok = ok && (!every || x > 0)
		}
		return Points(d), ok
	}}
}

// EveryAtLeast claims that a beats b by a number of points in every seed.
func EveryAtLeast(text, a, b string, points float64) Claim {
	return Claim{text, func(v Values) (string, bool) {
		d := v.Diff(a, b)
		ok := len(d) > 0
		least := math.Inf(1)
		for _, x := range d {
			least = math.Min(least, 100*x)
			ok = ok && 100*x >= points
		}
		return fmt.Sprintf("%s, at least %+.1f", Points(d), least), ok
	}}
}

// Within claims that a and b differ by at most a number of points in the mean.
func Within(text, a, b string, points float64) Claim {
	return Claim{text, func(v Values) (string, bool) {
		d := v.Diff(a, b)
		return Points(d), len(d) > 0 && math.Abs(100*stat.Mean(d, nil)) <= points
	}}
}
