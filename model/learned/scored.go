package learned

import (
	"context"
	"math"

	"pare/catalog"
	"pare/internal/kernel"
	"pare/model"
	"pare/prune"
	"pare/prune/hook"
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
func (s Scored) scores(initial [][]float32, steps int) (hook.Scores, error) {
	if _, err := train.ParseOptimizer("sgd", s.ScoreMomentum, s.ScoreDecay); err != nil {
		return hook.Scores{}, catalog.Errorf("{ScoreMomentum} %v, {ScoreDecay} %v: the scores: %v", s.ScoreMomentum, s.ScoreDecay, err)
	}
	rate, err := train.ParseRate(s.ScoreSchedule, s.ScoreLR, steps)
	if err != nil {
		return hook.Scores{}, catalog.Errorf("{ScoreSchedule} %s, {ScoreLR} %v: the scores: %v", s.ScoreSchedule, s.ScoreLR, err)
	}
	return hook.Scores{Score: initial, Rate: rate, Momentum: s.ScoreMomentum, Decay: s.ScoreDecay}, nil
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

// copies are the weights' present values.
func copies(ws []*prune.Weight) [][]float32 {
	out := make([][]float32, len(ws))
	for l, w := range ws {
		out[l] = append(out[l], w.Data()...)
	}
	return out
}

// learns returns an error where there is nothing to learn masks with.
func learns(j *model.Job) error { return j.NeedsTraining("masks are learnt by training") }

// warnUntrained notes that a network knows nothing yet of the training set.
func warnUntrained(ctx context.Context, j *model.Job, res *model.Result) error {
	set := j.Data.Train.First(1000)
	if set.Class() == nil || set.Class().Classes < 2 {
		return nil
	}
	m, err := train.NewEval(set, j.Data.Norm, 128, j.Engine).Run(ctx, j.Graph)
	chance := math.Log(float64(set.Class().Classes))
	if err != nil || m.Loss < .95*chance {
		return err
	}
	res.Note("before any cut the network's loss on training samples is %.2f, no better than the %.2f of chance: this method needs pretrained weights", m.Loss, chance)
	return nil
}
