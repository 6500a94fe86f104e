package hook

import (
	"fmt"

	"pare/prune/lowrank"
	"pare/train"
)

// Truncate gives weights a low rank while they are trained (Xu, Li, Zhang, Wen, Wang, Qi,
// Chen, Lin, Xiong 2020, arXiv 2004.14566): every so many steps each matrix of an
// unfolding becomes U_e diag(s_e) V_eᵀ, e the smallest rank that keeps a share of the
// squares of its singular values, and the step is made from there; in these steps the
// gradient has Nuclear times U_e V_eᵀ added to it, the sub-gradient of the sum of its
// singular values. In all other steps it does nothing.
//
// A weight whose singular values do not converge is left as it is until the next time.
type Truncate struct {
	train.Base
	Of      []*lowrank.Unfolding
	Every   int     // steps from one truncation to the next; the first step begins with one
	Energy  float64 // share of the squares, in (0,1]; at 1 weights stay as they are
	Nuclear float64 // weight of the nuclear norm in the loss, at least 0

	params []*train.Param
	more   [][]float32 // what is added to the gradients
	due    []bool      // by weight: it is, in this step
}

// Start finds the weights among the parameters.
func (h *Truncate) Start(r *train.Run) error {
	h.params, h.more, h.due = nil, nil, make([]bool, len(h.Of))
	for _, u := range h.Of {
		p := r.Param(u.Name)
		if p == nil || len(p.W) != u.Len() {
			return fmt.Errorf("weight %q is to be of low rank but is not trained", u.Name)
		}
		h.params = append(h.params, p)
		h.more = append(h.more, make([]float32, len(p.W)))
	}
	return nil
}

// BeforeStep truncates where it is time.
func (h *Truncate) BeforeStep(r *train.Run) error {
	clear(h.due)
	if r.Step%h.Every != 0 || h.Energy == 1 && h.Nuclear == 0 {
		return nil
	}
	rank := func(values []float64) int { return lowrank.Holding(values, h.Energy) }
	for i, u := range h.Of {
		d := u.Decompose(h.params[i].W)
		if d == nil {
			continue
		}
		if h.Energy < 1 {
			d.Truncate(h.params[i].W, rank)
		}
		if h.due[i] = h.Nuclear > 0; h.due[i] {
			d.Direction(h.more[i], rank)
		}
	}
	return nil
}

// AfterGrad adds the sub-gradient in the steps that begin with a truncation.
func (h *Truncate) AfterGrad(*train.Run) error {
	by := float32(h.Nuclear)
	for i, due := range h.due {
		if !due {
			continue
		}
		g := h.params[i].G
		for k, x := range h.more[i] {
			g[k] += by * x
		}
	}
	return nil
}
