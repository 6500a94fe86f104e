package model

import (
	"context"

	"pare/graph"
	"pare/prune"
)

// Layers are the settings of every method that chooses among the weights of
// convolutions and linear layers.
type Layers struct {
	Include []string `flag:"include" kind:"patterns" doc:"only weights whose names match one of these patterns"`
	Exclude []string `flag:"exclude" kind:"patterns" doc:"not the weights whose names match one of these patterns"`
}

// Weights lists the candidates.
func (s Layers) Weights(g *graph.Graph) ([]*prune.Weight, error) {
	return prune.Weights(g, s.Scope())
}

// Scope is the settings as prune has them.
func (s Layers) Scope() prune.Scope { return prune.Scope{Include: s.Include, Exclude: s.Exclude} }

// Fresh is the setting of methods whose papers begin with an untrained network.
type Fresh struct {
	Fresh bool `flag:"fresh" doc:"draw the initial weights anew: the paper's networks are untrained; without, the file's weights are the initial ones"`
}

// Redraw draws initial weights where that is asked for.
func (s Fresh) Redraw(j *Job) error {
	if !s.Fresh {
		return nil
	}
	return prune.Init{Seed: j.Seed}.Apply(j.Graph)
}

// Candidates draws initial weights where that is asked for, and lists the candidates.
func Candidates(j *Job, f Fresh, s Layers) ([]*prune.Weight, error) {
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	return ws, f.Redraw(j)
}

// Score rates every entry of the candidates: higher stays. It has an entry for each
// weight, in the weights' order.
type Score func(ctx context.Context, j *Job, ws []*prune.Weight) ([][]float32, error)
