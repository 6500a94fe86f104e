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

// GlobalMP is global magnitude pruning.
type GlobalMP struct {
	Sparsity float64 `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut"`
	MT       float64 `flag:"mt" range:"[0,100)" doc:"least weights that a layer keeps, in percent of all prunable weights"`
	Gradual  bool    `flag:"gradual" doc:"raise the sparsity along a cubic over the first half of the fine-tuning instead of at once"`
	model.Layers
}

//go:embed global-mp.md
var globalmpDoc string

var globalmpCard = &catalog.Card{
	ID: "08", Name: "global-mp", Noun: "model", Title: "Global magnitude pruning with a minimum threshold",
	Paper: "Gupta, Camci, Keneta, Vaidyanathan, Kanodia, James, Foo, Wu, Lin: Is Complexity Required for Neural Network Pruning? A Case Study on Global Magnitude Pruning. arXiv 2209.14624",
	Cuts:  "weights", Needs: catalog.Weights, Doc: globalmpDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "magnitude one-shot iterative retrain", Supervision: "none unlabelled labels", Fusion: "none"},
}

// NewGlobalMP gives the method with its defaults.
func NewGlobalMP() *GlobalMP { return &GlobalMP{Sparsity: .9, MT: .05} }

// Card describes the method.
func (*GlobalMP) Card() *catalog.Card { return globalmpCard }

// Run ranks all weights together, cuts, and fine-tunes.
func (s *GlobalMP) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	floor := minimum(ws, s.MT)
	pick := func(sparsity float64) (*prune.Masks, error) {
		return allocate.Global(ws, score.Magnitude(ws), sparsity, floor)
	}
	if s.Gradual {
		return j.FitRaising(ctx, ws, j.HalfWay(s.Sparsity), false, pick)
	}
	masks, err := pick(s.Sparsity)
	if err != nil {
		return nil, err
	}
	return j.CutAndTune(ctx, masks)
}

// minimum is the number of weights that each layer keeps at least: mt percent
// of all, or the whole layer where it has no more.
func minimum(ws []*prune.Weight, mt float64) []int {
	t := int(float64(prune.Total(ws)) * mt / 100)
	out := make([]int, len(ws))
	for l, w := range ws {
		out[l] = min(t, w.Len())
	}
	return out
}
