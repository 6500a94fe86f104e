package method

import (
	"context"

	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
	"pare/train"
)

// SNIP are the settings of single-shot pruning by connection sensitivity.
type SNIP struct {
	Sparsity float64 `flag:"sparsity" doc:"share of the prunable weights that is cut, in [0,1)"`
	Sampled
	Fresh
	Layers
}

var snip = &Method{
	Name: "snip", Title: "Pruning before training by connection sensitivity (SNIP)",
	Paper: "Lee, Ajanthan, Torr: SNIP: Single-shot Network Pruning based on Connection Sensitivity (2019). arXiv 1810.02340",
	Cuts:  "weights", Needs: Trains,
	Doc: `Before training, scores every weight by |g*w|, g the gradient of the loss on a small labelled batch, keeps the
best over all layers, and trains what is left with the mask held. The paper's batch has a fixed number of samples;
here every class gives as many. The paper divides scores by their sum, which changes no rank, and is left out. The
number of weights that stay is exact. The paper draws initial weights with Xavier's variance; --fresh draws He's.
With --epochs 0 it only cuts.`,
	Settings: func() any { return &SNIP{Sparsity: .9, Sampled: Sampled{PerClass: 10}} },
	Run:      runSNIP,
}

func runSNIP(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*SNIP)
	if err := s.begin(j); err != nil {
		return nil, err
	}
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	m, err := s.snip(j, ws, s.Sparsity)
	if err != nil {
		return nil, err
	}
	return j.sparse(ctx, m)
}

// snip chooses masks by connection sensitivity.
func (s Sampled) snip(j *Job, ws []*prune.Weight, sparsity float64) (*prune.Masks, error) {
	d, err := s.batches(j)
	if err != nil {
		return nil, err
	}
	g, err := score.Gradients(j.Graph, ws, d, train.Loss{}, j.Engine)
	if err != nil {
		return nil, err
	}
	return allocate.Global(ws, score.Sensitivity(ws, g), sparsity, nil)
}
