// Package scaling is the law by which the loss of a language model after its pre-training
// depends on its size and its tokens, for dense models and for those that are pruned
// meanwhile (Jin, Humayun, Evci, Subramanian, Yazdanbakhsh, Alistarh, Dziugaite: The Journey
// Matters, ICLR 2025, arXiv 2501.12486): what counts is the average number of parameters
// over the training. It holds the average of a schedule, windows in compute, the fit of the
// law to runs, and predictions with intervals.
package scaling

import (
	"math"

	"pare/catalog"
)

// Window is when a network is pruned, as shares of the tokens of its training: from Begin to
// End its sparsity rises to Sparsity along 1-(1-u)^Power.
type Window struct{ Begin, End, Sparsity, Power float64 }

// Check returns an error where the window is none.
func (w Window) Check() error {
	in := func(x float64) bool { return x >= 0 && x <= 1 }
	switch {
	case !(w.Sparsity >= 0 && w.Sparsity < 1):
		return catalog.Bad("Sparsity", w.Sparsity, "a share of 0 or more, below 1,")
	case !in(w.Begin) || !in(w.End) || w.End < w.Begin:
		return catalog.Errorf("{Begin} %v and {End} %v: shares of the training, the first not behind the second, are needed", w.Begin, w.End)
	case !(w.Power > 0) || math.IsInf(w.Power, 0):
		return catalog.Bad("Power", w.Power, "a number above 0")
	}
	return nil
}

// Left is the share of the parameters that is left at a share x of the tokens.
func (w Window) Left(x float64) float64 {
	switch {
	case x < w.Begin:
		return 1
	case x >= w.End:
		return 1 - w.Sparsity
	}
	return 1 - w.Sparsity*(1-math.Pow(1-(x-w.Begin)/(w.End-w.Begin), w.Power))
}

// Average is the share of the parameters that is there on average over the tokens:
// 1 - s (p/(p+1) (end-begin) + 1-end), of a cubic 3/4 in the place of p/(p+1).
func (w Window) Average() float64 {
	return 1 - w.Sparsity*(w.Power/(w.Power+1)*(w.End-w.Begin)+1-w.End)
}

// InCompute is the window, in tokens, that begins and ends at shares of the compute of the
// training, where each token costs as much as there are parameters.
func InCompute(begin, end, sparsity, power float64) (Window, error) {
	w := Window{begin, end, sparsity, power}
	if err := w.Check(); err != nil {
		return w, err
	}
	mean := 1 / (begin + (end-begin)/(1-power/(power+1)*sparsity) + (1-end)/(1-sparsity))
	w.Begin, w.End = begin*mean, 1-(1-end)*mean/(1-sparsity)
	return w, nil
}
