package atinit

import (
	_ "embed"

	"context"

	"pare/catalog"
	"pare/model"
)

// GraSP is gradient signal preservation.
type GraSP struct {
	Sparsity    float64 `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut"`
	Temperature float64 `flag:"grasp-temperature" range:"(0,)" doc:"the network's outputs are divided by it before the loss"`
	model.Sampled
	model.Fresh
	model.Layers
}

// temperature is that of the authors' code.
const temperature = 200

//go:embed grasp.md
var graspDoc string

var graspCard = &catalog.Card{
	Name: "grasp", Noun: "model", Title: "Pruning before training by gradient signal preservation (GraSP)",
	Paper: "Wang, Zhang, Grosse: Picking Winning Tickets Before Training by Preserving Gradient Flow (2020). arXiv 2002.07376",
	Cuts:  "weights", Needs: catalog.Trains, Doc: graspDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "before", How: "gradient curvature one-shot retrain", Supervision: "labels", Fusion: "none"},
}

// NewGraSP gives the method with its defaults.
func NewGraSP() *GraSP {
	return &GraSP{Sparsity: .9, Temperature: temperature, Sampled: model.Sampled{PerClass: 10}}
}

// Card describes the method.
func (*GraSP) Card() *catalog.Card { return graspCard }

// StartsSparse says that weights are masked before training.
func (s *GraSP) StartsSparse() bool { return s.Sparsity > 0 && !s.Fresh.Fresh }

// Run keeps what preserves the gradient's flow over all layers and trains it.
func (s *GraSP) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	return pruneOnce(ctx, j, s.Fresh, s.Layers, s.Sparsity, s.Sampled.GradientFlow(s.Temperature))
}
