package prune

import (
	"fmt"

	"pare/train"
)

// Hold keeps the cut entries of masked weights at zero while training moves
// the others: after every step the weights and the optimiser's state are
// masked. Masks may be replaced between steps.
type Hold struct {
	train.Base
	*Masks
	params []*train.Param // parallel to the masks
}

// Start finds the parameters that the masks belong to, and applies the masks.
func (h *Hold) Start(r *train.Run) error {
	h.params = h.params[:0]
	for _, w := range h.Weights {
		p := r.Param(w.Name)
		if p == nil || len(p.W) != w.Len() {
			return fmt.Errorf("weight %q is masked but not trained", w.Name)
		}
		h.params = append(h.params, p)
	}
	return h.AfterStep(r)
}

// AfterStep zeroes the cut entries of weights and optimiser state.
func (h *Hold) AfterStep(*train.Run) error {
	for i, p := range h.params {
		h.Mask[i].Apply(p.W)
		for _, s := range p.State {
			h.Mask[i].Apply(s)
		}
	}
	return nil
}
