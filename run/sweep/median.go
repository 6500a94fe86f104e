package sweep

import (
	"math"
	"slices"
)

// Median is the median stopping rule of Vizier (Golovin et al. 2017): a run is stopped at an
// epoch where the best that it has come to by then is worse than the median, over others, of
// the mean of what they had come to in each epoch by then. The others are those that are
// ranked with it, have ended (or were stopped), and came as far.
type Median struct {
	After int // epochs before which no run is stopped
	Least int // others without which none is
}

// Hopeless says whether a run is to be stopped at the epoch that its curve ends in, and the
// median that it is below. Epochs without a number are left out of best and mean.
func (m *Median) Hopeless(curve []float64, others [][]float64, higher bool) (median float64, stop bool) {
	n := len(curve)
	if n == 0 || n < m.After {
		return 0, false
	}
	var means []float64
	for _, o := range others {
		if len(o) < n {
			continue
		}
		if x := mean(o[:n]); !math.IsNaN(x) {
			means = append(means, x)
		}
	}
	if len(means) < max(1, m.Least) {
		return 0, false
	}
	slices.Sort(means)
	k := len(means) / 2
	median = means[k]
	if len(means)%2 == 0 {
		median = (means[k-1] + means[k]) / 2
	}
	best := math.NaN()
	for _, x := range curve {
		if order(x, best, higher) < 0 {
			best = x
		}
	}
	return median, order(median, best, higher) < 0
}

// mean is that of the numbers among some values, NaN where there is none.
func mean(xs []float64) float64 {
	sum, n := 0., 0
	for _, x := range xs {
		if !math.IsNaN(x) {
			sum, n = sum+x, n+1
		}
	}
	return sum / float64(n)
}
