package evidence

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Values are results by name: one for each seed, in the order of the seeds.
type Values map[string][]float64

// Mean is the mean over seeds.
func (v Values) Mean(name string) float64 { return stat.Mean(v[name], nil) }

// Diff is a-b seed by seed; nil where one of them was not measured.
func (v Values) Diff(a, b string) []float64 {
	if len(v[a]) != len(v[b]) {
		return nil
	}
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
