package hook

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"pare/internal/kernel"
	"pare/prune"
	"pare/prune/score"
	"pare/train"
)

// Latent learns masks: every weight has, beside its mask m, a latent value
// theta and a score. Forward and backward see the product z = m*theta, and so
// does whoever reads the network between steps; the optimiser moves theta by
// m * dL/dz, and the scores descend along a gradient of their own. After every
// step Project makes new masks of the scores.
//
// What is cut keeps its latent value, weight decay and momentum, and re-enters
// with them. A frozen network moves nothing but the scores and the running
// statistics of batch normalisation.
type Latent struct {
	train.Base
	*prune.Masks
	Scores
	Frozen bool

	// Grad writes the gradient of the scores of weight l to d, from its latent
	// values and the gradient g with respect to the product, in full.
	Grad func(l int, theta, g, d []float32)
	// Other, where not nil, names the batch whose gradients move the scores,
	// after the weights have moved; nil: the batch of the step, before.
	Other func(r *train.Run) (epoch, i int)
	// Project puts new masks into Masks, by the scores.
	Project func(r *train.Run) error

	params []*train.Param
	theta  [][]float32 // nil before the first step
	d      []float32
}

// Scores are real numbers beside the weights, moved by stochastic gradient
// descent with a momentum and a rate of their own.
type Scores struct {
	Score           [][]float32 // by weight
	Rate            train.Rate
	Momentum, Decay float64
	velocity        [][]float32
}

// Step moves the scores of weight l against their gradient d, at step t.
func (s *Scores) Step(l int, d []float32, t int) {
	for len(s.velocity) < len(s.Score) {
		s.velocity = append(s.velocity, make([]float32, len(s.Score[len(s.velocity)])))
	}
	k := kernel.SGDStep{LR: s.Rate(t), Momentum: s.Momentum, WeightDecay: s.Decay}
	k.Step(s.Score[l], d, s.velocity[l], nil)
}

// Start begins with the weights of the network as latent values, and checks
// that the scores fit the weights and are finite.
func (h *Latent) Start(r *train.Run) error {
	h.params = h.params[:0]
	if len(h.Score) != len(h.Weights) {
		return fmt.Errorf("scores of %d weights, but %d weights have masks", len(h.Score), len(h.Weights))
	}
	largest := 0
	for l, w := range h.Weights {
		p := r.Param(w.Name)
		if p == nil || len(p.W) != w.Len() {
			return fmt.Errorf("weight %q is masked but not trained", w.Name)
		}
		if len(h.Score[l]) != w.Len() {
			return fmt.Errorf("%d scores do not fit weight %q of %d entries", len(h.Score[l]), w.Name, w.Len())
		}
		if err := finite(w.Name, h.Score[l]); err != nil {
			return err
		}
		h.params = append(h.params, p)
		largest = max(largest, w.Len())
	}
	if h.theta == nil {
		for _, p := range h.params {
			h.theta = append(h.theta, slices.Clone(p.W))
		}
	}
	h.d = make([]float32, largest)
	if h.Frozen {
		r.Optimizer = train.Still{}
	}
	h.product()
	return nil
}

func finite(name string, x []float32) error {
	if err := score.Finite(name, x); err != nil {
		return fmt.Errorf("%w: lower the rate of the scores", err)
	}
	return nil
}

// Latent gives the latent values of weight l.
func (h *Latent) Latent(l int) []float32 { return h.theta[l] }

// product writes m*theta where the network reads it.
func (h *Latent) product() {
	for l, p := range h.params {
		copy(p.W, h.theta[l])
		h.Mask[l].Apply(p.W)
	}
}

// AfterGrad moves the scores, unless another batch does, and hands the latent
// values with their masked gradient to the optimiser.
func (h *Latent) AfterGrad(r *train.Run) error {
	if h.Other == nil {
		h.score(r.Step)
	}
	for l, p := range h.params {
		h.Mask[l].Apply(p.G)
		copy(p.W, h.theta[l])
	}
	return nil
}

func (h *Latent) score(step int) {
	for l, p := range h.params {
		d := h.d[:len(p.W)]
		h.Grad(l, h.theta[l], p.G, d)
		h.Scores.Step(l, d, step)
	}
}

// AfterStep takes the moved latent values, moves the scores by another batch
// where that is wanted, and projects.
func (h *Latent) AfterStep(r *train.Run) error {
	for l, p := range h.params {
		copy(h.theta[l], p.W)
	}
	if h.Other != nil {
		h.product()
		if _, err := r.Gradient(h.Other(r)); err != nil {
			return err
		}
		h.score(r.Step - 1)
	}
	for l, w := range h.Weights {
		if err := finite(w.Name, h.Score[l]); err != nil {
			return fmt.Errorf("step %d: %w", r.Step, err)
		}
	}
	if err := h.Project(r); err != nil {
		return fmt.Errorf("step %d: %w", r.Step, err)
	}
	h.product()
	return nil
}

// Settled says that masks follow the scores to the end.
func (h *Latent) Settled(*train.Run) bool { return false }

// MarshalBinary writes masks, latent values, scores and their velocity.
func (h *Latent) MarshalBinary() ([]byte, error) {
	out, err := h.Masks.MarshalBinary()
	if err != nil {
		return nil, err
	}
	for _, x := range h.state() {
		out = appendFloats(out, x)
	}
	return out, nil
}

// UnmarshalBinary restores them.
func (h *Latent) UnmarshalBinary(b []byte) error {
	n := 12 * prune.Total(h.Weights)
	h.theta, h.velocity = nil, nil
	if len(b) < n {
		return fmt.Errorf("the saved state of learnt masks is cut short")
	}
	if err := h.Masks.UnmarshalBinary(b[:len(b)-n]); err != nil {
		return err
	}
	b = b[len(b)-n:]
	for _, x := range h.state() {
		b = takeFloats(x, b)
	}
	return nil
}

func appendFloats(b []byte, x []float32) []byte {
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// takeFloats fills x and gives what follows.
func takeFloats(x []float32, b []byte) []byte {
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return b[4*len(x):]
}

// state lists the numbers that the next step depends on, made where there are
// none yet.
func (h *Latent) state() [][]float32 {
	if h.theta == nil {
		for _, w := range h.Weights {
			h.theta = append(h.theta, make([]float32, w.Len()))
		}
	}
	if h.velocity == nil {
		for _, w := range h.Weights {
			h.velocity = append(h.velocity, make([]float32, w.Len()))
		}
	}
	return slices.Concat(h.theta, h.Score, h.velocity)
}
