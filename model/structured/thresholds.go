package structured

import (
	"encoding/binary"
	"fmt"
	"math"

	"pare/graph"
	"pare/prune/hook"
	"pare/train"
)

// sharpBegin is the sharpness k that soft masks begin with.
const sharpBegin = 2.

// thresholds learn one threshold for each layer, a group of coupled channels, while the
// weights are trained. Channel j of layer l has an importance I in [0,1], that of the most
// important of its layer being 1, and stays where I > t:
//
//	H = 1[I_lj > t_l],  in the backward pass the slope of m = σ(k (I_lj - t_l))
//
// The thresholds descend along the loss, and along λ max(0, F/F_dense - target), where F
// is what the masked network costs.
type thresholds struct {
	train.Base
	hook.Gates
	Layers  []layerOf // in the order of their gates
	T       []float64 // by layer
	Costs   costs
	Targets [2]float64 // shares of multiply-accumulates and parameters at the end; 0: not asked
	Lambda  float64
	Rate    float64 // of the thresholds, as a share of the weights'
	Sharp   float64 // k at the end
	Steps   int     // of the training

	importance []float64 // by gate
	d          []float64 // by layer
	gone       []float64 // by group
	slope      []float64 // of the cost, by group
}

// costs are what a network takes, as shares of the dense network's multiply-accumulates and
// parameters, by how many channels of each group are gone; and their derivative, each times
// a weight.
type costs interface {
	Groups() int
	Shares(gone []float64) [2]float64
	Slopes(gone []float64, weight [2]float64, d []float64)
}

// layerOf is a layer with a threshold.
type layerOf struct {
	Group int // of the network's groups
	First int // of its gates
	N     int
	Parts []importance
}

// importance is numbers that make channels important: sizes of entries are added up by
// channel.
type importance struct {
	of      *graph.Value
	channel []int32 // by entry, a gate; -1: none
	largest bool    // of a channel's entries the largest counts, not the sum
}

// Start multiplies the weights by the masks of the thresholds.
func (h *thresholds) Start(r *train.Run) error {
	if h.importance == nil {
		h.importance = make([]float64, len(h.M))
		h.d, h.gone, h.slope = make([]float64, len(h.Layers)), make([]float64, h.Costs.Groups()), make([]float64, h.Costs.Groups())
	}
	if err := h.Begin(r); err != nil {
		return err
	}
	h.Unmask()
	h.mask()
	h.Forward()
	return nil
}

// mask rates the channels by the weights as they are, without factors, and decides which
// stay.
func (h *thresholds) mask() {
	for l, of := range h.Layers {
		I := h.importance[of.First : of.First+of.N]
		clear(I)
		for _, p := range of.Parts {
			for i, w := range p.of.Const.F32() {
				if c := p.channel[i]; c >= 0 {
					x := math.Abs(float64(w))
					if p.largest {
						h.importance[c] = math.Max(h.importance[c], x)
					} else {
						h.importance[c] += x
					}
				}
			}
		}
		most := 0.0
		for _, x := range I {
			most = math.Max(most, x)
		}
		for c := range I {
			if I[c] /= most; most == 0 { // nothing is important: nothing is decided
				I[c] = 1
			}
			h.M[of.First+c] = 0
			if I[c] > h.T[l] {
				h.M[of.First+c] = 1
			}
		}
	}
}

// sharp is k at a step.
func (h *thresholds) sharp(step int) float64 {
	return sharpBegin * math.Pow(h.Sharp/sharpBegin, float64(step)/float64(max(1, h.Steps)))
}

// target is the share of a cost that is asked for after a step: from 1 down, linearly.
func (h *thresholds) target(k, step int) float64 {
	return 1 - (1-h.Targets[k])*float64(step+1)/float64(max(1, h.Steps))
}

// cost writes how many channels of each group are gone by the masks m, and gives the
// shares of multiply-accumulates and parameters that are left.
func (h *thresholds) cost(m []float64) (share [2]float64) {
	clear(h.gone)
	for _, of := range h.Layers {
		for _, x := range m[of.First : of.First+of.N] {
			h.gone[of.Group] += 1 - x
		}
	}
	return h.Costs.Shares(h.gone)
}

// slopes adds to d the derivative by the thresholds of what a channel's factor costs, byGate,
// through the soft mask, and of the share of each cost, times a weight, at what is gone.
func (h *thresholds) slopes(k float64, byGate []float64, weight [2]float64, d []float64) {
	h.Costs.Slopes(h.gone, weight, h.slope)
	for l, of := range h.Layers {
		for c := of.First; c < of.First+of.N; c++ {
			s := 1 / (1 + math.Exp(-k*(h.importance[c]-h.T[l])))
			by := k * s * (1 - s) // of 1 - m by t
			d[l] += by * (h.slope[of.Group] - byGate[c])
		}
	}
}

// AfterGrad moves the thresholds and hands the weights to the optimiser.
func (h *thresholds) AfterGrad(r *train.Run) error {
	h.Backward()
	var weight [2]float64
	for k, share := range h.cost(h.M) {
		if h.Targets[k] > 0 && share > h.target(k, r.Step) {
			weight[k] = h.Lambda
		}
	}
	clear(h.d)
	h.slopes(h.sharp(r.Step), h.D, weight, h.d)
	for l, d := range h.d {
		h.T[l] -= h.Rate * r.Rate(r.Step) * d
		h.T[l] = math.Min(math.Max(h.T[l], 0), mostThreshold)
		if math.IsNaN(h.T[l]) {
			return fmt.Errorf("step %d: a threshold is not a number: lower the learning rate", r.Step)
		}
	}
	return nil
}

// mostThreshold leaves the most important channel of a layer.
const mostThreshold = .999

// AfterStep masks by the weights as they have moved.
func (h *thresholds) AfterStep(*train.Run) error {
	h.Moved()
	h.mask()
	h.Forward()
	return nil
}

// Name identifies the state in a checkpoint.
func (*thresholds) Name() string { return "thresholds" }

// MarshalBinary writes thresholds and weights.
func (h *thresholds) MarshalBinary() ([]byte, error) {
	out := h.State()
	for _, t := range h.T {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(t))
	}
	return out, nil
}

// UnmarshalBinary restores them.
func (h *thresholds) UnmarshalBinary(b []byte) error {
	b, err := h.SetState(b)
	if err != nil {
		return err
	}
	if len(b) != 8*len(h.T) {
		return fmt.Errorf("the saved state has %d bytes of thresholds for %d layers", len(b), len(h.T))
	}
	for l := range h.T {
		h.T[l] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*l:]))
	}
	return nil
}
