package language

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"pare/graph"
	"pare/prune/hook"
	"pare/train"
)

// l0 learns gates under a constraint. At each step every gate is drawn from its hard
// concrete distribution, the same for all samples and tokens; to the loss comes
//
//	λ1 (e - t) + λ2 (e - t)²
//
// with e the expected sparsity and t the target of the step, which rises from 0. The
// logits go down by AdamW without decay, the multipliers λ up.
type l0 struct {
	train.Base
	*layout
	Gates      *graph.Value // [1, gates+1]; the last one is 1
	Adapters   *hook.Adapters
	Target     float64
	Tolerance  float64 // below the target by this much the gates still are a candidate
	Warm       int     // steps over which t rises
	Cubic      bool
	Rate       float64 // of the logits
	Multiplier float64 // rate of the multipliers
	Seed       uint64
	Each       int       // steps an epoch
	Judged     bool      // candidates are compared by their loss on the validation set
	Fixed      []float64 // gates; nil: they are learned

	l0State

	own          *train.Param
	slope        []float64 // of the gates by their logits
	by, gradient []float64 // of the sparsity by the numbers of gates; of the loss by the logits
}

// l0State is what a checkpoint holds.
type l0State struct {
	A           []float64 // logits
	M1, M2      []float64 // their moments
	Lambda      [2]float64
	L1, L2      [2]float64 // their moments
	Course      []float64  // expected sparsity after each epoch
	Best        []float64  // logits of the best candidate; nil: there is none
	BestLoss    float64
	BestEpoch   int
	BestWeights [][]float32 // of the adapters
}

// newLogits draws logits at their beginning.
func (h *l0) newLogits() {
	r := rand.New(rand.NewPCG(h.Seed, 0x10))
	h.A, h.M1, h.M2 = make([]float64, h.gates), make([]float64, h.gates), make([]float64, h.gates)
	for _, v := range h.vectors {
		mean := startOther
		if partOf(v.kind) == "intermediate" {
			mean = startIntermediate
		}
		for c := range v.n {
			h.A[v.first+c] = mean + .01*r.NormFloat64()
		}
	}
}

// Reparametrise takes the gates out of what the optimiser moves.
func (h *l0) Reparametrise(ps []*train.Param) ([]*train.Param, error) {
	i := slices.IndexFunc(ps, func(p *train.Param) bool { return p.Value.Name == h.Gates.Name })
	if i < 0 {
		return nil, fmt.Errorf("the gates %q are not trained", h.Gates.Name)
	}
	h.own = ps[i]
	h.slope, h.gradient, h.by = make([]float64, h.gates), make([]float64, h.gates), make([]float64, len(h.vectors))
	return slices.Delete(slices.Clone(ps), i, i+1), nil
}

// Start has the gates be those of the end of an epoch, where a run goes on there.
func (h *l0) Start(r *train.Run) error { return h.AfterStep(r) }

// fix ends the learning of gates.
func (h *l0) fix(z []float64) {
	h.Fixed = z
	for i, x := range z {
		h.Gates.Const.F32()[i] = float32(x)
	}
}

// BeforeStep draws the gates.
func (h *l0) BeforeStep(r *train.Run) error {
	if h.Fixed != nil {
		h.set(h.Fixed)
		return nil
	}
	draw := rand.New(rand.NewPCG(h.Seed, 0x35<<48|uint64(r.Step)))
	for _, v := range h.vectors {
		for i := v.first; i < v.first+v.n; i++ {
			u := rareMost + (1-2*rareMost)*draw.Float64()
			if !v.learned {
				continue
			}
			z, slope := concrete(h.A[i], u)
			h.own.W[i], h.slope[i] = float32(z), slope
		}
	}
	return nil
}

// set writes gates where the network reads them.
func (h *l0) set(z []float64) {
	for i, x := range z {
		h.own.W[i] = float32(x)
	}
}

// target is that of a step.
func (h *l0) target(step int) float64 {
	if step >= h.Warm {
		return h.Target
	}
	s := float64(step) / float64(h.Warm)
	if h.Cubic {
		return h.Target * (1 - math.Pow(1-s, 3))
	}
	return h.Target * s
}

