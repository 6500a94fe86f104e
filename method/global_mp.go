package method

import (
	"context"
	"fmt"

	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/schedule"
	"pare/prune/score"
)

// GlobalMP are the settings of global magnitude pruning.
type GlobalMP struct {
	Sparsity float64 `flag:"sparsity" doc:"share of the prunable weights that is cut, in [0,1)"`
	MT       float64 `flag:"mt" doc:"least weights that a layer keeps, in percent of all prunable weights"`
	Gradual  bool    `flag:"gradual" doc:"raise the sparsity along a cubic over the first half of the fine-tuning instead of at once"`
	Layers
}

var globalMP = &Method{
	ID: "08", Name: "global-mp", Title: "Global magnitude pruning with a minimum threshold",
	Paper: "Gupta, Camci, Keneta, Vaidyanathan, Kanodia, James, Foo, Wu, Lin: Is Complexity Required for Neural Network Pruning? A Case Study on Global Magnitude Pruning. arXiv 2209.14624",
	Cuts:  "weights", Needs: Weights,
	Doc: `Ranks the weights of all convolutions and linear layers together by absolute value, cuts the
smallest, and fine-tunes the rest with the mask held. Biases, normalisation and embeddings are not prunable.
The minimum threshold (mt) keeps the largest weights of every layer, so that no layer collapses.

Departures from the authors' script, which was read: the number of weights that stay is exact (the script keeps one
more, and all ties); the minimum is kept by protecting each layer's largest weights and ranking the rest, instead of
by rescaling in a loop that may not end; sparsity 0 prunes nothing. Weights are ranked as the file has them: keep
batch normalisation unfolded.`,
	Settings: func() any { return &GlobalMP{Sparsity: .9, MT: .05} },
	Run:      runGlobalMP, Claims: globalMPClaims,
}

func runGlobalMP(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*GlobalMP)
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	floor, err := minimum(ws, s.MT)
	if err != nil {
		return nil, err
	}
	pick := func(sparsity float64) (*prune.Masks, error) {
		return allocate.Global(ws, score.Magnitude(ws), sparsity, floor)
	}
	if s.Gradual {
		return gradually(ctx, j, ws, schedule.Gradual{Final: s.Sparsity, End: j.Steps() / 2, Every: max(1, j.Steps()/100), Power: 3}, false, pick)
	}
	masks, err := pick(s.Sparsity)
	if err != nil {
		return nil, err
	}
	masks.Apply()
	j.logf("cut %d of %d weights", prune.Total(ws)-masks.Count(), prune.Total(ws))
	if err := j.untuned(ctx, j.Graph); err != nil {
		return nil, err
	}
	epochs, err := j.Fit(ctx, j.Graph, &prune.Hold{Masks: masks})
	return &Result{Graph: j.Graph, Masks: masks, Epochs: epochs, Notes: collapse(masks)}, err
}

// minimum is the number of weights that each layer keeps at least: mt percent
// of all, or the whole layer where it has no more.
func minimum(ws []*prune.Weight, mt float64) ([]int, error) {
	if !(mt >= 0 && mt < 100) {
		return nil, fmt.Errorf("the minimum threshold of %v percent is outside [0,100)", mt)
	}
	t := int(float64(prune.Total(ws)) * mt / 100)
	out := make([]int, len(ws))
	for l, w := range ws {
		out[l] = min(t, w.Len())
	}
	return out, nil
}

// collapse warns of layers of which nothing is left.
func collapse(m *prune.Masks) []string {
	var out []string
	for _, name := range m.Empty() {
		out = append(out, fmt.Sprintf("nothing is left of %s: the network may be cut in two; cut less, keep a minimum of each layer (--mt of global-mp), or leave this one out with --exclude", name))
	}
	return out
}

// gradually trains while a schedule raises the sparsity.
func gradually(ctx context.Context, j *Job, ws []*prune.Weight, sch schedule.Gradual, keep bool, pick func(float64) (*prune.Masks, error)) (*Result, error) {
	if j.Steps() == 0 {
		return nil, fmt.Errorf("gradual pruning happens while training: give --data and --epochs")
	}
	if err := sch.Check(j.Steps()); err != nil {
		return nil, err
	}
	h := &prune.Gradual{Hold: prune.Hold{Masks: prune.Dense(ws)}, Schedule: sch, Keep: keep, Pick: pick}
	epochs, err := j.Fit(ctx, j.Graph, h)
	return &Result{Graph: j.Graph, Masks: h.Masks, Epochs: epochs, Notes: collapse(h.Masks)}, err
}
