package learned

import (
	_ "embed"

	"context"
	"math"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/hook"
	"pare/train"
)

// Hydra is HYDRA: learnt masks, then fine-tuning.
type Hydra struct {
	Sparsity float64       `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut"`
	Allocate allocate.Name `flag:"allocate" choice:"uniform,global" doc:"how much of each layer: uniform, or global by the scores of all"`
	Scored
	model.Tuned
	model.Layers
}

//go:embed hydra.md
var hydraDoc string

var hydraCard = &catalog.Card{
	Name: "hydra", Noun: "model", Title: "HYDRA: learnt masks, then fine-tuning",
	Paper: "Sehwag, Wang, Mittal, Jana: HYDRA: Pruning Adversarially Robust Neural Networks (NeurIPS 2020). arXiv 2002.10509",
	Cuts:  "weights", Needs: catalog.Trains, Doc: hydraDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "scores iterative regrow retrain", Supervision: "labels", Fusion: "none"},
}

// NewHydra gives the method with its defaults.
func NewHydra() *Hydra {
	return &Hydra{Sparsity: .9, Allocate: "uniform", Tuned: model.Tuned{Tune: 10, TuneLR: .01},
		Scored: Scored{ScoreLR: .1, ScoreSchedule: "cosine", ScoreMomentum: .9, ScoreDecay: 1e-4}}
}

// Card describes the method.
func (*Hydra) Card() *catalog.Card { return hydraCard }

// Drives says that the trainings are the method's own.
func (*Hydra) Drives() bool { return true }

// AsIs says whether the weights stay those of the file.
func (s *Hydra) AsIs() bool { return s.Tune == 0 }

// Run searches masks of the frozen weights, then trains what stays.
func (s *Hydra) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := learns(j); err != nil {
		return nil, err
	}
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	res := &model.Result{Graph: j.Graph}
	if err := warnUntrained(ctx, j, res); err != nil {
		return nil, err
	}
	h := &hook.Latent{Masks: prune.Dense(ws), Frozen: true}
	if h.Scores, err = s.scores(scaled(ws), j.Steps()); err != nil {
		return nil, err
	}
	h.Grad = func(l int, w, g, d []float32) {
		for i, x := range w {
			d[i] = signed(x*g[i], h.Score[l][i])
		}
	}
	h.Project = func(*train.Run) error {
		m, err := s.Allocate.Masks(ws, sizes(h.Score), s.Sparsity, nil)
		if err == nil {
			h.Mask = m.Mask
		}
		return err
	}
	if err := h.Project(nil); err != nil {
		return nil, err
	}
	tune, runs := s.Jobs(j, j.Recipe.Decay)
	if res.Epochs, err = runs.Fit(ctx, j, j.Graph, h); err != nil {
		return nil, err
	}
	res.Masks = h.Masks
	res.WarnCollapse()
	if err := j.Recalibrate(ctx, j.Graph, j.Recipe.Batch); err != nil || s.Tune == 0 {
		return res, err
	}
	tuned, err := runs.Fit(ctx, tune, j.Graph, &hook.Hold{Masks: res.Masks})
	res.Add(tuned)
	return res, err
}

// scaled are first scores in proportion to the weights: sqrt(6/fan-in) times
// w over the layer's largest |w|.
func scaled(ws []*prune.Weight) [][]float32 {
	out := copies(ws)
	for l, w := range ws {
		largest := 0.0
		for _, x := range w.Data() {
			largest = math.Max(largest, math.Abs(float64(x)))
		}
		_, fan, _ := w.Matrix()
		f := float32(math.Sqrt(6/float64(fan)) / math.Max(largest, 1e-30))
		for i := range out[l] {
			out[l][i] *= f
		}
	}
	return out
}
