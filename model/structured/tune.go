package structured

import (
	"context"

	"pare/model"
)

// calibrationBatch is the batch from which statistics are estimated where there is no
// recipe.
const calibrationBatch = 128

// tune wins back what a cut costs, as the recipe says: the network is repaired, trained,
// or, where neither is asked for, its statistics are estimated anew.
func tune(ctx context.Context, j *model.Job, res *model.Result) (*model.Result, error) {
	if solved, err := j.Repair(ctx, res); err != nil {
		return nil, err
	} else if j.Recipe.Epochs == 0 && !solved && j.Data != nil && j.Data.Train != nil && j.Data.Train.Len() >= calibrationBatch {
		return res, j.Recalibrate(ctx, res.Graph, calibrationBatch)
	}
	if err := j.LogUntuned(ctx, res.Graph); err != nil {
		return nil, err
	}
	var err error
	res.Epochs, err = j.Fit(ctx, res.Graph)
	return res, err
}
