package gradual

import (
	_ "embed"

	"context"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/schedule"
	"pare/prune/score"
	"pare/train"
)

// GMP is gradual magnitude pruning.
type GMP struct {
	Sparsity  float64  `flag:"sparsity" range:"[0,1)" doc:"final sparsity of every layer"`
	Initial   float64  `flag:"initial" range:"[0,1)" doc:"sparsity at the start of the window"`
	Begin     train.At `flag:"begin" kind:"time" doc:"start of the window: 10%, 2ep or 500it"`
	End       train.At `flag:"end" kind:"time" doc:"end of the window"`
	Every     int      `flag:"every" range:"[1,)" doc:"steps between changes of the masks"`
	Power     float64  `flag:"power" range:"(0,)" doc:"of the polynomial: 3 is the paper's cubic, 1 linear"`
	Variant   string   `flag:"variant" choice:"hard,keep" doc:"hard: cut weights are zero for ever; keep: they keep their value and may come back"`
	SkipFirst bool     `flag:"skip-first" doc:"leave the first convolution and depthwise convolutions whole"`
	model.Layers
}

//go:embed gmp.md
var gmpDoc string

var gmpCard = &catalog.Card{
	ID: "65", Name: "gmp", Noun: "model", Title: "Gradual magnitude pruning",
	Paper: "Zhu, Gupta: To prune, or not to prune: exploring the efficacy of pruning for model compression (2017). arXiv 1710.01878",
	Cuts:  "weights", Needs: catalog.Trains, Doc: gmpDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "during", How: "magnitude iterative regrow retrain", Supervision: "labels", Fusion: "none"},
}

// NewGMP gives the method with its defaults.
func NewGMP() *GMP {
	return &GMP{Sparsity: .9, Begin: train.Share(.1), End: train.Share(.7), Every: 100, Power: 3, Variant: "hard"}
}

// Card describes the method.
func (*GMP) Card() *catalog.Card { return gmpCard }

// Run trains while the sparsity of every layer rises along the polynomial.
func (s *GMP) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	if s.SkipFirst {
		if ws = inner(ws); len(ws) == 0 {
			return nil, catalog.Errorf("only the first convolution is prunable, and {SkipFirst} leaves it whole")
		}
	}
	sch, err := j.Window(schedule.Gradual{Initial: s.Initial, Final: s.Sparsity, Every: s.Every, Power: s.Power}, s.Begin, s.End)
	if err != nil {
		return nil, err
	}
	return j.FitRaising(ctx, ws, sch, s.Variant == "keep", func(sparsity float64) (*prune.Masks, error) {
		keep, err := allocate.Uniform(ws, sparsity)
		if err != nil {
			return nil, err
		}
		return allocate.Select(ws, score.Magnitude(ws), keep, prune.KeepFirst), nil
	})
}

// inner leaves out the first convolution and depthwise ones.
func inner(ws []*prune.Weight) []*prune.Weight {
	var out []*prune.Weight
	first := true
	for _, w := range ws {
		if w.Kind == prune.Conv && first {
			first = false
			continue
		}
		if w.Kind != prune.Depthwise {
			out = append(out, w)
		}
	}
	return out
}
