package method

import (
	"context"
	"fmt"
	"math"

	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
)

// SynFlow are the settings of iterative synaptic flow pruning.
type SynFlow struct {
	Sparsity   float64 `flag:"sparsity" doc:"share of the prunable weights that is cut, in [0,1)"`
	Iterations int     `flag:"iterations" doc:"times that scores are computed anew, between which the density falls by the same factor"`
	Fresh
	Layers
}

var synflow = &Method{
	Name: "synflow", Title: "Pruning before training by iterative synaptic flow (SynFlow)",
	Paper: "Tanaka, Kunin, Yamins, Ganguli: Pruning neural networks without any data by iteratively conserving synaptic flow (2020). arXiv 2006.05467",
	Cuts:  "weights", Needs: Weights,
	Doc: `Needs no data to cut: the score of a weight is |w| * dR/d|w|, R the sum of the outputs of the network of absolute
weights for an input of ones. In each of 100 iterations scores are computed anew and the lowest over all layers are
cut, down to density d^(k/100) after the k-th. What is left is trained with the mask held, where there is data. It
empties no layer before it must.

Read in the authors' code: the network is in its inference form, in which batch normalisation of an untrained network
is neutral; here it is made so, and biases count as zero, in trained networks too. Weights are divided by powers of
two that follow each layer's gain, which changes no rank and keeps R from overflowing. What is cut stays cut; the
authors rank it anew with a score of zero.`,
	Settings: func() any { return &SynFlow{Sparsity: .9, Iterations: 100} },
	Run:      runSynFlow,
}

func runSynFlow(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*SynFlow)
	if s.Iterations < 1 {
		return nil, fmt.Errorf("--iterations %d: at least 1 is needed", s.Iterations)
	}
	if err := s.begin(j); err != nil {
		return nil, err
	}
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	m, err := s.synflow(ctx, j, ws)
	if err != nil {
		return nil, err
	}
	return j.sparse(ctx, m)
}

// synflow chooses masks by iterative synaptic flow.
func (s *SynFlow) synflow(ctx context.Context, j *Job, ws []*prune.Weight) (*prune.Masks, error) {
	if _, err := allocate.Keep(1, s.Sparsity); err != nil {
		return nil, err
	}
	f, err := score.NewFlow(j.Graph, ws, j.Engine)
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
