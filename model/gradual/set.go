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
)

// SET is sparse evolutionary training.
type SET struct {
	Sparsity float64 `flag:"sparsity" range:"[0,1)" doc:"sparsity from the first step to the last, in [0,1), spread over the layers as Erdős-Rényi graphs"`
	Epsilon  float64 `flag:"epsilon" range:"[0,)" doc:"in place of the sparsity: a layer of n inputs and m outputs keeps epsilon (n+m) of its connections"`
	Zeta     float64 `flag:"zeta" range:"[0,1)" doc:"share of each layer's weights that is exchanged"`
	Every    int     `flag:"every" range:"[0,)" doc:"steps between changes of the masks (0: an epoch)"`
	model.Fresh
	model.Layers
}

//go:embed set.md
var setDoc string

var setCard = &catalog.Card{
	Name: "set", Noun: "model", Title: "SET: sparse evolutionary training, which drops by magnitude and grows at random",
	Paper: "Mocanu, Mocanu, Stone, Nguyen, Gibescu, Liotta: Scalable training of artificial neural networks with adaptive sparse connectivity inspired by network science (Nature Communications 2018). arXiv 1707.04780",
	Cuts:  "weights", Needs: catalog.Trains, Doc: setDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "during", How: "magnitude random iterative regrow retrain", Supervision: "labels", Fusion: "none"},
}

// NewSET gives the method with its defaults.
func NewSET() *SET { return &SET{Sparsity: .9, Zeta: .3} }

// Card describes the method.
func (*SET) Card() *catalog.Card { return setCard }

// Drives says that the trainings are the method's own.
func (*SET) Drives() bool { return true }

// StartsSparse says that weights are masked before training.
func (s *SET) StartsSparse() bool { return s.Sparsity > 0 && !s.Fresh.Fresh }

// Run trains a sparse network and exchanges its weights at random.
func (s *SET) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := j.NeedsTraining("masks move while training"); err != nil {
		return nil, err
	}
	ws, err := model.Candidates(j, s.Fresh, s.Layers)
	if err != nil {
		return nil, err
	}
	keep, err := s.keep(ws)
	if err != nil {
		return nil, err
	}
	masks, err := scatter(ws, keep, j.Seed)
	if err != nil {
		return nil, err
	}
	rate := schedule.Exchange{Rate: s.Zeta, Every: s.Every, End: j.Steps()}
	if s.Every == 0 {
		rate.Every = j.Steps() / max(1, j.Recipe.Epochs)
	}
	x := &hook.Exchange{Hold: &hook.Hold{Masks: masks}, Rate: rate, Drop: hook.WeakestOfSign, Grow: hook.AtRandom, Anew: true, Seed: j.Seed}
	r, err := exchange(ctx, j, x)
	if r != nil {
		warnRare(r, x)
		r.Note("%.2f %% of the weights were cut throughout", 100*masks.Sparsity())
	}
	return r, err
}

// keep is the number of connections of each layer.
func (s *SET) keep(ws []*prune.Weight) ([]int, error) {
	if s.Epsilon == 0 {
		return allocate.ER(ws, s.Sparsity)
	}
	return allocate.Epsilon(ws, s.Epsilon)
}
