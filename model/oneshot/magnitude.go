package oneshot

import (
	_ "embed"

	"context"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
)

// Magnitude is the plain magnitude baseline.
type Magnitude struct {
	Sparsity float64          `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut"`
	Allocate allocate.Name    `flag:"allocate" choice:"global,uniform,er,erk,rd" doc:"how much of each layer: global, uniform, er, erk, or rd (rate-distortion curves on --data)"`
	Pattern  allocate.Pattern `flag:"pattern" doc:"what is cut: single weights (empty), N:M such as 2:4 (N of every M inputs stay), or block:HxW tiles"`
	Rounds   int              `flag:"rounds" range:"[1,)" doc:"iterative pruning: number of rounds, each followed by the whole recipe of fine-tuning"`
	Gradual  bool             `flag:"gradual" doc:"raise the sparsity along a cubic over the first half of the fine-tuning instead of at once"`
	model.Layers
}

//go:embed magnitude.md
var magnitudeDoc string

var magnitudeCard = &catalog.Card{
	Name: "magnitude", Noun: "model", Title: "Magnitude pruning by layer, pattern and round",
	Paper: "Han, Pool, Tran, Dally 2015, arXiv 1506.02626 (rounds); Evci, Gale, Menick, Castro, Elsen 2020, arXiv 1911.11134 (erk); Mishra et al. 2021, arXiv 2104.08378 (N:M)",
	Cuts:  "weights, N:M groups, blocks", Needs: catalog.Weights, Doc: magnitudeDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "magnitude one-shot iterative retrain", Supervision: "none unlabelled labels", Fusion: "none"},
}

// NewMagnitude gives the method with its defaults.
func NewMagnitude() *Magnitude { return &Magnitude{Sparsity: .9, Allocate: "uniform", Rounds: 1} }

// Card describes the method.
func (*Magnitude) Card() *catalog.Card { return magnitudeCard }

// Drives says that several rounds are a series of trainings.
func (s *Magnitude) Drives() bool { return s.Rounds > 1 }

// Run cuts at once, in rounds, or gradually while training.
func (s *Magnitude) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	pick := func(sparsity float64) (*prune.Masks, error) { return s.Pick(ws, sparsity) }
	if s.Allocate == byCurves && s.Pattern == (allocate.Pattern{}) {
		if s.Gradual {
			return nil, catalog.Errorf("{Allocate} rd measures every layer at every change of the masks: use {Rounds} instead of {Gradual}")
		}
		pick = func(sparsity float64) (*prune.Masks, error) {
			m, _, err := NewRD().Pick(ctx, j, prune.Dense(ws), sparsity)
			return m, err
		}
	}
	if s.Gradual {
		return j.FitRaising(ctx, ws, j.HalfWay(s.Sparsity), false, pick)
	}
	return j.FitRounds(ctx, s.Rounds, s.Sparsity, func(_ int, sparsity float64) (*prune.Masks, error) { return pick(sparsity) })
}

// ByPart cuts a part of a network in the same way, where every layer is cut by itself and at
// once.
func (s *Magnitude) ByPart() (*model.PartCut, error) {
	switch {
	case s.Pattern == (allocate.Pattern{}) && s.Allocate != "uniform":
		return nil, catalog.Errorf("{Allocate} %s compares all layers: give uniform", s.Allocate)
	case s.Rounds > 1 || s.Gradual:
		return nil, catalog.Errorf("{Rounds} and {Gradual} train the whole network between cuts: leave them out")
	}
	return &model.PartCut{Scope: s.Scope(), Cut: func(_ context.Context, p *model.Part) (*model.PartResult, error) {
		m, err := s.Pick(p.Weights, s.Sparsity)
		if err != nil {
			return nil, err
		}
		m.Apply()
		return &model.PartResult{Masks: m}, nil
	}}, nil
}

// byCurves names the allocation by rate-distortion curves, which needs samples.
const byCurves = "rd"

// Pick chooses masks for a sparsity by the weights' present values.
func (s *Magnitude) Pick(ws []*prune.Weight, sparsity float64) (*prune.Masks, error) {
	if s.Pattern != (allocate.Pattern{}) {
		return s.Pattern.Masks(ws, score.Magnitude(ws), sparsity)
	}
	return s.Allocate.Masks(ws, score.Magnitude(ws), sparsity, nil)
}
