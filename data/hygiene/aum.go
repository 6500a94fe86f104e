package hygiene

import (
	"fmt"
	"math"
)

// AUM is the area under the margin (Pleiss, Zhang, Elenberg and Weinberger, NeurIPS 2020,
// equations 1 and 2): the mean over the epochs of a training of how far the output of a
// sample's label, before the softmax, is above the highest of the others. Samples whose
// label is wrong have low ones.
type AUM struct {
	sum    []float64
	epochs int
}

// NewAUM is for n samples.
func NewAUM(n int) *AUM { return &AUM{sum: make([]float64, n)} }

// Add takes the outputs of an epoch in, n x classes.
func (a *AUM) Add(outputs []float32, labels []int32, classes int) error {
	n := len(a.sum)
	if classes < 2 || len(outputs) != n*classes || len(labels) != n {
		return fmt.Errorf("%d outputs and %d labels do not fit %d samples of %d classes", len(outputs), len(labels), n, classes)
	}
	margin := make([]float64, n)
	for i, l := range labels {
		if l < 0 || int(l) >= classes {
			return fmt.Errorf("label %d of sample %d is outside the %d classes", l, i, classes)
		}
		other := math.Inf(-1)
		for k, v := range outputs[i*classes : (i+1)*classes] {
			if k != int(l) {
				other = max(other, float64(v))
			}
		}
		margin[i] = float64(outputs[i*classes+int(l)]) - other
		if math.IsNaN(margin[i]) || math.IsInf(margin[i], 0) {
			return fmt.Errorf("the outputs of sample %d have a NaN or an infinity", i)
		}
	}
	for i, m := range margin {
		a.sum[i] += m
	}
	a.epochs++
	return nil
}

// Values are the areas so far, one a sample; NaN before the first epoch.
func (a *AUM) Values() []float64 {
	out := make([]float64, len(a.sum))
	for i, s := range a.sum {
		out[i] = s / float64(a.epochs)
	}
	return out
}

// LowMargin is a label that is likely wrong by the area under its margin.
type LowMargin struct {
	Sample int     `json:"sample"`
	Given  int32   `json:"given"`
	Margin float64 `json:"margin"` // less the threshold
}

// marginal finds the labels of the first set whose margins are low, the lowest first.
func (f *Findings) marginal(margins []float64, labels []int32) error {
	n := f.corpus[0].Len()
	if len(margins) != n {
		return fmt.Errorf("%d margins do not fit the %d samples of the %s set", len(margins), n, f.corpus[0].Name)
	}
	for _, i := range ascending(n, func(i int) float64 { return margins[i] }) {
		if margins[i] <= 0 {
			f.LowMargin = append(f.LowMargin, LowMargin{i, labels[i], margins[i]})
		}
	}
	return nil
}
