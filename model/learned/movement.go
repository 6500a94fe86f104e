package learned

import (
	_ "embed"

	"context"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/hook"
	"pare/prune/schedule"
	"pare/train"
)

// Movement is movement pruning.
type Movement struct {
	Sparsity float64       `flag:"sparsity" range:"[0,1)" doc:"final share of the prunable weights that is cut"`
	Allocate allocate.Name `flag:"allocate" choice:"uniform,global" doc:"how much of each layer: uniform, or global by the scores of all"`
	Initial  float64       `flag:"initial" range:"[0,1)" doc:"sparsity at the start of the window"`
	Begin    train.At      `flag:"begin" kind:"time" doc:"start of the window: 10%, 2ep or 500it"`
	End      train.At      `flag:"end" kind:"time" doc:"end of the window"`
	Every    int           `flag:"every" range:"[1,)" doc:"steps between changes of the masks"`
	Power    float64       `flag:"power" range:"(0,)" doc:"of the polynomial along which the sparsity rises: 3 is cubic"`
	Scored
	model.Layers
}

//go:embed movement.md
var movementDoc string

var movementCard = &catalog.Card{
	Name: "movement", Noun: "model", Title: "Movement pruning",
	Paper: "Sanh, Wolf, Rush: Movement Pruning: Adaptive Sparsity by Fine-Tuning (NeurIPS 2020). arXiv 2005.07683",
	Cuts:  "weights", Needs: catalog.Trains, Doc: movementDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "during", How: "scores gradient iterative regrow retrain", Supervision: "labels", Fusion: "none"},
}

// NewMovement gives the method with its defaults.
func NewMovement() *Movement {
	return &Movement{Sparsity: .9, Allocate: "uniform", Begin: train.Share(.1), End: train.Share(.8), Every: 1, Power: 3, Scored: Scored{ScoreLR: 1, ScoreSchedule: "constant"}}
}

// Card describes the method.
func (*Movement) Card() *catalog.Card { return movementCard }

// Drives says that the trainings are the method's own.
func (*Movement) Drives() bool { return true }

// Run fine-tunes while masks follow the scores at a rising sparsity.
func (s *Movement) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := learns(j); err != nil {
		return nil, err
	}
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	sch, err := j.Window(schedule.Gradual{Initial: s.Initial, Final: s.Sparsity, Every: s.Every, Power: s.Power}, s.Begin, s.End)
	if err != nil {
		return nil, err
	}
	h := &hook.Latent{Masks: prune.Dense(ws), Grad: func(_ int, w, g, d []float32) { straightThrough(w, g, d) }}
	zero := make([][]float32, len(ws))
	for l, w := range ws {
		zero[l] = make([]float32, w.Len())
	}
	if h.Scores, err = s.scores(zero, j.Steps()); err != nil {
		return nil, err
	}
	if _, err := s.Allocate.Masks(ws, h.Score, s.Sparsity, nil); err != nil {
		return nil, err
	}
	h.Project = func(r *train.Run) error {
		if r.Step < sch.Begin || (r.Step-sch.Begin)%s.Every != 0 && r.Step != sch.End {
			return nil
		}
		m, err := s.Allocate.Masks(ws, h.Score, sch.At(r.Step), nil)
		if err == nil {
			h.Mask = m.Mask
		}
		return err
	}
	epochs, err := j.Fit(ctx, j.Graph, h)
	res := &model.Result{Graph: j.Graph, Masks: h.Masks, Epochs: epochs}
	res.WarnCollapse()
	return res, err
}
