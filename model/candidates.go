package model

import (
	"context"

	"pare/catalog"
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

// StartsSparse is a Method that masks an untrained network. It says whether the weights
// that it masks are those of the network as it is given.
type StartsSparse interface{ StartsSparse() bool }

// noteTrained says that a method which is made for untrained networks masks trained
// weights: a network that was read from a file is taken for trained.
func (j *Job) noteTrained(m Method) []catalog.Text {
	if s, ok := m.(StartsSparse); !ok || !s.StartsSparse() || j.Graph.Usage.Drawn {
		return nil
	}
	return []catalog.Text{"the method masks an untrained network, and this one is taken for trained: its weights are masked before any training, whatever they have learnt; {Fresh} draws initial weights"}
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
