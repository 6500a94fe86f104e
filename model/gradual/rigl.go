package gradual

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

// RigL is the rigged lottery.
type RigL struct {
	Sparsity float64       `flag:"sparsity" range:"[0,1)" doc:"sparsity from the first step to the last"`
	Allocate allocate.Name `flag:"allocate" choice:"erk,er,uniform" doc:"how much of each layer: erk, er, or uniform (the first convolution stays whole)"`
	Drop     float64       `flag:"drop" range:"[0,1)" doc:"share of each layer's weights that is exchanged at first; it falls along a cosine to 0"`
	Every    int           `flag:"every" range:"[1,)" doc:"steps between changes of the masks"`
	Until    train.At      `flag:"until" kind:"time" doc:"end of the changes: 75%, 30ep or 5000it"`
	Batches  int           `flag:"grow-batches" range:"[1,)" doc:"number of batches whose gradients say what grows"`
	model.Fresh
	model.Layers
}

//go:embed rigl.md
var riglDoc string

var riglCard = &catalog.Card{
	Name: "rigl", Noun: "model", Title: "RigL: sparse training that drops by magnitude and grows by gradient",
	Paper: "Evci, Gale, Menick, Castro, Elsen: Rigging the Lottery: Making All Tickets Winners (ICML 2020). arXiv 1911.11134",
	Cuts:  "weights", Needs: catalog.Trains, Doc: riglDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "during", How: "magnitude gradient iterative regrow retrain", Supervision: "labels", Fusion: "none"},
}

// NewRigL gives the method with its defaults.
func NewRigL() *RigL {
	return &RigL{Sparsity: .9, Allocate: "erk", Drop: .3, Every: 100, Until: train.Share(.75), Batches: 1}
}

// Card describes the method.
func (*RigL) Card() *catalog.Card { return riglCard }

// Drives says that the trainings are the method's own.
func (*RigL) Drives() bool { return true }

// StartsSparse says that weights are masked before training.
func (s *RigL) StartsSparse() bool { return s.Sparsity > 0 && !s.Fresh.Fresh }

// Run trains a sparse network and exchanges its weights by gradient.
func (s *RigL) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := j.NeedsTraining("masks move while training"); err != nil {
		return nil, err
	}
	end, err := j.StepAt("Until", s.Until)
	if err != nil {
		return nil, err
	}
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	if s.Allocate == "uniform" {
		if ws = behindFirst(ws); len(ws) == 0 {
			return nil, catalog.Errorf("only the first convolution is prunable, and it stays whole with {Allocate} uniform: use erk")
		}
	}
	if err := s.Redraw(j); err != nil {
		return nil, err
	}
	masks, err := Random(ws, s.Sparsity, s.Allocate, j.Seed)
	if err != nil {
		return nil, err
	}
	x := &hook.Exchange{Hold: &hook.Hold{Masks: masks}, Batches: s.Batches, Seed: j.Seed, Rate: schedule.Exchange{Rate: s.Drop, Over: end, End: end, Every: s.Every}}
	r, err := exchange(ctx, j, x)
	if r != nil {
		warnRare(r, x)
	}
	return r, err
}

// behindFirst leaves out the first convolution.
func behindFirst(ws []*prune.Weight) []*prune.Weight {
	for l, w := range ws {
		if w.Kind == prune.Conv {
			return append(append([]*prune.Weight{}, ws[:l]...), ws[l+1:]...)
		}
	}
	return ws
}
