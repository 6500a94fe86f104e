package language

import (
	"context"

	"pare/catalog"
	"pare/model"
	"pare/model/calibrated"
	"pare/model/oneshot"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
)

// cut gives a result with the masks of the network, and zeroes what they cut. Output layers
// are not cut.
func (s *PERP) cut(ctx context.Context, j *model.Job) (*model.Result, error) {
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	k := *j
	k.Recipe.Epochs, k.Recipe.Recover = 0, "auto"
	if s.Criterion == "zeros" {
		masks, err := s.zeros(ws)
		if err != nil {
			return nil, err
		}
		return k.FitMasked(ctx, masks)
	}
	all, err := prune.Weights(j.Graph, prune.Scope{Embeddings: true})
	if err != nil {
		return nil, err
	}
	layers, last := s.Layers, prune.Last(j.Graph, all)
	body := ws[:0:0]
	for _, w := range ws {
		if last[w.Value] {
			layers.Exclude = append(layers.Exclude[:len(layers.Exclude):len(layers.Exclude)], prune.Literal(w.Name))
		} else {
			body = append(body, w)
		}
	}
	if len(body) == 0 {
		return nil, catalog.Errorf("all weights in scope are of output layers, which are not cut")
	}
	if s.Sparsity == 0 && s.Pattern == (allocate.Pattern{}) {
		return nil, catalog.Errorf("{Sparsity} 0 cuts nothing: give {Sparsity} or {Pattern}, or {Criterion} zeros for a network that was pruned before")
	}
	var m model.Method
	switch s.Criterion {
	case "magnitude":
		m = &oneshot.Magnitude{Sparsity: s.Sparsity, Allocate: "uniform", Pattern: s.Pattern, Rounds: 1, Layers: layers}
	case "random":
		masks, err := s.random(body, j.Seed)
		if err != nil {
			return nil, err
		}
		return k.FitMasked(ctx, masks)
	case "wanda":
		c := calibrated.NewWanda()
		c.Sparsity, c.Pattern, c.Samples = s.Sparsity, s.Pattern, calibrated.Samples{Samples: s.Samples, Layers: layers}
		m = c
	default:
		c := calibrated.NewSparseGPT()
		c.Sparsity, c.Pattern, c.Samples = s.Sparsity, s.Pattern, calibrated.Samples{Samples: s.Samples, Layers: layers}
		m = c
	}
	return m.Run(ctx, &k)
}

// random keeps weights at random places.
func (s *PERP) random(ws []*prune.Weight, seed uint64) (*prune.Masks, error) {
	sc := score.Random(ws, seed)
	if s.Pattern != (allocate.Pattern{}) {
		return s.Pattern.Masks(ws, sc, s.Sparsity)
	}
	return allocate.Name("uniform").Masks(ws, sc, s.Sparsity, nil)
}

// zeros takes the zeros of weights for what was cut.
func (s *PERP) zeros(ws []*prune.Weight) (*prune.Masks, error) {
	out := &prune.Masks{}
	for _, w := range ws {
		m := prune.NewMask(w.Len(), true)
		for i, x := range w.Data() {
			if x == 0 {
				m.Set(i, false)
			}
		}
		if m.Count() < m.Len {
			out.Weights, out.Mask = append(out.Weights, w), append(out.Mask, m)
		}
	}
	if len(out.Weights) == 0 {
		return nil, catalog.Errorf("{Criterion} zeros: no weight in scope has a zero, so that there is nothing to preserve: give a {Criterion} and {Sparsity}, or train the network as it is")
	}
	return out, nil
}
