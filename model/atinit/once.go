package atinit

import (
	"context"

	"pare/model"
	"pare/prune/allocate"
)

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
