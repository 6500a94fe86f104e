package structured

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"pare/graph"
	"pare/train"
)

// gumbel are binary gates on channels, drawn anew for every sample of every step. With a
// logit π and two numbers of Gumbel noise, whose difference is a logistic number n, a gate is
//
//	g = 1[s > 1/2],  s = σ((π + n) / τ)
//
// and has the slope of s in the backward pass. To the loss come
//
//	α Σ (F(q) - target)²,  the cost F of a network with q_u of each channel, and
//	β (1/U) Σ q_u (1 - q_u),  the polarisation
//
// with q_u the mean of a gate over the batch: polarisation is 0 where all samples agree.
type gumbel struct {
	train.Base
	Gates       *graph.Value // [batch, gates+1]; the last column is 1
	Layers      []layerOf
	Costs       costs
	Targets     [2]float64 // shares of multiply-accumulates and parameters; 0: not asked
	Alpha, Beta float64
	Warm        float64 // share of the training over which Beta rises from 0
	Tau         float64
	Rate        float64 // of the logits, as a share of the weights'
	Momentum    float64
	Seed        uint64
	Logit       []float64

	own      *train.Param // the gates
	velocity []float64
	slope    []float64 // of the gates of the batch by their logits, [batch, gates]
	q, by    []float64 // mean of each gate, and of its slope
	gone, d  []float64 // by group
}

// Reparametrise takes the gates out of what the optimiser moves.
func (h *gumbel) Reparametrise(ps []*train.Param) ([]*train.Param, error) {
	i := slices.IndexFunc(ps, func(p *train.Param) bool { return p.Value.Name == h.Gates.Name })
	if i < 0 {
		return nil, fmt.Errorf("the gates %q are not trained", h.Gates.Name)
	}
	h.own = ps[i]
	u := len(h.Logit)
	h.slope = make([]float64, h.Gates.Const.Shape[0]*u)
	h.q, h.by, h.velocity = make([]float64, u), make([]float64, u), make([]float64, u)
	h.gone, h.d = make([]float64, h.Costs.Groups()), make([]float64, h.Costs.Groups())
	return slices.Delete(slices.Clone(ps), i, i+1), nil
}

// BeforeStep draws the gates.
func (h *gumbel) BeforeStep(r *train.Run) error {
	draw := rand.New(rand.NewPCG(h.Seed, 0x6a<<48|uint64(r.Step)))
	u, batch := len(h.Logit), h.Gates.Const.Shape[0]
	clear(h.q)
	clear(h.by)
	for b := range batch {
		row, slope := h.own.W[b*(u+1):(b+1)*(u+1)], h.slope[b*u:(b+1)*u]
		for _, of := range h.Layers {
			best, most := of.First, math.Inf(-1)
			on := false
			for c := of.First; c < of.First+of.N; c++ {
				x := draw.Float64()
				z := h.Logit[c] + math.Log(x/(1-x))
				s := 1 / (1 + math.Exp(-z/h.Tau))
				slope[c] = s * (1 - s) / h.Tau
				if row[c] = 0; z > 0 {
					row[c], on = 1, true
				}
				if z > most {
					best, most = c, z
				}
			}
			if !on { // a layer of which nothing is left sends nothing on
				row[best] = 1
			}
		}
		row[u] = 1
		for c, s := range slope {
			h.q[c] += float64(row[c]) / float64(batch)
			h.by[c] += s / float64(batch)
		}
	}
	return nil
}

// beta is the weight of the polarisation at a step.
func (h *gumbel) beta(r *train.Run) float64 {
	return h.Beta * math.Min(1, float64(r.Step+1)/math.Max(1, h.Warm*float64(r.Total)))
}

// polarisation is (1/U) Σ q (1 - q), and adds its derivative by q, times a weight, to d.
func polarisation(q []float64, weight float64, d []float64) (x float64) {
	for u, p := range q {
		x += p * (1 - p) / float64(len(q))
		d[u] += weight * (1 - 2*p) / float64(len(q))
	}
	return x
}

// cost is Σ (F(q) - target)², and adds its derivative by q, times a weight, to d.
func (h *gumbel) cost(q []float64, weight float64, d []float64) (x float64) {
	clear(h.gone)
	for _, of := range h.Layers {
		for _, p := range q[of.First : of.First+of.N] {
			h.gone[of.Group] += 1 - p
		}
	}
	var by [2]float64
	for k, share := range h.Costs.Shares(h.gone) {
		if h.Targets[k] > 0 {
			x += (share - h.Targets[k]) * (share - h.Targets[k])
			by[k] = 2 * (share - h.Targets[k])
		}
	}
	h.Costs.Slopes(h.gone, by, h.d)
	for _, of := range h.Layers {
		for c := of.First; c < of.First+of.N; c++ {
			d[c] -= weight * h.d[of.Group]
		}
	}
	return x
}

// AfterGrad moves the logits.
func (h *gumbel) AfterGrad(r *train.Run) error {
	u := len(h.Logit)
	d := h.gradient(r)
	for c := range d {
		d[c] *= h.by[c]
		for b := range h.Gates.Const.Shape[0] {
			d[c] += float64(h.own.G[b*(u+1)+c]) * h.slope[b*u+c]
		}
		h.velocity[c] = h.Momentum*h.velocity[c] + d[c]
		h.Logit[c] -= h.Rate * r.Rate(r.Step) * h.velocity[c]
		if x := h.Logit[c]; x-x != 0 {
			return fmt.Errorf("step %d: the logit of a gate is %v: lower the learning rate", r.Step, x)
		}
	}
	return nil
}

// gradient is that of what is added to the loss, by the mean of each gate.
func (h *gumbel) gradient(r *train.Run) []float64 {
	d := make([]float64, len(h.q))
	h.cost(h.q, h.Alpha, d)
	polarisation(h.q, h.beta(r), d)
	return d
}

// Name identifies the state in a checkpoint.
func (*gumbel) Name() string { return "gates" }

// MarshalBinary writes logits and their velocity.
func (h *gumbel) MarshalBinary() ([]byte, error) {
	var out []byte
	for _, x := range slices.Concat(h.Logit, h.velocity) {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(x))
	}
	return out, nil
}

// UnmarshalBinary restores them.
func (h *gumbel) UnmarshalBinary(b []byte) error {
	if len(b) != 16*len(h.Logit) {
		return fmt.Errorf("the saved state has %d bytes for %d gates", len(b), len(h.Logit))
	}
	for _, x := range [][]float64{h.Logit, h.velocity} {
		for c := range x {
			x[c], b = math.Float64frombits(binary.LittleEndian.Uint64(b)), b[8:]
		}
	}
	return nil
}
