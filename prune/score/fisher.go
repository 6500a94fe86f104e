package score

import (
	"fmt"

	"pare/graph"
	"pare/prune"
	"pare/prune/structure"
)

// Fisher gathers the diagonal of the empirical Fisher information of weights, the mean
// square of the gradients of a loss by them, over batches that are as small as possible.
// It stands for the diagonal of the Hessian in the saliency of Optimal Brain Damage
//
//	h_ii w_i² / 2
//
// what the loss rises by without a weight, at a minimum, where the first order vanishes
// (LeCun, Denker, Solla 1990, equation 5; with the Fisher information in the Hessian's
// place: Theis, Korshunova, Tejani, Huszár 2018, arXiv 1801.05787).
type Fisher struct {
	Of []*graph.Value // whose gradients it takes, in their order

	batches int
	square  [][]float64
}

// NewFisher begins with no batch.
func NewFisher(of []*graph.Value) *Fisher {
	f := &Fisher{Of: of}
	for _, v := range of {
		f.square = append(f.square, make([]float64, v.Const.Len()))
	}
	return f
}

// Add takes the gradients of a batch's loss by Of. It returns an error where one is not
// finite.
func (f *Fisher) Add(grads [][]float32) error {
	f.batches++
	for l, v := range f.Of {
		if err := Finite(v.Name, grads[l]); err != nil {
			return fmt.Errorf("the loss on batch %d: %w", f.batches, err)
		}
		for i, g := range grads[l] {
			f.square[l][i] += float64(g) * float64(g)
		}
	}
	return nil
}

// Saliency is that of every entry on the batches so far.
func (f *Fisher) Saliency() map[*graph.Value][]float32 {
	out := map[*graph.Value][]float32{}
	for l, v := range f.Of {
		s := make([]float32, len(f.square[l]))
		for i, w := range v.Const.F32() {
			s[i] = float32(float64(w) * float64(w) * f.square[l][i] / float64(2*max(1, f.batches)))
		}
		out[v] = s
	}
	return out
}

// Taylor2 rates coupled channels by the saliency of Optimal Brain Damage of the weights
// that read them (see Fisher): the second order of the loss, the weights one by one. Taylor
// is the square of the first order, the weights of a channel together. Groups that no
// trained weight reads are summed over those that make them.
type Taylor2 struct {
	*Fisher
	groups []*structure.Group
	of     [][]part
}

// NewTaylor2 begins with no batch. ws are as for NewTaylor.
func NewTaylor2(groups []*structure.Group, ws []*prune.Weight) *Taylor2 {
	of, parts := readers(groups, ws)
	return &Taylor2{NewFisher(of), groups, parts}
}

// Rates are those of the batches so far.
func (t *Taylor2) Rates() [][]float64 {
	saliency := t.Saliency()
	out := make([][]float64, len(t.groups))
	for k, g := range t.groups {
		out[k] = make([]float64, len(g.Channels))
		for _, p := range t.of[k] {
			g.Sum(out[k], p.axis, saliency[t.Of[p.weight]], 1)
		}
	}
	return out
}
