package method

import (
	"context"
	"fmt"

	"pare/dataset"
	"pare/graph"
	"pare/prune/structure"
	"pare/train"
)

// Channels are the settings of cutting coupled channels.
type Channels struct {
	MACs   float64 `flag:"flops" doc:"share of the multiply-accumulates that may stay, in (0,1] (0: not asked)"`
	Params float64 `flag:"params" doc:"share of the parameters that may stay, in (0,1] (0: not asked)"`
	Round  int     `flag:"round" doc:"channels of a group are kept in multiples of this; 8 suits vector units"`
	Least  float64 `flag:"least" doc:"share of every group's channels that stays at least"`
	Even   bool    `flag:"even" doc:"cut the same share of every group instead of ranking all groups together"`
}

var channels = &Method{
	Name: "channels", Title: "Coupled channels by norm",
	Paper: "norms of filters: Li, Kadav, Durdanovic, Samet, Graf 2017, arXiv 1608.08710; groups found on the graph: Fang, Ma, Song, Mi, Wang 2023, arXiv 2301.12900",
	Cuts:  "channels", Needs: Weights,
	Doc: `Finds the channels that must go together (through residual sums, concatenations, normalisation, depthwise
convolutions …), rates each by the squared norm of all weights that go with it, divided by its group's mean, removes
the weakest until the target is met, and fine-tunes. With data but no epochs, the statistics of batch normalisation are
estimated anew from 50 batches. The result is a smaller dense network: no masks, no zeros.

This is the plain baseline for structured methods: the score is the L2 norm over the whole group, as in the group
form of the second paper, without its sparsity-inducing training.`,
	Settings: func() any { return &Channels{MACs: .5, Round: 1, Least: .1} },
	Run:      runChannels,
}

func runChannels(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*Channels)
	if s.MACs == 0 && s.Params == 0 {
		return nil, fmt.Errorf("no target: give --flops or --params")
	}
	c, err := s.cut(j, squares)
	if err != nil {
		return nil, err
	}
	res := &Result{Graph: c}
	if j.Recipe.Epochs == 0 && j.Data != nil && j.Data.Train.Len() >= 128 {
		l := &dataset.Loader{Set: j.Data.Train, Size: 128, Norm: j.Data.Norm, Shuffle: true, Seed: j.Seed}
		return res, train.Recalibrate(c, train.NewData(l), 50, j.Engine)
	}
	if err := j.untuned(ctx, c); err != nil {
		return nil, err
	}
	res.Epochs, err = j.Fit(ctx, c)
	return res, err
}

// squares rates channels by the squared norm of all that goes with them.
func squares(groups []*structure.Group) [][]float64 {
	return structure.Score(groups, structure.Squares)
}

// cut gives a copy of the job's network without the channels that rate rates lowest,
// as many as the targets ask for.
func (s *Channels) cut(j *Job, rate func([]*structure.Group) [][]float64) (*graph.Graph, error) {
	if s.Round < 0 || !(s.Least >= 0 && s.Least < 1) {
		return nil, fmt.Errorf("round %d, least %v: round may not be negative, least must be in [0,1)", s.Round, s.Least)
	}
	groups, kept := structure.Groups(j.Graph)
	sel, err := structure.Select(j.Graph, groups, rate(groups), structure.Target{MACs: s.MACs, Params: s.Params, Round: s.Round, Least: s.Least, Even: s.Even})
	if err != nil {
		return nil, err
	}
	for i, g := range groups {
		if n := sel[i].Count(); n < len(g.Channels) {
			j.logf("%s: %d of %d channels stay", g.Name, n, len(g.Channels))
		}
	}
	for _, p := range kept {
		j.logf("%s stays whole: %s", p.Value.Name, p.Why)
	}
	return structure.Cut(j.Graph, groups, sel)
}