// AfterGrad moves logits and multipliers.
func (h *l0) AfterGrad(r *train.Run) error {
	if h.Fixed != nil {
		return nil
	}
	off := h.sparsity(h.expected(h.A), h.by) - h.target(r.Step)
	pull := h.Lambda[0] + 2*h.Lambda[1]*off
	for i, v := range h.vectors {
		if !v.learned {
			continue
		}
		for c := v.first; c < v.first+v.n; c++ {
			_, slope := alive(h.A[c])
			h.gradient[c] = float64(h.own.G[c])*h.slope[c] + pull*h.by[i]*slope
		}
	}
	for c := range h.A {
		h.A[c] -= h.Rate * adam(&h.M1[c], &h.M2[c], h.gradient[c], r.Step-r.From)
		if x := h.A[c]; x-x != 0 {
			return fmt.Errorf("step %d: the logit of a gate is %v: lower {GateLR} or {LoraLR}", r.Step, x)
		}
		h.A[c] = math.Min(logitHigh, math.Max(logitLow, h.A[c]))
	}
	for i, g := range [2]float64{off, off * off} {
		h.Lambda[i] += h.Multiplier * adam(&h.L1[i], &h.L2[i], g, r.Step-r.From)
	}
	return nil
}

// adam is the step of Adam (Kingma, Ba 2015) for a gradient, at rate 1.
func adam(first, second *float64, g float64, step int) float64 {
	const b1, b2, eps = .9, .999, 1e-8
	*first = b1**first + (1-b1)*g
	*second = b2**second + (1-b2)*g*g
	t := float64(step + 1)
	return *first / (1 - math.Pow(b1, t)) / (math.Sqrt(*second/(1-math.Pow(b2, t))) + eps)
}

// AfterStep hardens the gates at the end of an epoch: the network is judged with these.
func (h *l0) AfterStep(r *train.Run) error {
	if h.Fixed == nil && r.Step%h.Each == 0 {
		h.set(h.harden(h.A))
	}
	return nil
}

// AfterEpoch keeps what is a candidate.
func (h *l0) AfterEpoch(_ *train.Run, e train.Epoch) error {
	if h.Fixed != nil {
		return nil
	}
	got := h.sparsity(h.expected(h.A), nil)
	h.Course = append(h.Course, got)
	if got < h.Target-h.Tolerance || h.Judged && h.Best != nil && !(e.ValLoss < h.BestLoss) {
		return nil
	}
	h.Best, h.BestLoss, h.BestEpoch = slices.Clone(h.A), e.ValLoss, e.Epoch
	h.BestWeights = nil
	for _, x := range h.Adapters.Arrays() {
		h.BestWeights = append(h.BestWeights, slices.Clone(x.W))
	}
	return nil
}

// restore goes back to the best candidate. It says whether there is one.
func (h *l0) restore() bool {
	if h.Best == nil {
		return false
	}
	h.A = h.Best
	for i, x := range h.Adapters.Arrays() {
		copy(x.W, h.BestWeights[i])
	}
	return true
}

// Name identifies the state in a checkpoint.
func (*l0) Name() string { return "l0 gates" }

// MarshalBinary writes the state.
func (h *l0) MarshalBinary() ([]byte, error) { return json.Marshal(h.l0State) }

// UnmarshalBinary restores it.
func (h *l0) UnmarshalBinary(b []byte) error {
	var s l0State
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("the saved state of the gates: %w", err)
	}
	arrays := h.Adapters.Arrays()
	fits := len(s.A) == h.gates && len(s.M1) == h.gates && len(s.M2) == h.gates && (s.Best == nil || len(s.Best) == h.gates && len(s.BestWeights) == len(arrays))
	for i, w := range s.BestWeights {
		fits = fits && i < len(arrays) && len(w) == len(arrays[i].W)
	}
	if !fits {
		return fmt.Errorf("the saved state is of %d gates, the network has %d", len(s.A), h.gates)
	}
	h.l0State = s
	return nil
}
