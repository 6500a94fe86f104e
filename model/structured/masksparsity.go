package structured

import (
	_ "embed"

	"context"

	"pare/catalog"
	"pare/model"
	"pare/prune/structure"
)

// MaskSparsity is pruning-aware sparse regularisation.
type MaskSparsity struct {
	model.ChannelTarget
	Mask   string `flag:"mask" choice:"global,scales,norm" doc:"how the channels that are to go are chosen: global (the smallest scales after a training of a copy with the penalty on all, as in network slimming), scales (the smallest of the network as it is) or norm (the smallest norm of all weights that go with a channel)"`
	Search int    `flag:"search" range:"[1,)" doc:"epochs of the copy's training, with mask global"`
	Shrinking
	model.Tuned
	model.Layers

	Rate model.ChannelScore // chooses the channels in the place of Mask; nil: Mask
}

//go:embed masksparsity.md
var maskSparsityDoc string

var maskSparsityCard = &catalog.Card{
	ID: "50", Name: "masksparsity", Noun: "model", Title: "Pruning-aware sparse regularisation",
	Paper: "Jiang, Zhao, Zhao, An, Tang, Wang: Pruning-aware Sparse Regularization for Network Pruning (Machine Intelligence Research 2023). arXiv 2201.06776",
	Cuts:  "channels", Needs: catalog.Trains, Doc: maskSparsityDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "during", How: "bn-scale norm regularisation one-shot retrain", Supervision: "labels", Fusion: "none"},
}

// NewMaskSparsity gives the method with its defaults.
func NewMaskSparsity() *MaskSparsity {
	return &MaskSparsity{ChannelTarget: model.ChannelTarget{MACs: .5, Least: .1}, Mask: "global", Search: 10, Shrinking: shrinkingDefaults(5e-4), Tuned: model.Tuned{TuneLR: .01}}
}

// Card describes the method.
func (*MaskSparsity) Card() *catalog.Card { return maskSparsityCard }

// Drives says that the trainings are the method's own.
func (*MaskSparsity) Drives() bool { return true }

// Run chooses the channels that are to go, trains the network as it was given with a
// penalty on these alone, cuts them, and trains what is left.
func (s *MaskSparsity) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := j.NeedsTraining("scales are made small by training"); err != nil {
		return nil, err
	}
	h := &shrinking{s.Shrinking, j, s.Scope()}
	if err := h.check(ctx, s.ChannelTarget); err != nil {
		return nil, err
	}
	tune, runs := s.Jobs(j, j.Recipe.Decay)
	search := *j
	if search.Recipe.Epochs = s.Search; s.Mask == "global" && s.Rate == nil {
		runs.N++
		runs.Steps += search.Steps()
	}
	past := &model.Result{}
	kept, err := s.mask(ctx, h, &search, runs, past)
	if err != nil {
		return nil, err
	}
	sparse, err := runs.Fit(ctx, j, j.Graph, h.hook(j.Graph, kept))
	if err != nil {
		return nil, err
	}
	res, err := h.cut(ctx, kept)
	if err != nil {
		return nil, err
	}
	res.Add(past.Epochs)
	res.Add(sparse)
	tuned, err := runs.Fit(ctx, tune, res.Graph)
	res.Add(tuned)
	return res, err
}

// mask chooses what stays.
func (s *MaskSparsity) mask(ctx context.Context, h *shrinking, search *model.Job, runs *model.Series, past *model.Result) (structure.Kept, error) {
	g := h.job.Graph
	switch {
	case s.Rate != nil:
		return h.choose(ctx, g, s.ChannelTarget, s.Rate)
	case s.Mask == "norm":
		return h.choose(ctx, g, s.ChannelTarget, model.Squares)
	case s.Mask == "scales":
		return h.choose(ctx, g, s.ChannelTarget, h.rate)
	}
	c, _ := g.Clone(true)
	epochs, err := runs.Fit(ctx, search, c, h.hook(c, nil))
	if err != nil {
		return nil, err
	}
	past.Add(epochs)
	return h.choose(ctx, c, s.ChannelTarget, h.rate)
}
