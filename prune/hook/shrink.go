package hook

import (
	"fmt"
	"math"

	"pare/train"
)

// Shrink trains with a penalty on chosen numbers, so that they come to zero: the loss
// becomes
//
//	L + λ Σ_b ‖w_b‖₂
//
// with a sum over blocks of numbers that vanish together: of one number the penalty is its
// size, as on scales of batch normalisation (Liu, Li, Shen, Huang, Yan, Zhang 2017,
// equation 1); of a filter's weights it is the group lasso (Wen, Wu, Wang, Chen, Li 2016,
// equation 2). The sub-gradient λ w_b / ‖w_b‖ is added to the gradient before the optimiser
// takes it, and is 0 at 0. The loss that is reported is L alone.
type Shrink struct {
	train.Base
	Lambda float64
	Smooth bool // within a step of zero, ‖w_b‖ < λ × rate, the gradient is λ w_b: nothing jumps over zero
	Blocks []Block

	params [][]*train.Param // by block and part
}

// Block is numbers that vanish together.
type Block []Entries

// Entries are some of a parameter's numbers.
type Entries struct {
	Name string
	At   []int
}

// MaskSafe says that zeros stay: their sub-gradient is 0.
func (*Shrink) MaskSafe() {}

// Start finds the parameters.
func (h *Shrink) Start(r *train.Run) error {
	h.params = make([][]*train.Param, len(h.Blocks))
	for b, block := range h.Blocks {
		for _, e := range block {
			p := r.Param(e.Name)
			if p == nil {
				return fmt.Errorf("%q is to shrink but is not trained", e.Name)
			}
			for _, i := range e.At {
				if i < 0 || i >= len(p.W) {
					return fmt.Errorf("%q has no entry %d to shrink", e.Name, i)
				}
			}
			h.params[b] = append(h.params[b], p)
		}
	}
	return nil
}

// AfterGrad adds the sub-gradient.
func (h *Shrink) AfterGrad(r *train.Run) error {
	if h.Lambda == 0 {
		return nil
	}
	near := h.Lambda * r.Rate(r.Step)
	for b, block := range h.Blocks {
		square := 0.0
		for k, e := range block {
			w := h.params[b][k].W
			for _, i := range e.At {
				square += float64(w[i]) * float64(w[i])
			}
		}
		norm := math.Sqrt(square)
		by := h.Lambda / norm
		switch {
		case norm == 0:
			continue
		case h.Smooth && norm < near:
			by = h.Lambda
		}
		for k, e := range block {
			p := h.params[b][k]
			for _, i := range e.At {
				p.G[i] += float32(by * float64(p.W[i]))
			}
		}
	}
	return nil
}
