package model

import (
	"context"

	"pare/graph"
	"pare/prune/calibrate"
	"pare/tensor"
)

// Look gives f some values of the job's network for one batch after the other of n of the
// job's samples (see Calibration), in the order in which they are asked for. They hold until
// f returns. It returns an error where there is no data.
func (j *Job) Look(ctx context.Context, n int, want []*graph.Value, f func(vs []*tensor.Tensor) error) error {
	batches, err := j.Calibration(n)
	if err != nil {
		return err
	}
	w, err := calibrate.NewWalk(j.Graph, batches, calibrate.Options{Engine: j.Engine})
	if err != nil {
		return err
	}
	view := w.View(want, nil)
	defer view.Close()
	for i := range w.Batches() {
		vs, err := view.Run(ctx, i)
		if err != nil {
			return err
		}
		if err := f(vs); err != nil {
			return err
		}
	}
	return nil
}
