package method

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
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

// Values runs seeds 1 to n, as many at a time as there are cores, and reports
// how many are done.
func (e *Experiment) Values(ctx context.Context, n int, done func(int)) (Values, error) {
	type one struct {
		names []string
		x     []float64
	}
	out := make([]one, n)
	var ready atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for s := range n {
		group.Go(func() error {
			err := e.Run(ctx, uint64(s+1), func(name string, x float64) {
				out[s].names, out[s].x = append(out[s].names, name), append(out[s].x, x)
			})
			if err != nil {
				return fmt.Errorf("seed %d: %w", s+1, err)
			}
			done(int(ready.Add(1)))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	v := Values{}
	for _, o := range out {
		for i, name := range o.names {
			v[name] = append(v[name], o.x[i])
		}
	}
	return v, nil
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
