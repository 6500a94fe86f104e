package model

import (
	"context"

	"pare/graph"
)

// enoughSamples are those from which statistics of batch normalisation are estimated where
// there is no recipe, in one batch.
const enoughSamples = 128

// Tune wins back what a cut costs, as the recipe says: the network is repaired, trained,
// or, where neither is asked for, its statistics are estimated anew.
func (j *Job) Tune(ctx context.Context, res *Result) error { return j.TuneBy(ctx, res, j) }

// TuneBy is Tune that estimates statistics on the training set of another job; nil: they
// stay.
func (j *Job) TuneBy(ctx context.Context, res *Result, by *Job) error {
	solved, err := j.Repair(ctx, res)
	if err != nil {
		return err
	}
	if j.Recipe.Epochs == 0 && !solved {
		if by == nil {
			return nil
		}
		return by.Reestimate(ctx, res.Graph)
	}
	if err := j.LogUntuned(ctx, res.Graph); err != nil {
		return err
	}
	epochs, err := j.Fit(ctx, res.Graph)
	res.Add(epochs)
	return err
}

// Reestimate sets the statistics of batch normalisation by the training set, for a network
// that is not trained after its cut. Where there are too few samples they stay.
func (j *Job) Reestimate(ctx context.Context, g *graph.Graph) error {
	if j.Data == nil || j.Data.Train == nil || j.Data.Train.Len() < enoughSamples {
		return nil
	}
	return j.Recalibrate(ctx, g, enoughSamples)
}
