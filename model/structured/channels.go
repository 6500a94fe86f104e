package structured

import (
	_ "embed"

	"context"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/calibrate"
	"pare/prune/structure"
)

// Channels cuts coupled channels by norm.
type Channels struct {
	model.ChannelTarget
	Score   string `flag:"score" choice:"norm,activations,reconstruction" doc:"what a channel is worth: norm (of the weights that go with it), activations (what it brings to the layers that read it, on samples), or reconstruction (what these lose without it for each multiply-accumulate, when the other weights take over what they can)"`
	Samples int    `flag:"samples" range:"[1,)" doc:"samples of the training set, without their labels, that activations and reconstruction look at"`
	model.Layers

	Rate model.ChannelScore // in the place of Score, to compare with or of one's own; nil: Score
}

//go:embed channels.md
var channelsDoc string

var channelsCard = &catalog.Card{
	Name: "channels", Noun: "model", Title: "Coupled channels by norm",
	Paper: "norms of filters: Li, Kadav, Durdanovic, Samet, Graf 2017, arXiv 1608.08710; groups found on the graph: Fang, Ma, Song, Mi, Wang 2023, arXiv 2301.12900; activations: Sun, Liu, Bair, Kolter 2023, arXiv 2306.11695; reconstruction: He, Zhang, Sun 2017, arXiv 1707.06168",
	Cuts:  "channels", Needs: catalog.Weights, Doc: channelsDoc,
}

// NewChannels gives the method with its defaults.
func NewChannels() *Channels {
	return &Channels{ChannelTarget: model.ChannelTarget{MACs: .5, Least: .1}, Score: "norm", Samples: 512}
}

// Card describes the method.
func (*Channels) Card() *catalog.Card { return channelsCard }

// Run cuts to the target and fine-tunes the smaller network.
func (s *Channels) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	var notes []prune.Skip
	target := s.ChannelTarget
	target.Costs = s.Score == "reconstruction"
	c, kept, err := target.Cut(j, s.rate(ctx, j, &notes), s.Scope())
	if err != nil {
		return nil, err
	}
	res := &model.Result{Graph: c, Kept: kept}
	for _, k := range notes {
		res.Note("%s %s: it has no say in what channels are worth", k.Name, k.Why)
	}
	if solved, err := j.Repair(ctx, res); err != nil {
		return nil, err
	} else if j.Recipe.Epochs == 0 && !solved && j.Data != nil && j.Data.Train != nil && j.Data.Train.Len() >= calibrationBatch {
		return res, j.Recalibrate(ctx, c, calibrationBatch)
	}
	if err := j.LogUntuned(ctx, c); err != nil {
		return nil, err
	}
	res.Epochs, err = j.Fit(ctx, c)
	return res, err
}

// rate is the score that the settings name. What has no say in it goes to skips.
func (s *Channels) rate(ctx context.Context, j *model.Job, skips *[]prune.Skip) model.ChannelScore {
	if s.Rate != nil {
		return s.Rate
	}
	if s.Score == "norm" {
		return model.Squares
	}
	return func(g *graph.Graph, groups []*structure.Group) (score [][]float64, err error) {
		batches, err := j.Calibration(s.Samples)
		if err != nil {
			return nil, err
		}
		opt := calibrate.Options{Engine: j.Engine}
		if s.Score == "activations" {
			score, *skips, err = calibrate.Activations(ctx, g, groups, batches, opt)
		} else {
			score, *skips, err = calibrate.Reconstruction(ctx, g, groups, batches, damp, opt)
		}
		return score, err
	}
}

// damp is the share of the inputs' mean square that the second moments are damped with
// where channels are rated by reconstruction.
const damp = .01

// calibrationBatch is the batch from which statistics are estimated where there is no
// recipe.
const calibrationBatch = 128
