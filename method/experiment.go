package method

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Experiment is the paper's claim at small scale. Run fills the values of one
// seed; the claims judge them over all seeds.
type Experiment struct {
	About  string
	Seeds  int // used where the user names no number
	Run    func(ctx context.Context, seed uint64, put func(name string, x float64)) error
	Claims []Claim
}

// Claim is one sentence of the paper as a test that can fail.
type Claim struct {
	Text  string
	Check func(v Values) (measured string, holds bool)
}

// Values are results by name, one a seed, in the seeds' order.
type Values map[string][]float64

// Mean is the mean over seeds.
func (v Values) Mean(name string) float64 { return stat.Mean(v[name], nil) }

// Diff is a-b seed by seed.
func (v Values) Diff(a, b string) []float64 {
	out := make([]float64, len(v[a]))
	for i := range out {
		out[i] = v[a][i] - v[b][i]
	}
	return out
}

// Interval is the half-width of the 95 % confidence interval of a mean
// (Student's t); NaN for fewer than two samples.
func Interval(x []float64) float64 {
	if len(x) < 2 {
		return math.NaN()
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(len(x) - 1)}.Quantile(.975)
	return t * stat.StdDev(x, nil) / math.Sqrt(float64(len(x)))
}

// Points writes a difference of shares in percentage points with its interval,
// which one seed does not have.
func Points(x []float64) string {
	if len(x) < 2 {
		return fmt.Sprintf("%+.1f pp", 100*stat.Mean(x, nil))
	}
	return fmt.Sprintf("%+.1f ± %.1f pp", 100*stat.Mean(x, nil), 100*Interval(x))
}

// atLeast claims that a beats b by some points in the mean, and, where every is
// set, in every seed.
func atLeast(text, a, b string, points float64, every bool) Claim {
	return Claim{text, func(v Values) (string, bool) {
		d := v.Diff(a, b)
		ok := len(d) > 0 && 100*stat.Mean(d, nil) >= points
		for _, x := range d {
			ok = ok && (!every || x > 0)
		}
		return Points(d), ok
	}}
}
