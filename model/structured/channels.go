package structured

import (
	_ "embed"
	"pare/catalog"
	"pare/model"

	"context"
)

// Channels cuts coupled channels by norm.
type Channels struct {
	model.ChannelTarget
	model.Layers
}

//go:embed channels.md
var channelsDoc string

var channelsCard = &catalog.Card{
	Name: "channels", Noun: "model", Title: "Coupled channels by norm",
	Paper: "norms of filters: Li, Kadav, Durdanovic, Samet, Graf 2017, arXiv 1608.08710; groups found on the graph: Fang, Ma, Song, Mi, Wang 2023, arXiv 2301.12900",
	Cuts:  "channels", Needs: catalog.Weights, Doc: channelsDoc,
}

// NewChannels gives the method with its defaults.
func NewChannels() *Channels {
	return &Channels{ChannelTarget: model.ChannelTarget{MACs: .5, Least: .1}}
}

// Card describes the method.
func (*Channels) Card() *catalog.Card { return channelsCard }

// Run cuts to the target and fine-tunes the smaller network.
func (s *Channels) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	c, err := s.Cut(j, model.Squares, s.Scope())
	if err != nil {
		return nil, err
	}
	res := &model.Result{Graph: c}
	if j.Recipe.Epochs == 0 && j.Data != nil && j.Data.Train != nil && j.Data.Train.Len() >= calibrationBatch {
		return res, j.Recalibrate(ctx, c, calibrationBatch)
	}
	if err := j.LogUntuned(ctx, c); err != nil {
		return nil, err
	}
	res.Epochs, err = j.Fit(ctx, c)
	return res, err
}

// calibrationBatch is the batch from which statistics are estimated where there is no
// recipe.
const calibrationBatch = 128
