package train

import (
	"fmt"
	"math"

	"pare/internal/kernel"
)

// SAM is sharpness-aware minimisation (Foret, Kleiner, Mobahi, Neyshabur 2021,
// equation 3): the step is made with the gradient at w + e, e = Rho g/(||g||+1e-12),
// where g is the gradient of the batch at w. Rho 0 is the plain step. It costs a
// second pass a step; running statistics move by the second.
type SAM struct {
	Base
	Rho float64

	w [][]float32 // the weights before the excursion
}

// Start returns an error for a radius that is not a number of at least 0.
func (s *SAM) Start(r *Run) error {
	if !(s.Rho >= 0) || math.IsInf(s.Rho, 0) {
		return fmt.Errorf("the radius rho %v of sharpness-aware minimisation is not a number of at least 0", s.Rho)
	}
	s.w = nil
	for _, p := range r.Params {
		s.w = append(s.w, make([]float32, len(p.W)))
	}
	return nil
}

// AfterGrad replaces the gradients by those at the perturbed weights.
func (s *SAM) AfterGrad(r *Run) error {
	if s.Rho == 0 {
		return nil
	}
	sum := 0.0
	for _, p := range r.Params {
		sum += kernel.Dot(p.G, p.G)
	}
	step := float32(s.Rho / (math.Sqrt(sum) + 1e-12))
	for i, p := range r.Params {
		copy(s.w[i], p.W)
		for k, g := range p.G {
			p.W[k] += step * g
		}
	}
	_, err := r.Gradient(r.Epoch, r.Index)
	for i, p := range r.Params {
		copy(p.W, s.w[i])
	}
	return err
}
