package oneshot

import (
	"context"

	"pare/catalog"
	"pare/model"
	"pare/prune/allocate"
)

// Ranked cuts the weights of the lowest scores by a score that the caller brings, and
// fine-tunes the rest. It is no method of the catalogue: it makes one of a score.
type Ranked struct {
	Score    model.Score
	Sparsity float64       `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut"`
	Allocate allocate.Name `flag:"allocate" choice:"global,uniform,er,erk" doc:"how much of each layer"`
	model.Layers
}

var rankedCard = &catalog.Card{
	Name: "ranked", Noun: "model", Title: "Pruning by a score of one's own",
	Paper: "none", Doc: "Keeps the weights of the highest scores.", Cuts: "weights", Needs: catalog.Weights,
}

// Card describes the method.
func (*Ranked) Card() *catalog.Card { return rankedCard }

// Run cuts by the score and fine-tunes.
func (s *Ranked) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if s.Score == nil {
		return nil, catalog.Errorf("{Score} is not given")
	}
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	sc, err := s.Score(ctx, j, ws)
	if err != nil {
		return nil, err
	}
	m, err := s.Allocate.Masks(ws, sc, s.Sparsity, nil)
	if err != nil {
		return nil, err
	}
	return j.CutAndTune(ctx, m)
}
