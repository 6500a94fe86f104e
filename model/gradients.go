package model

import (
	"context"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/train"
	"pare/train/objective"
)

// gradientSamples is the number of samples whose loss one gradient is of: few, as the
// gradients of many cancel out in a network that was trained on them.
const gradientSamples = 8

// EachGradient gives f the gradients of the job's loss by parameters of its network on n
// samples of the training set (all, where there are fewer), for a few samples at a time;
// see train.EachGradient. Where the training that follows is by labels so is the loss,
// and labels is true. Else it is what stands for the curvature of the distillation, whose
// own gradient is zero where the network is its own teacher; see objective.Term.Draw. It
// returns an error where there is no data.
func (j *Job) EachGradient(ctx context.Context, of []*graph.Value, n int, f func(grads [][]float32) error) (labels bool, samples int, err error) {
	return j.eachGradient(ctx, of, n, gradientSamples, f)
}

// EachSampleGradient is EachGradient for one sample at a time, or as many as the network
// fixes, or as the loss compares with each other.
func (j *Job) EachSampleGradient(ctx context.Context, of []*graph.Value, n int, f func(grads [][]float32) error) (labels bool, samples int, err error) {
	return j.eachGradient(ctx, of, n, 1, f)
}

// eachGradient gives gradients of a few samples each, of n in all.
func (j *Job) eachGradient(ctx context.Context, of []*graph.Value, n, few int, f func(grads [][]float32) error) (labels bool, samples int, err error) {
	if j.Data == nil || j.Data.Train == nil || j.Data.Train.Len() == 0 {
		return false, 0, catalog.Errorf("gradients are taken on samples of the training set, which need no labels: give {Data}")
	}
	loss, batch, err := j.gradientLoss(few)
	if err != nil {
		return false, 0, err
	}
	set := j.Data.Train.Draw(n, j.Seed)
	_, batch = j.Graph.Batch(min(batch, set.Len()))
	if batch > set.Len() {
		return false, 0, catalog.Errorf("the network's batch is fixed to %d, and there are %d samples: give more {Data}", batch, set.Len())
	}
	d := train.NewData(&dataset.Loader{Set: set, Size: batch, Norm: j.Data.Norm, Shuffle: true, Seed: j.Seed})
	return !loss.Drawn, d.Steps() * batch, train.EachGradient(ctx, j.Graph, of, d, loss, j.Seed, j.Engine, f)
}

// gradientLoss is the loss of EachGradient, and how many samples it is of: few, unless it
// compares samples with each other.
func (j *Job) gradientLoss(few int) (l train.Loss, batch int, err error) {
	ways, err := j.Recipe.ways()
	if err != nil {
		return l, 0, err
	}
	labels, err := j.labelled()
	if err != nil {
		return l, 0, err
	}
	if distils, err := j.distils(); err != nil {
		return l, 0, err
	} else if labels && !distils && (ways == nil || slices.Contains(ways, "train")) {
		l, err = j.Objective()
		if slices.ContainsFunc(l.Objective, comparesSamples) {
			return l, j.batch(), err
		}
		return l, few, err
	}
	return train.Loss{Objective: objective.Objective{}, Teacher: j.Graph, Match: j.Loss.Match, Alpha: 1, T: softness, Drawn: true}, few, nil
}

// comparesSamples says whether a term compares the samples of a batch with each other.
func comparesSamples(t objective.Term) bool {
	return t.Loss == objective.Triplet || t.Loss == objective.Contrastive || t.Loss == objective.File
}
