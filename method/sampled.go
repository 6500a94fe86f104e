package method

import (
	"context"
	"fmt"

	"pare/dataset"
	"pare/prune"
	"pare/train"
)

// Sampled is the setting of methods that score by the gradients of a few
// labelled samples.
type Sampled struct {
	PerClass int `flag:"per-class" doc:"samples of each class, drawn by seed, whose gradients score the weights"`
}

// mostScored is the greatest batch to score with; more samples make more batches.
const mostScored = 256

// batches are the samples to score with.
func (s Sampled) batches(j *Job) (train.Source, error) {
	if j.Data == nil || j.Data.Train == nil {
		return nil, fmt.Errorf("weights are scored by the gradients of labelled samples: give --data")
	}
	set, err := j.Data.Train.Balanced(s.PerClass, j.Seed)
	if err != nil {
		return nil, fmt.Errorf("--per-class: %w", err)
	}
	n := set.Len()
	parts := (n + mostScored - 1) / mostScored
	size := n / parts
	if len(j.Graph.Inputs) > 0 && len(j.Graph.Inputs[0].Shape) > 0 {
		if d := j.Graph.Inputs[0].Shape[0]; d.Known() {
			size = d.Mul
		}
	}
	if size > n {
		return nil, fmt.Errorf("the network's batch is fixed to %d, and %d samples of each class are %d: raise --per-class", size, s.PerClass, n)
	}
	return train.NewData(&dataset.Loader{Set: set, Size: size, Norm: j.Data.Norm}), nil
}

// sparse trains with masks that are held, and says which layers they emptied.
func (j *Job) sparse(ctx context.Context, m *prune.Masks) (*Result, error) {
	m.Apply()
	j.logf("%d of %d weights stay", m.Count(), prune.Total(m.Weights))
	epochs, err := j.Fit(ctx, j.Graph, &prune.Hold{Masks: m})
	return &Result{Graph: j.Graph, Masks: m, Epochs: epochs, Notes: collapse(m)}, err
}
