package method

import (
	"context"
	"fmt"
	"math"

	"pare/prune"
	"pare/prune/schedule"
	"pare/train"
)

// Movement are the settings of movement pruning.
type Movement struct {
	Sparsity float64 `flag:"sparsity" doc:"final share of the prunable weights that is cut, in [0,1)"`
	Allocate string  `flag:"allocate" doc:"how much of each layer: uniform, or global by the scores of all"`
	Initial  float64 `flag:"initial" doc:"sparsity at the begin of the window"`
	Begin    float64 `flag:"begin" doc:"begin of the window, as a share of the training"`
	End      float64 `flag:"end" doc:"end of the window, as a share of the training"`
	Every    int     `flag:"every" doc:"steps between changes of the masks"`
	Power    float64 `flag:"power" doc:"of the polynomial along which the sparsity rises: 3 is cubic"`
	Scored
	Layers
}

var movement = &Method{
	Name: "movement", Title: "Movement pruning",
	Paper: "Sanh, Wolf, Rush: Movement Pruning: Adaptive Sparsity by Fine-Tuning (NeurIPS 2020). arXiv 2005.07683",
	Cuts:  "weights", Needs: Trains,
	Doc: `Prunes while a pretrained network is fine-tuned, by where weights move and not by how large they are: the score of a
weight is the sum of -rate * dL/dW * W over the steps, with the gradient of the masked product passed straight through
(so cut weights are scored too, and return). The highest scores stay; the sparsity rises along a cubic over the window, and
masks follow the scores at every step, after the window too. Scores begin at 0; of equal scores the first index goes first.

Read in the authors' code: scores of 0, no decay on them, top-v of each matrix by default and of all together as an
option, masks of every step, and a window that leaves one warm-up of 10 % dense and a cool-down of 20 %. Their scores
are moved by AdamW at 0.01; here by plain gradient descent, as in the paper's formula, whose ranking does not depend on a
constant rate (--score-momentum adds momentum). The soft form, with a threshold on the scores, is not there.

The method is made for transfer, at high sparsity; trained from scratch, or at low sparsity, magnitude is as good.`,
	Settings: func() any { return movementDefaults() },
	Run:      runMovement,
}

func movementDefaults() *Movement {
	return &Movement{Sparsity: .9, Allocate: "uniform", Begin: .1, End: .8, Every: 1, Power: 3, Scored: Scored{ScoreLR: 1, ScoreSchedule: "constant"}}
}

func runMovement(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*Movement)
	if !(s.Begin >= 0 && s.Begin <= 1 && s.End >= 0 && s.End <= 1) {
		return nil, fmt.Errorf("the window from %v to %v is not within [0,1] of the training", s.Begin, s.End)
	}
	if err := j.learns(); err != nil {
		return nil, err
	}
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	n := float64(j.Steps())
	sch := schedule.Gradual{Initial: s.Initial, Final: s.Sparsity, Begin: int(math.Round(s.Begin * n)), End: int(math.Round(s.End * n)),
		Every: s.Every, Power: s.Power}
	if err := sch.Check(j.Steps()); err != nil {
		return nil, err
	}
	h := &prune.Latent{Masks: prune.Dense(ws), Grad: func(_ int, w, g, d []float32) { straightThrough(w, g, d) }}
	zero := make([][]float32, len(ws))
	for l, w := range ws {
		zero[l] = make([]float32, w.Len())
	}
	if h.Scores, err = s.scores(zero, j.Steps()); err != nil {
		return nil, err
	}
	if _, err := topScores(ws, h.Score, s.Sparsity, s.Allocate); err != nil {
		return nil, err
	}
	h.Project = func(r *train.Run) error {
		if r.Step < sch.Begin || (r.Step-sch.Begin)%s.Every != 0 && r.Step != sch.End {
			return nil
		}
		m, err := topScores(ws, h.Score, sch.At(r.Step), s.Allocate)
		if err == nil {
			h.Mask = m.Mask
		}
		return err
	}
	epochs, err := j.Fit(ctx, j.Graph, h)
	return &Result{Graph: j.Graph, Masks: h.Masks, Epochs: epochs, Notes: collapse(h.Masks)}, err
}
