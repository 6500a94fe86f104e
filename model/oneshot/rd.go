package oneshot

import (
	_ "embed"

	"context"
	"fmt"
	"math/rand/v2"

	"pare/catalog"
	"pare/dataset"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
	"pare/tensor"
	"pare/train"
)

// RD is rate-distortion pruning.
type RD struct {
	Sparsity float64 `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut"`
	Rounds   int     `flag:"rounds" range:"[1,)" doc:"iterative pruning: number of rounds with curves of their own, each followed by the whole recipe of fine-tuning"`
	Curves
	model.Layers
}

// Curves are the settings of rate-distortion curves.
type Curves struct {
	Points  int     `flag:"points" range:"[2,)" doc:"points of a layer's rate-distortion curve"`
	Samples int     `flag:"samples" range:"[1,)" doc:"samples of the training set that curves are measured on"`
	Noise   bool    `flag:"noise" doc:"no data: measure curves on normal noise"`
	Worst   bool    `flag:"worst" doc:"count the sample whose output moves most in place of the mean"`
	Least   float64 `flag:"least" range:"[0,1)" doc:"share of its weights that every layer keeps at least (one an output it keeps anyway)"`

	Other func(curves []allocate.Curve) // puts others in the place of what was measured, to compare with; nil: none
}

//go:embed rd.md
var rdDoc string

var rdCard = &catalog.Card{
	ID: "28", Name: "rd", Noun: "model", Title: "Layer shares by rate-distortion curves",
	Paper: "Xu, Wang, Geng, Lin, Wu, Li, Lin: Efficient Joint Optimization of Layer-Adaptive Weight Pruning in Deep Neural Networks. ICCV 2023, arXiv 2308.10438",
	Cuts:  "weights", Needs: catalog.Weights, Doc: rdDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "magnitude sensitivity one-shot iterative retrain", Supervision: "none unlabelled labels", Fusion: "none"},
}

// NewRD gives the method with its defaults.
func NewRD() *RD {
	return &RD{Sparsity: .9, Rounds: 1, Curves: Curves{Points: 100, Samples: 1024}}
}

// units is how fine shares are, of the network.
const units = 10000

// Card describes the method.
func (*RD) Card() *catalog.Card { return rdCard }

// Drives says that several rounds are a series of trainings.
func (s *RD) Drives() bool { return s.Rounds > 1 }

// RDFacts are what the curves said of a cut.
type RDFacts struct {
	Distortion float64 `json:"distortion"` // of the output when all layers were cut
	Sum        float64 `json:"sum"`        // of the distortions of single layers
}

// Run measures curves, shares the cut out by a knapsack, and fine-tunes, in rounds.
func (s *RD) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	masks := prune.Dense(ws)
	var facts *RDFacts
	res, err := j.FitRounds(ctx, s.Rounds, s.Sparsity, func(_ int, sparsity float64) (_ *prune.Masks, err error) {
		masks, facts, err = s.Pick(ctx, j, masks, sparsity)
		return masks, err
	})
	if err != nil {
		return nil, err
	}
	res.Facts = facts
	far := ""
	if !s.Worst && (facts.Distortion > 2*facts.Sum || facts.Sum > 2*facts.Distortion) {
		far = ", which is far from it, though the choice of shares assumes it: a smaller sparsity, or more {Rounds}, makes smaller steps"
	}
	res.Note("distortion of the output when all layers were cut: %.4g; those of single layers add up to %.4g%s", facts.Distortion, facts.Sum, far)
	return res, nil
}

// Pick cuts within masks to a sparsity: each layer's smallest weights, as many
// as the knapsack over the curves says. The facts say whether the premise held.
func (s *Curves) Pick(ctx context.Context, j *model.Job, m *prune.Masks, sparsity float64) (*prune.Masks, *RDFacts, error) {
	p, err := s.Probe(j)
	if err != nil {
		return nil, nil, err
	}
	sc := score.Within(m, score.Magnitude(m.Weights))
	curves, err := p.Curves(ctx, m, sc)
	if err != nil {
		return nil, nil, err
	}
	if s.Other != nil {
		s.Other(curves)
	}
	keep, err := Shares(curves, prune.Total(m.Weights), sparsity)
	if err != nil {
		return nil, nil, err
	}
	facts := &RDFacts{}
	for l, w := range m.Weights {
		facts.Sum += curves[l].At(keep[l])
		j.Logf("%s keeps %d of %d", w.Name, keep[l], w.Len())
	}
	out := allocate.Select(m.Weights, sc, keep, prune.CutFirst)
	facts.Distortion, err = p.Distortion(ctx, out)
	return out, facts, err
}

// Shares is how many weights of each layer stay at a sparsity of n weights: those
// whose distortions add up to the least.
func Shares(curves []allocate.Curve, n int, sparsity float64) ([]int, error) {
	cut, err := allocate.Cut(n, sparsity)
	if err != nil {
		return nil, err
	}
	return allocate.Knapsack(curves, n-cut, units)
}

// Probe measures on the job's samples or on noise: what a view of the network gives,
// which is before a softmax.
func (s *Curves) Probe(j *model.Job) (*allocate.Probe, error) {
	var set *dataset.Set
	if !s.Noise {
		if j.Data == nil || j.Data.Train == nil {
			return nil, catalog.Errorf("rate-distortion curves are measured on calibration data: give {Data}, or {Noise} with method rd")
		}
		set = j.Data.Train
	}
	for _, in := range j.Graph.Inputs {
		if s.Noise && in.DType != tensor.Float32 {
			return nil, catalog.Errorf("the network's input %q is %v, which normal noise is not: give {Data} in place of {Noise}", in.Name, in.DType)
		}
	}
	_, batch := j.Graph.Batch(min(128, s.Samples))
	var loss train.Loss // without samples, what a network gives before a softmax
	if set != nil {
		var err error
		if loss, err = j.Objective(); err != nil {
			return nil, err
		}
	}
	v, err := train.NewView(j.Graph, set, batch, loss.Objective)
	if err == nil {
		err = v.Join()
	}
	if err != nil {
		return nil, fmt.Errorf("rate-distortion curves: %w", err)
	}
	p := &allocate.Probe{Graph: v.Graph, Of: v.Of, Points: s.Points, Worst: s.Worst, Least: s.Least, Batch: batch, Engine: j.Engine}
	if s.Noise {
		p.Fill = func(i int, in []*tensor.Tensor) (int, error) {
			r := rand.New(rand.NewPCG(j.Seed, 0x4d<<32|uint64(i)))
			for _, x := range in {
				for k := range x.F32() {
					x.F32()[k] = float32(r.NormFloat64())
				}
			}
			return max(0, min(p.Batch, s.Samples-i*p.Batch)), nil
		}
		return p, nil
	}
	l := &dataset.Loader{Set: set, Size: p.Batch, Norm: j.Data.Norm, Shuffle: true, Seed: j.Seed}
	n := min(s.Samples, set.Len())
	p.Fill = func(i int, in []*tensor.Tensor) (int, error) {
		if i*p.Batch >= n {
			return 0, nil
		}
		k, err := l.Fill(0, i, v.Buffers(in))
		return min(k, n-i*p.Batch), err
	}
	return p, nil
}
