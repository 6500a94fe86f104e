package atinit

import (
	_ "embed"

	"context"
	"math"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
)

// SynFlow is iterative synaptic flow pruning.
type SynFlow struct {
	Sparsity   float64 `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut"`
	Iterations int     `flag:"iterations" range:"[1,)" doc:"times that scores are computed anew, between which the density falls by the same factor"`
	model.Fresh
	model.Layers
}

//go:embed synflow.md
var synflowDoc string

var synflowCard = &catalog.Card{
	Name: "synflow", Noun: "model", Title: "Pruning before training by iterative synaptic flow (SynFlow)",
	Paper: "Tanaka, Kunin, Yamins, Ganguli: Pruning neural networks without any data by iteratively conserving synaptic flow (2020). arXiv 2006.05467",
	Cuts:  "weights", Needs: catalog.Weights, Doc: synflowDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "before", How: "gradient iterative retrain", Supervision: "none unlabelled labels", Fusion: "none"},
}

// NewSynFlow gives the method with its defaults.
func NewSynFlow() *SynFlow { return &SynFlow{Sparsity: .9, Iterations: 100} }

// Card describes the method.
func (*SynFlow) Card() *catalog.Card { return synflowCard }

// StartsSparse says that weights are masked before training.
func (s *SynFlow) StartsSparse() bool { return s.Sparsity > 0 && !s.Fresh.Fresh }

// Run cuts in iterations and trains what is left.
func (s *SynFlow) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	ws, err := model.Candidates(j, s.Fresh, s.Layers)
	if err != nil {
		return nil, err
	}
	m, err := s.masks(ctx, j, ws)
	if err != nil {
		return nil, err
	}
	return j.FitMasked(ctx, m)
}

// masks chooses masks by iterative synaptic flow.
func (s *SynFlow) masks(ctx context.Context, j *model.Job, ws []*prune.Weight) (*prune.Masks, error) {
	f, err := j.Flow(ws)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m := prune.Dense(ws)
	for k := range s.Iterations {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		sc, err := f.Score(m)
		if err != nil {
			return nil, err
		}
		sparsity := 1 - math.Pow(1-s.Sparsity, float64(k+1)/float64(s.Iterations))
		if k == s.Iterations-1 {
			sparsity = s.Sparsity
		}
		if m, err = allocate.Global(ws, sc, sparsity, nil); err != nil {
			return nil, err
		}
	}
	return m, nil
}
