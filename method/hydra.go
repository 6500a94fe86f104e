package method

import (
	"context"
	"math"

	"pare/prune"
	"pare/train"
)

// Hydra are the settings of HYDRA.
type Hydra struct {
	Sparsity float64 `flag:"sparsity" doc:"share of the prunable weights that is cut, in [0,1)"`
	Allocate string  `flag:"allocate" doc:"how much of each layer: uniform, or global by the scores of all"`
	Scored
	Tune   int     `flag:"tune" doc:"epochs of training the weights that stay, after the search"`
	TuneLR float64 `flag:"tune-lr" doc:"peak learning rate of that training"`
	Layers
}

var hydra = &Method{
	Name: "hydra", Title: "HYDRA: learnt masks, then fine-tuning",
	Paper: "Sehwag, Wang, Mittal, Jana: HYDRA: Pruning Adversarially Robust Neural Networks (NeurIPS 2020). arXiv 2002.10509",
	Cuts:  "weights", Needs: Trains,
	Doc: `Searches masks for frozen pretrained weights, then trains the weights that stay: the mask keeps the highest |s| of each
layer (or of all layers, --allocate global), s learns along sign(s) * w * dL/d(w*m), straight-through, and begins in
proportion to the weights, sqrt(6/fan-in) * w / max|w|. The loss is the recipe's: the robust losses of the paper are
not there. --epochs and --batch are those of the search, in which all parameters are frozen and --lr is not used; --tune
and --tune-lr those of the fine-tuning.

Read in the authors' code: scores, their beginning, the per-layer ranking, 20 epochs of search at 0.1 and 100 of
fine-tuning at 0.01. There normalisation goes on learning during the search unless told otherwise; here it is frozen.`,
	Settings: func() any { return hydraDefaults() },
	Run:      runHydra,
}

func hydraDefaults() *Hydra {
	return &Hydra{Sparsity: .9, Allocate: "uniform", Tune: 10, TuneLR: .01,
		Scored: Scored{ScoreLR: .1, ScoreSchedule: "cosine", ScoreMomentum: .9, ScoreDecay: 1e-4}}
}

func runHydra(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*Hydra)
	if err := canTune(s.Tune, s.TuneLR); err != nil {
		return nil, err
	}
	if err := j.learns(); err != nil {
		return nil, err
	}
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	res := &Result{Graph: j.Graph}
	if res.Notes, err = j.pretrained(ctx); err != nil {
		return nil, err
	}
	h := &prune.Latent{Masks: prune.Dense(ws), Frozen: true}
	if h.Scores, err = s.scores(scaled(ws), j.Steps()); err != nil {
		return nil, err
	}
	h.Grad = func(l int, w, g, d []float32) {
		for i, x := range w {
			d[i] = signed(x*g[i], h.Score[l][i])
		}
	}
	h.Project = func(*train.Run) error {
		m, err := topScores(ws, sizes(h.Score), s.Sparsity, s.Allocate)
		if err == nil {
			h.Mask = m.Mask
		}
		return err
	}
	if err := h.Project(nil); err != nil {
		return nil, err
	}
	if res.Epochs, err = j.search(s.Tune).Fit(ctx, j.Graph, h); err != nil {
		return nil, err
	}
	res.Masks = h.Masks
	res.Notes = append(res.Notes, collapse(res.Masks)...)
	if err := j.recalibrate(j.Graph); err != nil || s.Tune == 0 {
		return res, err
	}
	tuned, err := j.tune(ctx, res.Masks, s.Tune, s.TuneLR, j.Recipe.Decay)
	res.Epochs = append(res.Epochs, tuned...)
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
