package method

import (
	"context"

	"pare/prune/allocate"
	"pare/prune/score"
)

// LAMP are the settings of layer-adaptive magnitude pruning.
type LAMP struct {
	Sparsity float64 `flag:"sparsity" doc:"share of the prunable weights that is cut, in [0,1)"`
	Layers
}

var lamp = &Method{
	Name: "lamp", Title: "Layer-adaptive magnitude pruning (LAMP)",
	Paper: "Lee, Park, Mo, Ahn, Shin: Layer-adaptive Sparsity for the Magnitude-based Pruning (2021). arXiv 2010.07611",
	Cuts:  "weights", Needs: Weights,
	Doc: `Scores a weight by its square over the sum of the squares of the layer's weights that are at least as large, cuts
the lowest over all layers and fine-tunes the rest with the mask held. Within a layer the order is that of magnitude;
the score chooses how much of each, with nothing to set, and empties no layer. The authors prune in rounds of a fifth
of what is left; this is one round. Read in the authors' code: they keep all ties at the threshold and take the counts
only; here counts and choice are one ranking, exact.`,
	Settings: func() any { return &LAMP{Sparsity: .9} },
	Run:      runLAMP,
}

func runLAMP(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*LAMP)
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	m, err := allocate.Global(ws, score.LAMP(ws), s.Sparsity, nil)
	if err != nil {
		return nil, err
	}
	m.Apply()
	if err := j.untuned(ctx, j.Graph); err != nil {
		return nil, err
	}
	return j.sparse(ctx, m)
}
