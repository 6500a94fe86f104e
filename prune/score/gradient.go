package score

import (
	"fmt"

	"pare/engine"
	"pare/graph"
	"pare/prune"
	"pare/train"
)

// Gradients is the mean over the batches of a source's first epoch of the loss's
// gradients, in the weights' order. Batch normalisation takes the statistics of
// the batch, as in training. It returns an error where a weight is not trained or
// a gradient is not finite.
func Gradients(g *graph.Graph, ws []*prune.Weight, d train.Source, l train.Loss, opt engine.Options) ([][]float32, error) {
	return mean(g, ws, d, l, opt, func(x float64) float64 { return x })
}

// Fisher is the mean over the batches of the squared gradients: of batches of one
// sample, the diagonal of the empirical Fisher information (Theis et al. 2018,
// equation 6, but for the factor w^2/2).
func Fisher(g *graph.Graph, ws []*prune.Weight, d train.Source, l train.Loss, opt engine.Options) ([][]float32, error) {
	return mean(g, ws, d, l, opt, func(x float64) float64 { return x * x })
}

// mean is the mean of a function of the batches' gradients.
func mean(g *graph.Graph, ws []*prune.Weight, d train.Source, l train.Loss, opt engine.Options, f func(float64) float64) ([][]float32, error) {
	defer d.Close()
	s, err := train.NewStep(g, d.Batch(), l, opt)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	ps, err := trained(s, ws)
	if err != nil {
		return nil, err
	}
	sum := make([][]float64, len(ws))
	for l, w := range ws {
		sum[l] = make([]float64, w.Len())
	}
	n := d.Steps()
	if n < 1 {
		return nil, fmt.Errorf("there is no batch of %d samples to score with", d.Batch())
	}
	for i := range n {
		if err := d.Fill(0, i, s); err != nil {
			return nil, err
		}
		if _, err := s.Run(); err != nil {
			return nil, err
		}
		for l, p := range ps {
			for k, x := range p.G {
				sum[l][k] += f(float64(x))
			}
		}
	}
	return rounded(ws, sum, 1/float64(n))
}

// trained finds the weights among a step's parameters.
func trained(s *train.Step, ws []*prune.Weight) ([]*train.Param, error) {
	by := map[*graph.Value]*train.Param{}
	for _, p := range s.Params {
		by[p.Value] = p
	}
	out := make([]*train.Param, len(ws))
	for l, w := range ws {
		if out[l] = by[w.Value]; out[l] == nil {
			return nil, fmt.Errorf("weight %q is prunable but not trained: it has no gradient", w.Name)
		}
	}
	return out, nil
}

// rounded is sum*by in float32.
func rounded(ws []*prune.Weight, sum [][]float64, by float64) ([][]float32, error) {
	out := make([][]float32, len(ws))
	for l, w := range ws {
		out[l] = make([]float32, len(sum[l]))
		for i, x := range sum[l] {
			v := float32(x * by)
			if v-v != 0 {
				return nil, fmt.Errorf("the score of weight %q is %v at entry %d: the network's loss is not finite on the batches to score with", w.Name, v, i)
			}
			out[l][i] = v
		}
	}
	return out, nil
}
