package rewrite

import (
	_ "embed"

	"context"

	"pare/catalog"
	"pare/model"
	"pare/prune/lowrank"
)

// LowRank puts two thin layers in the place of one.
type LowRank struct {
	Ranks
	model.Layers
}

//go:embed lowrank.md
var lowRankDoc string

var lowRankCard = &catalog.Card{
	Name: "lowrank", Noun: "model", Title: "Low-rank factors of trained weights",
	Paper: "channel: Zhang, Zou, He, Sun 2016, arXiv 1505.06798; spatial: Jaderberg, Vedaldi, Zisserman 2014, arXiv 1405.3866; decouple: Guo, Li, Lin, Wang 2018, arXiv 1808.05517; matrices: Denton, Zaremba, Bruna, LeCun, Fergus 2014, arXiv 1404.0736",
	Cuts:  "ranks", Needs: catalog.Weights, Doc: lowRankDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "after", How: "norm one-shot retrain", Supervision: "none unlabelled labels", Fusion: "low-rank"},
}

// NewLowRank gives the method with its defaults.
func NewLowRank() *LowRank {
	return &LowRank{Ranks: Ranks{Counts: model.Counts{MACs: .5}, Scheme: "auto"}}
}

// Card describes the method.
func (*LowRank) Card() *catalog.Card { return lowRankCard }

// Run factors the weights and fine-tunes what they have become.
func (s *LowRank) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := s.asked(); err != nil {
		return nil, err
	}
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	layers, skips := lowrank.Layers(j.Graph, ws)
	if len(layers) == 0 {
		return nil, nothing(skips)
	}
	res, err := s.factor(ctx, j, layers, s.ways)
	if err != nil {
		return nil, err
	}
	noteSkips(res, skips)
	return res, j.Tune(ctx, res)
}
