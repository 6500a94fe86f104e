// Package schedule says when how much is cut: sparsity as a function of the
// training step, and the steps at which masks are recomputed.
package schedule

import (
	"fmt"
	"math"
)

// Gradual raises the sparsity from Initial to Final between the steps Begin
// and End along a polynomial (Zhu & Gupta 2017, equation 1, with power 3):
//
//	s_t = s_f + (s_i - s_f) * (1 - (t-t_0)/(t_end-t_0))^p
//
// Masks change at Begin, Begin+Every, ... and, whether or not Every divides
// the window, at End, where the sparsity is exactly Final.
type Gradual struct {
	Initial, Final float64 // sparsities in [0,1), Initial <= Final
	Begin, End     int     // steps, Begin < End
	Every          int     // steps between events
	Power          float64 // 3 is the paper's; 1 is linear
}

// Check returns an error that names the first field out of range. steps is the
// length of the training, which the window must not pass.
func (g Gradual) Check(steps int) error {
	in := func(s float64) bool { return s >= 0 && s < 1 }
	switch {
	case !in(g.Initial):
		return fmt.Errorf("initial sparsity %v is outside [0,1)", g.Initial)
	case !in(g.Final):
		return fmt.Errorf("final sparsity %v is outside [0,1)", g.Final)
	case g.Final < g.Initial:
		return fmt.Errorf("final sparsity %v is below the initial %v", g.Final, g.Initial)
	case g.Begin < 0:
		return fmt.Errorf("the schedule begins at step %d, before the first", g.Begin)
	case g.End <= g.Begin:
		return fmt.Errorf("the schedule ends at step %d, not after its begin at %d", g.End, g.Begin)
	case g.Every <= 0:
		return fmt.Errorf("%d steps between pruning events: at least 1 is needed", g.Every)
	case !(g.Power > 0) || math.IsInf(g.Power, 0):
		return fmt.Errorf("power %v of the schedule is not a positive number", g.Power)
	case g.End > steps:
		return fmt.Errorf("the schedule ends at step %d, but training has %d steps: the final sparsity would never be reached", g.End, steps)
	}
	return nil
}

// At is the sparsity at step t: Initial before Begin, Final from End on.
func (g Gradual) At(t int) float64 {
	switch {
	case t < g.Begin:
		return g.Initial
	case t >= g.End:
		return g.Final
	}
	x := float64(t-g.Begin) / float64(g.End-g.Begin)
	return g.Final + (g.Initial-g.Final)*math.Pow(1-x, g.Power)
}

// Event says whether masks are recomputed at step t.
func (g Gradual) Event(t int) bool {
	return t == g.End || t >= g.Begin && t < g.End && (t-g.Begin)%g.Every == 0
}

// Events lists the steps at which masks are recomputed.
func (g Gradual) Events() []int {
	var out []int
	for t := g.Begin; t < g.End; t += g.Every {
		out = append(out, t)
	}
	return append(out, g.End)
}

// Iterative is the sparsity after each of n rounds that all cut the same share
// of what is left: 1-(1-final)^(i/n), the last exactly final.
func Iterative(final float64, n int) ([]float64, error) {
	if math.IsNaN(final) || final < 0 || final >= 1 {
		return nil, fmt.Errorf("sparsity %v is outside [0,1)", final)
	}
	if n < 1 {
		return nil, fmt.Errorf("%d rounds of pruning: at least 1 is needed", n)
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = 1 - math.Pow(1-final, float64(i+1)/float64(n))
	}
	out[n-1] = final
	return out, nil
}
