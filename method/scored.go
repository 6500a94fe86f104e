package method

import (
	"context"
	"fmt"
	"math"

	"pare/dataset"
	"pare/graph"
	"pare/kernel"
	"pare/prune"
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

// learns returns an error where there is nothing to learn masks with.
func (j *Job) learns() error {
	if j.Recipe.Epochs == 0 {
		return fmt.Errorf("masks are learnt by training: give --data and --epochs")
	}
	return j.Check()
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

// share is 1-sparsity; it returns an error unless the sparsity is in [0,1).
func share(sparsity float64) (float64, error) {
	if math.IsNaN(sparsity) || sparsity < 0 || sparsity >= 1 {
		return 0, fmt.Errorf("sparsity %v is outside [0,1)", sparsity)
	}
	return 1 - sparsity, nil
}
