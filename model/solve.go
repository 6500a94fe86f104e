package model

import (
	"context"
	"fmt"
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/prune/calibrate"
)

// What least squares are made of: enough samples that a layer of some hundred inputs is
// decided many times over, and damping as SparseGPT's (arXiv 2301.00774).
const (
	solveSamples = 512
	solveDamp    = .01
)

// solves says whether what is cut is to be solved by least squares, and whether training
// is to follow.
func (r *Recipe) solves() (solve, train bool, err error) {
	ways, err := r.ways()
	return slices.Contains(ways, "solve"), len(ways) != 1, err
}

// checkSolve returns an error where the network cannot be repaired as asked for.
func (j *Job) checkSolve() error {
	solve, train, err := j.Recipe.solves()
	switch {
	case err != nil || !solve:
		return err
	case j.Recipe.Epochs > 0 && !train:
		return catalog.Errorf("{Recipe.Recover} solve trains nothing: give {Recipe.Epochs} 0, or what the training is to go by, as in solve,distil")
	case j.Samples == nil && (j.Data == nil || j.Data.Train.Len() == 0):
		return catalog.Errorf("{Recipe.Recover} solve takes samples of the training set, which need no labels: give {Data}")
	}
	return nil
}

// beforeSolve keeps the network as it is, where what is cut is to be solved: where the
// recipe says so, and before a distillation, which begins with it.
func (j *Job) beforeSolve() error {
	solve, _, err := j.Recipe.solves()
	if err == nil && !solve && j.Steps() > 0 {
		solve, err = j.distils()
		j.implied = solve
	}
	if solve {
		j.whole, _ = j.Graph.Clone(true)
		j.solved = &Result{}
	}
	return err
}

// Repair solves what a method has cut from the job's network, before the training, where
// the recipe asks for it; else it does nothing, and says so.
func (j *Job) Repair(ctx context.Context, res *Result) (done bool, err error) {
	if err := j.watch(res); err != nil {
		return false, err
	}
	if j.whole == nil {
		return false, nil
	}
	j.solved.Notes = nil
	notes := res.Notes
	err = j.Solve(ctx, j.whole, res)
	j.solved.Notes, res.Notes = res.Notes[len(notes):], notes
	if err != nil && j.implied && ctx.Err() == nil {
		j.solved.Notes = []catalog.Text{catalog.Text(fmt.Sprintf("the training began with what was cut, which could not be solved by least squares: %v", err))}
		return false, nil
	}
	return err == nil, err
}

// watch chooses what is matched inside the network, where the training is by what the
// network before gives.
func (j *Job) watch(res *Result) error {
	if how := j.Recipe.Inner; how != "on" && how != "auto" || j.Dense == nil || j.Steps() == 0 || j.Loss.Match != nil {
		return nil
	}
	distils, err := j.distils()
	if err == nil && distils {
		if j.Loss.Inner = inner(j.Dense, res.Graph, res.Kept, j.Recipe.Inner == "on"); j.Loss.Inner != nil {
			j.Logf("%d values inside the network are matched with those before the cut too", len(j.Loss.Inner))
		}
	}
	return err
}

// afterWork repairs the network of a method that did not do so itself, where nothing was
// trained, and adds what was said of it.
func (j *Job) afterWork(ctx context.Context, res *Result) error {
	if j.whole == nil {
		return nil
	}
	if j.solved.Notes == nil {
		if j.implied {
			return nil
		}
		if j.Steps() > 0 {
			res.Note("nothing was solved by least squares: the method cuts while it trains")
			return nil
		}
		if _, err := j.Repair(ctx, res); err != nil {
			return err
		}
	}
	res.Notes = append(res.Notes, j.solved.Notes...)
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
