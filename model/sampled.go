package model

import (
	"context"

	"pare/catalog"
	"pare/dataset"
	"pare/prune"
	"pare/prune/score"
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
func (s Sampled) batches(j *Job) (train.Source, error) {
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
func (s Sampled) drawn(j *Job) (*dataset.Set, error) {
	if y := j.Data.Train.Class(); y != nil && y.Size() == 1 {
		return j.Data.Train.Balanced(s.PerClass, j.Seed)
	}
	j.Logf("samples have no class each: %d are drawn", usualClasses*s.PerClass)
	return j.Data.Train.Draw(usualClasses*s.PerClass, j.Seed), nil
}

// Sensitivity is |g*w|, g the gradient of the loss on the samples.
func (s Sampled) Sensitivity(ctx context.Context, j *Job, ws []*prune.Weight) ([][]float32, error) {
	d, err := s.batches(j)
	if err != nil {
		return nil, err
	}
	loss, err := j.Objective()
	if err != nil {
		return nil, err
	}
	g, err := train.Gradients(ctx, j.Graph, prune.Values(ws), d, loss, j.Engine)
	if err != nil {
		return nil, err
	}
	return score.Sensitivity(ws, g), nil
}

// GradientFlow is w*(Hg), H and g the Hessian and gradient of the loss on the
// samples, the network's outputs divided by a temperature.
func (s Sampled) GradientFlow(temperature float64) Score {
	return func(ctx context.Context, j *Job, ws []*prune.Weight) ([][]float32, error) {
		d, err := s.batches(j)
		if err != nil {
			return nil, err
		}
		loss, err := j.Objective()
		if err != nil {
			return nil, err
		}
		loss.Temper = temperature
		of := prune.Values(ws)
		g, err := train.Gradients(ctx, j.Graph, of, d, loss, j.Engine)
		if err != nil {
			return nil, err
		}
		hg, err := train.HessianProduct(ctx, j.Graph, of, g, d, loss, j.Engine)
		if err != nil {
			return nil, err
		}
		return score.GraSP(ws, hg)
	}
}
