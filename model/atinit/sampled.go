package atinit

import (
	_ "embed"

	"context"

	"pare/catalog"
	"pare/dataset"
	"pare/model"
	"pare/prune/allocate"
	"pare/train"
)

// Sampled is the setting of methods that score by the gradients of a few
// labelled samples.
type Sampled struct {
	PerClass int `flag:"per-class" range:"[1,)" doc:"samples of each class, drawn by seed, whose gradients score the weights"`
}

// mostScored is the greatest batch to score with; more samples make more batches.
const mostScored = 256

// batches are the samples to score with.
func (s Sampled) batches(j *model.Job) (train.Source, error) {
	if j.Data == nil || j.Data.Train == nil {
		return nil, catalog.Errorf("weights are scored by the gradients of labelled samples: give {Data}")
	}
	if err := j.NeedsLabels("weights are scored by the loss on labelled samples"); err != nil {
		return nil, err
	}
	set, err := s.drawn(j)
	if err != nil {
		return nil, catalog.Errorf("{PerClass}: %v", err)
	}
	n := set.Len()
	parts := (n + mostScored - 1) / mostScored
	_, size := j.Graph.Batch(n / parts)
	if size > n {
		return nil, catalog.Errorf("the network's batch is fixed to %d, and %d samples of each class are %d: raise {PerClass}", size, s.PerClass, n)
	}
	return train.NewData(&dataset.Loader{Set: set, Size: size, Norm: j.Data.Norm}), nil
}

// usualClasses is how many classes samples without one are taken to have.
const usualClasses = 10

// drawn are samples of each class; where samples have no class, as many as of ten.
func (s Sampled) drawn(j *model.Job) (*dataset.Set, error) {
	if y := j.Data.Train.Class(); y != nil && y.Size() == 1 {
		return j.Data.Train.Balanced(s.PerClass, j.Seed)
	}
	j.Logf("samples have no class each: %d are drawn", usualClasses*s.PerClass)
	return j.Data.Train.Draw(usualClasses*s.PerClass, j.Seed), nil
}

// pruneOnce draws initial weights where that is asked for, keeps those of the highest
// scores over all layers, and trains them.
func pruneOnce(ctx context.Context, j *model.Job, f model.Fresh, ls model.Layers, sparsity float64, rate model.Score) (*model.Result, error) {
	ws, err := model.Candidates(j, f, ls)
	if err != nil {
		return nil, err
	}
	sc, err := rate(ctx, j, ws)
	if err != nil {
		return nil, err
	}
	m, err := allocate.Global(ws, sc, sparsity, nil)
	if err != nil {
		return nil, err
	}
	return j.FitMasked(ctx, m)
}
