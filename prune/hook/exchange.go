package hook

import (
	"fmt"
	"math"
	"math/rand/v2"

	"pare/prune"
	"pare/prune/schedule"
	"pare/train"
)

// Growth says which of a layer's cut weights come to life.
type Growth uint8

// The two growth rules in use.
const (
	ByGradient Growth = iota // those on which the loss depends most: the largest |gradient| with respect to the masked product
	AtRandom                 // any
)

// Exchange moves masks while the number of weights in each layer stays: at the
// events of Rate a share of the kept weights, those nearest to zero, is cut, and
// as many of the cut ones grow, those just cut among them. What grows begins at
// zero, its optimiser state too. Gradients are computed in full at the events
// alone.
//
// Where a Raise stands before it in the list of hooks, the sparsity rises before
// the exchange when both fall on one step.
type Exchange struct {
	train.Base
	Hold    *Hold // stands before it in the list of hooks
	Rate    schedule.Exchange
	Drop    func(w []float32, kept *prune.Mask, rate float64) *prune.Mask // what stays of what is kept; nil: Weakest
	Grow    Growth
	Anew    bool   // a weight that is cut and grows at once begins at zero as well; else it goes on
	Batches int    // ByGradient: number of batches that give the gradient, that of the step and the next; 0: 1
	Seed    uint64 // AtRandom
}

// MaskSafe says that weights are cut through Hold alone, and that gradients are in
// full at events only, before the step's own.
func (x *Exchange) MaskSafe() {}

// Start checks the schedule, and that every layer has something to exchange.
func (x *Exchange) Start(r *train.Run) error {
	if err := x.Rate.Check(r.Total); err != nil {
		return err
	}
	if err := x.Hold.started(); err != nil {
		return err
	}
	if e := x.Hold.Empty(); len(e) > 0 {
		return fmt.Errorf("weight %q has no entry that is kept: nothing in it can be exchanged; lower the sparsity or exclude it", e[0])
	}
	return nil
}

// BeforeStep exchanges where the schedule has an event.
func (x *Exchange) BeforeStep(r *train.Run) error {
	rate := x.Rate.At(r.Step)
	if rate == 0 || !x.Rate.Event(r.Step) {
		return nil
	}
	score := x.random
	if x.Grow == ByGradient {
		score = x.gradients
	}
	s, err := score(r)
	if err != nil {
		return fmt.Errorf("exchanging weights at step %d: %w", r.Step, err)
	}
	x.exchange(rate, s)
	return x.Hold.Sync(r)
}

// Settled says whether the last exchange is over.
func (x *Exchange) Settled(r *train.Run) bool { return r.Step >= x.Rate.End }

// exchange moves the masks; score says of every entry how much it wants to grow.
func (x *Exchange) exchange(rate float64, score [][]float32) {
	drop := x.Drop
	if drop == nil {
		drop = Weakest
	}
	for i, p := range x.Hold.params {
		kept := drop(p.W, x.Hold.Mask[i], rate)
		q := x.Hold.Mask[i].Count() - kept.Count()
		if x.Anew {
			x.Hold.Mask[i] = kept
			x.Hold.applyTo(i)
		}
		x.Hold.Mask[i] = grown(kept, score[i], q)
		x.Hold.applyTo(i)
	}
}

// gradients gives the magnitudes of the full gradients at the present weights,
// summed over the batches. The batch of the step comes last, and stays in place
// for it.
func (x *Exchange) gradients(r *train.Run) ([][]float32, error) {
	r.DenseGradients(true)
	defer r.DenseGradients(false)
	sum := make([][]float32, len(x.Hold.params))
	for b := max(1, x.Batches) - 1; b >= 0; b-- {
		if _, err := r.Gradient(r.Epoch, (r.Index+b)%r.Train.Steps()); err != nil {
			return nil, err
		}
		for i, p := range x.Hold.params {
			if sum[i] == nil {
				sum[i] = make([]float32, len(p.G))
			}
			for k, g := range p.G {
				sum[i][k] += g
			}
		}
	}
	for _, s := range sum {
		magnitudes(s)
	}
	return sum, nil
}

// random gives scores in [0,1) that depend on seed, step and layer alone.
func (x *Exchange) random(r *train.Run) ([][]float32, error) {
	out := make([][]float32, len(x.Hold.params))
	for i, p := range x.Hold.params {
		d := rand.New(rand.NewPCG(x.Seed, 0xe7c4<<48|uint64(r.Step)<<16|uint64(i)))
		out[i] = make([]float32, len(p.W))
		for k := range out[i] {
			out[i][k] = d.Float32()
		}
	}
	return out, nil
}

// magnitudes takes absolute values; NaN is worth nothing.
func magnitudes(x []float32) {
	for i, v := range x {
		if x[i] = float32(math.Abs(float64(v))); v != v {
			x[i] = 0
		}
	}
}

// grown keeps q more entries: of those not kept, the highest scores (not below
// 0; ties: the lowest index). It writes over the scores.
func grown(kept *prune.Mask, score []float32, q int) *prune.Mask {
	for i := range score {
		if kept.Kept(i) {
			score[i] = -1
		}
	}
	m := prune.TopK(score, q, prune.KeepFirst)
	m.Or(kept)
	return m
}

// Weakest leaves out, of the n weights that a mask keeps, the ceil(rate*n) of the
// smallest magnitude (ties: the lowest index).
func Weakest(w []float32, kept *prune.Mask, rate float64) *prune.Mask {
	return without(w, kept, rate, func(x float32) float32 { return float32(math.Abs(float64(x))) })
}

// WeakestOfSign leaves out a share of the positive weights that a mask keeps, the
// smallest, and the same share of the negative ones, the largest, each count
// rounded up (Mocanu et al. 2018, methods). prune.Weights at zero go as well.
func WeakestOfSign(w []float32, kept *prune.Mask, rate float64) *prune.Mask {
	side := func(sign float32) *prune.Mask {
		return without(w, kept, rate, func(x float32) float32 {
			if x == 0 {
				return -1
			}
			return sign * x
		})
	}
	m := side(1)
	m.Or(side(-1))
	return m
}

// without keeps what a mask keeps and whose value is not below 0, less a share
// of the smallest values.
func without(w []float32, kept *prune.Mask, rate float64, value func(float32) float32) *prune.Mask {
	var at []int
	var score []float32
	for i, x := range w {
		if kept.Kept(i) {
			if v := value(x); v >= 0 {
				at, score = append(at, i), append(score, v)
			}
		}
	}
	n := len(at)
	stay := prune.TopK(score, n-min(n, int(math.Ceil(rate*float64(n)-1e-9))), prune.CutFirst)
	out := prune.NewMask(len(w), false)
	for k, i := range at {
		if stay.Kept(k) {
			out.Set(i, true)
		}
	}
	return out
}
