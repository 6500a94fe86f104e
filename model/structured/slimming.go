package structured

import (
	_ "embed"

	"context"

	"pare/catalog"
	"pare/model"
)

// Slimming is network slimming.
type Slimming struct {
	model.ChannelTarget
	Shrinking
	model.Tuned
	model.Layers
}

//go:embed slimming.md
var slimmingDoc string

var slimmingCard = &catalog.Card{
	Name: "slimming", Noun: "model", Title: "Network slimming",
	Paper: "Liu, Li, Shen, Huang, Yan, Zhang: Learning Efficient Convolutional Networks through Network Slimming (ICCV 2017). arXiv 1708.06519",
	Cuts:  "channels", Needs: catalog.Trains, Doc: slimmingDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "during", How: "bn-scale regularisation one-shot retrain", Supervision: "labels", Fusion: "none"},
}

// NewSlimming gives the method with its defaults.
func NewSlimming() *Slimming {
	return &Slimming{ChannelTarget: model.ChannelTarget{MACs: .5, Least: .1}, Shrinking: shrinkingDefaults(1e-4), Tuned: model.Tuned{TuneLR: .01}}
}

func shrinkingDefaults(lambda float64) Shrinking {
	return Shrinking{Lambda: lambda, Unscaled: "lasso", Tau: .01, Constants: "fold", Statistics: "estimate"}
}

// Card describes the method.
func (*Slimming) Card() *catalog.Card { return slimmingCard }

// Drives says that the trainings are the method's own.
func (*Slimming) Drives() bool { return true }

// Run trains with a penalty on all scales, cuts the channels of the smallest, and trains
// what is left.
func (s *Slimming) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := j.NeedsTraining("scales are made small by training"); err != nil {
		return nil, err
	}
	h := &shrinking{s.Shrinking, j, s.Scope()}
	if err := h.check(ctx, s.ChannelTarget); err != nil {
		return nil, err
	}
	tune, runs := s.Jobs(j, j.Recipe.Decay)
	sparse, err := runs.Fit(ctx, j, j.Graph, h.hook(j.Graph, nil))
	if err != nil {
		return nil, err
	}
	kept, err := h.choose(ctx, j.Graph, s.ChannelTarget, h.rate)
	if err != nil {
		return nil, err
	}
	res, err := h.cut(ctx, kept)
	if err != nil {
		return nil, err
	}
	res.Add(sparse)
	tuned, err := runs.Fit(ctx, tune, res.Graph)
	res.Add(tuned)
	return res, err
}
