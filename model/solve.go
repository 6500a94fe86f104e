package model

import (
	"context"

	"pare/catalog"
	"pare/graph"
	"pare/prune/calibrate"
)

// Solve as Job.Recover repairs by least squares.
const Solve = "solve"

// What least squares are made of: enough samples that a layer of some hundred inputs is
// decided many times over, and damping as SparseGPT's (arXiv 2301.00774).
const (
	solveSamples = 512
	solveDamp    = .01
)

// recovered lets work cut the job's network, and repairs what it gives.
func (j *Job) recovered(ctx context.Context, work func() (*Result, error)) (*Result, error) {
	if j.Recover == "" {
		return work()
	}
	dense, _ := j.Graph.Clone(true)
	res, err := work()
	if err != nil {
		return res, err
	}
	return res, j.Solve(ctx, dense, res)
}

// checkRecover returns an error where the network cannot be repaired as asked for.
func (j *Job) checkRecover() error {
	switch {
	case j.Recover == "":
		return nil
	case j.Recover != Solve:
		return catalog.Errorf("{Recover} %q: there is %s", j.Recover, Solve)
	case j.Recipe.Epochs > 0:
		return catalog.Errorf("{Recover} %s is in place of training: give {Recipe.Epochs} 0", Solve)
	case j.Samples == nil && (j.Data == nil || j.Data.Train.Len() == 0):
		return catalog.Errorf("{Recover} %s takes samples of the training set, which need no labels: give {Data}", Solve)
	}
	return nil
}

// Solve repairs a network that was cut from a dense one, without training and without
// labels, on samples of the job's training set: see calibrate.Solver. Layers that are not
// solved are named in the result's notes.
func (j *Job) Solve(ctx context.Context, dense *graph.Graph, res *Result) error {
	batches, err := j.Calibration(solveSamples)
	if err != nil {
		return err
	}
	s := &calibrate.Solver{Damp: solveDamp, Options: calibrate.Options{Engine: j.Engine}, Log: j.Logf}
	solved, skips, err := s.Solve(ctx, dense, res.Graph, res.Kept, batches)
	if err != nil {
		return err
	}
	before, after, few := 0., 0., 0
	for _, l := range solved {
		before, after = before+l.Before/float64(len(solved)), after+l.After/float64(len(solved))
		if l.Few {
			few++
		}
	}
	res.Note("the weights of %d layers were solved by least squares on samples without labels: of what a layer is to give, %.1f %% was missing on average, and %.1f %% is",
		len(solved), 100*before, 100*after)
	if few > 0 {
		res.Note("%d of the layers have more inputs than the samples have rows for: what they do not decide stays as it was cut", few)
	}
	for _, k := range skips {
		res.Note("not solved: %s %s", k.Name, k.Why)
	}
	return nil
}
