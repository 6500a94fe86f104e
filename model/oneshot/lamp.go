package oneshot

import (
	_ "embed"

	"context"

	"pare/catalog"
	"pare/model"
	"pare/prune/allocate"
	"pare/prune/score"
)

// LAMP is layer-adaptive magnitude pruning.
type LAMP struct {
	Sparsity float64 `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut"`
	model.Layers
}

//go:embed lamp.md
var lampDoc string

var lampCard = &catalog.Card{
	Name: "lamp", Noun: "model", Title: "Layer-adaptive magnitude pruning (LAMP)",
	Paper: "Lee, Park, Mo, Ahn, Shin: Layer-adaptive Sparsity for the Magnitude-based Pruning (2021). arXiv 2010.07611",
	Cuts:  "weights", Needs: catalog.Weights, Doc: lampDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "magnitude one-shot retrain", Supervision: "none unlabelled labels", Fusion: "none"},
}

// NewLAMP gives the method with its defaults.
func NewLAMP() *LAMP { return &LAMP{Sparsity: .9} }

// Card describes the method.
func (*LAMP) Card() *catalog.Card { return lampCard }

// Run cuts by the score over all layers, and fine-tunes.
func (s *LAMP) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	m, err := allocate.Global(ws, score.LAMP(ws), s.Sparsity, nil)
	if err != nil {
		return nil, err
	}
	return j.CutAndTune(ctx, m)
}
