package method

import (
	"context"
	"fmt"
	"math"

	"pare/dataset"
	"pare/graph"
	"pare/internal/kernel"
	"pare/prune"
	"pare/prune/allocate"
	"pare/train"
)

// Scored are the settings of methods that learn their masks: the optimiser of
// the scores.
type Scored struct {
	ScoreLR       float64 `flag:"score-lr" doc:"peak learning rate of the scores"`
	ScoreSchedule string  `flag:"score-schedule" doc:"schedule of the scores' rate, written as --schedule"`
	ScoreMomentum float64 `flag:"score-momentum" doc:"momentum of the scores"`
	ScoreDecay    float64 `flag:"score-decay" doc:"weight decay of the scores"`
}

// scores makes scores of initial values and their optimiser.
func (s Scored) scores(initial [][]float32, steps int) (prune.Scores, error) {
	if _, err := train.ParseOptimizer("sgd", s.ScoreMomentum, s.ScoreDecay); err != nil {
		return prune.Scores{}, fmt.Errorf("the scores: %w", err)
	}
	rate, err := train.ParseRate(s.ScoreSchedule, s.ScoreLR, steps)
	if err != nil {
		return prune.Scores{}, fmt.Errorf("the scores: %w", err)
	}
	return prune.Scores{Score: initial, Rate: rate, Momentum: s.ScoreMomentum, Decay: s.ScoreDecay}, nil
}

// straightThrough is the gradient of scores whose mask is passed over in the
// backward pass: dL/dq = dL/d(w*b) * w.
func straightThrough(w, g, d []float32) { kernel.Mul(g, w, d) }

// signed turns the gradient of a mask into that of a score whose absolute value
// ranks; 0 counts as positive.
func signed(x, score float32) float32 {
	if score < 0 {
		return -x
	}
	return x
}

// sizes are the absolute values of scores.
func sizes(score [][]float32) [][]float32 {
	out := make([][]float32, len(score))
	for l, s := range score {
		out[l] = make([]float32, len(s))
		for i, x := range s {
			out[l][i] = float32(math.Abs(float64(x)))
		}
	}
	return out
}

// topScores keeps the highest scores at a sparsity, within each layer (uniform)
// or of all layers (global).
func topScores(ws []*prune.Weight, score [][]float32, sparsity float64, how string) (*prune.Masks, error) {
	switch how {
	case "global":
		return allocate.Global(ws, score, sparsity, nil)
	case "uniform":
		keep, err := allocate.Uniform(ws, sparsity)
		if err != nil {
			return nil, err
		}
		return allocate.Select(ws, score, keep, prune.CutFirst), nil
	}
	return nil, fmt.Errorf("there is no allocation %q: use uniform or global", how)
}

// copies are the weights' present values.
func copies(ws []*prune.Weight) [][]float32 {
	out := make([][]float32, len(ws))
	for l, w := range ws {
		out[l] = append(out[l], w.Data()...)
	}
	return out
}

// learns returns an error where there is nothing to learn masks with.
func (j *Job) learns() error {
	if j.Recipe.Epochs == 0 {
		return fmt.Errorf("masks are learnt by training: give --data and --epochs")
	}
	return j.Check()
}

// canTune returns an error where tuning cannot be done as asked for.
func canTune(epochs int, lr float64) error {
	if epochs < 0 {
		return fmt.Errorf("%d epochs of tuning are negative", epochs)
	}
	if epochs > 0 && !(lr > 0 && lr <= math.MaxFloat32) {
		return fmt.Errorf("the learning rate of tuning %v is not a positive number", lr)
	}
	return nil
}

// search is the job of a search for masks that so many epochs of tuning follow.
func (j *Job) search(tune int) *Job {
	if tune == 0 {
		return j
	}
	return j.round(0, 2)
}

// tune trains what a search has left, by the recipe but for epochs, rate and
// decay. Its epochs are counted on from those of the search.
func (j *Job) tune(ctx context.Context, m *prune.Masks, epochs int, lr, decay float64) ([]train.Epoch, error) {
	k := *j.round(1, 2)
	k.Recipe.Epochs, k.Recipe.LR, k.Recipe.Decay = epochs, lr, decay
	es, err := k.Fit(ctx, j.Graph, &prune.Hold{Masks: m})
	for i := range es {
		es[i].Epoch += j.Recipe.Epochs
	}
	return es, err
}

// recalibrate estimates the statistics of batch normalisation, where there is
// any, from 50 batches of the training set.
func (j *Job) recalibrate(g *graph.Graph) error {
	for _, n := range g.Nodes {
		if n.Is("BatchNormalization") {
			l := &dataset.Loader{Set: j.Data.Train, Size: j.Recipe.Batch, Norm: j.Data.Norm, Shuffle: true, Seed: j.Seed}
			return train.Recalibrate(g, train.NewData(l), 50, j.Engine)
		}
	}
	return nil
}

// pretrained warns of a network that knows nothing yet of the training set.
func (j *Job) pretrained(ctx context.Context) ([]string, error) {
	set := j.Data.Train.First(1000)
	if set.Classes < 2 {
		return nil, nil
	}
	m, err := train.NewEval(set, j.Data.Norm, 128, j.Engine).Run(ctx, j.Graph)
	chance := math.Log(float64(set.Classes))
	if err != nil || m.Loss < .95*chance {
		return nil, err
	}
	return []string{fmt.Sprintf("before any cut the network's loss on training samples is %.2f, no better than the %.2f of chance: this method needs pretrained weights",
		m.Loss, chance)}, nil
}
