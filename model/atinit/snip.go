package atinit

import (
	_ "embed"

	"context"

	"pare/catalog"
	"pare/model"
)

// SNIP is single-shot pruning by connection sensitivity.
type SNIP struct {
	Sparsity float64 `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut"`
	model.Sampled
	model.Fresh
	model.Layers
}

//go:embed snip.md
var snipDoc string

var snipCard = &catalog.Card{
	Name: "snip", Noun: "model", Title: "Pruning before training by connection sensitivity (SNIP)",
	Paper: "Lee, Ajanthan, Torr: SNIP: Single-shot Network Pruning based on Connection Sensitivity (2019). arXiv 1810.02340",
	Cuts:  "weights", Needs: catalog.Trains, Doc: snipDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "before", How: "sensitivity gradient one-shot retrain", Supervision: "labels", Fusion: "none"},
}

// NewSNIP gives the method with its defaults.
func NewSNIP() *SNIP { return &SNIP{Sparsity: .9, Sampled: model.Sampled{PerClass: 10}} }

// Card describes the method.
func (*SNIP) Card() *catalog.Card { return snipCard }

// StartsSparse says that weights are masked before training.
func (s *SNIP) StartsSparse() bool { return s.Sparsity > 0 && !s.Fresh.Fresh }

// Run keeps the most sensitive connections over all layers and trains them.
func (s *SNIP) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	return pruneOnce(ctx, j, s.Fresh, s.Layers, s.Sparsity, s.Sampled.Sensitivity)
}
