package learned

import (
	_ "embed"

	"context"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/hook"
	"pare/prune/structure"
	"pare/train"
)

// BiP is bi-level pruning.
type BiP struct {
	Sparsity float64 `flag:"sparsity" range:"[0,1)" doc:"share of the weights (or of every layer's filters or channels) that is cut"`
	Mode     string  `flag:"mode" choice:"unstructured,filter,channel" doc:"what is cut: unstructured (weights, all layers ranked together), filter or channel (of convolutions)"`
	Gamma    float64 `flag:"gamma" range:"(0,)" doc:"lower-level regularisation; the implicit gradient is weighted by its inverse"`
	Implicit string  `flag:"implicit" choice:"theorem,reference-ig,none" doc:"implicit gradient: theorem, reference-ig (as the authors' loop computes it) or none"`
	Scored
	model.Layers

	OneBatch bool // the scores move by the batch that moves the weights, to compare with two
}

//go:embed bip.md
var bipDoc string

var bipCard = &catalog.Card{
	ID: "10", Name: "bip", Noun: "model", Title: "Bi-level pruning",
	Paper: "Zhang, Yao, Ram, Zhao, Chen, Hong, Wang, Liu: Advancing Model Pruning via Bi-level Optimization (NeurIPS 2022). arXiv 2210.04092",
	Cuts:  "weights, filters, channels", Needs: catalog.Trains, Doc: bipDoc,
	Axes: catalog.Axes{SpeedUp: "universal specific", When: "during", How: "scores iterative regrow retrain", Supervision: "labels", Fusion: "none"},
}

// NewBiP gives the method with its defaults.
func NewBiP() *BiP {
	return &BiP{Sparsity: .9, Mode: "unstructured", Gamma: 1e4, Implicit: "theorem",
		Scored: Scored{ScoreLR: .1, ScoreSchedule: "step:0.75,0.9", ScoreMomentum: .9}}
}

// Card describes the method.
func (*BiP) Card() *catalog.Card { return bipCard }

// Drives says that the trainings are the method's own.
func (*BiP) Drives() bool { return true }

// Run moves weights and scores in turn, and the masks with the scores.
func (s *BiP) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := learns(j); err != nil {
		return nil, err
	}
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	if s.Mode != "unstructured" {
		if ws, err = convolutions(ws); err != nil {
			return nil, err
		}
	}
	res := &model.Result{Graph: j.Graph}
	if err := warnUntrained(ctx, j, res); err != nil {
		return nil, err
	}
	h := &hook.Latent{Masks: prune.Dense(ws)}
	if h.Scores, err = s.scores(copies(ws), j.Steps()); err != nil {
		return nil, err
	}
	h.Project = s.projection(h)
	if err := h.Project(nil); err != nil {
		return nil, err
	}
	h.Grad = func(l int, theta, g, d []float32) { s.gradient(theta, g, h.Score[l], h.Mask[l], d) }
	h.Other = func(r *train.Run) (int, int) {
		if s.OneBatch {
			return r.Epoch, r.Index
		}
		return r.Epochs + r.Epoch, r.Index
	}

	hooks, best := []train.Hook{h}, &hook.Best{Of: h.Masks, Whole: true}
	if s.Mode == "filter" { // silent when the scores move, and after the masks have
		silence := &hook.Silence{Of: h.Masks, Graph: j.Graph}
		hooks = []train.Hook{silence, h, silence}
	}
	if j.Data.Val != nil {
		hooks = append(hooks, best)
	}
	if res.Epochs, err = j.Fit(ctx, j.Graph, hooks...); err != nil {
		return nil, err
	}
	res.Masks = best.Take()
	if err := j.Recalibrate(ctx, j.Graph, j.Recipe.Batch); err != nil {
		return nil, err
	}
	res.WarnCollapse()
	if s.Mode != "unstructured" {
		return s.smaller(j, res)
	}
	return res, nil
}

// gradient writes the gradient of the scores: that of the mask, turned by the
// scores' signs.
func (s *BiP) gradient(theta, g, score []float32, m *prune.Mask, d []float32) {
	ig := float32(1 / s.Gamma)
	if s.Implicit == "none" {
		ig = 0
	}
	for i, t := range theta {
		switch x := t * g[i]; {
		case s.Implicit == "reference-ig":
			d[i] = signed(x, score[i]) - ig*x*x
		case m.Kept(i):
			d[i] = signed((t-ig*g[i])*g[i], score[i])
		default:
			d[i] = signed(x, score[i])
		}
	}
}

// projection makes the masks of the scores' absolute values.
func (s *BiP) projection(h *hook.Latent) func(*train.Run) error {
	stays := func(n int) int { return n - int(s.Sparsity*float64(n)+1e-9) }
	return func(*train.Run) (err error) {
		if s.Mode == "unstructured" {
			h.Mask, err = prune.Global(sizes(h.Score), stays(prune.Total(h.Weights)), nil)
			return err
		}
		for l, w := range h.Weights {
			if s.Mode == "filter" {
				h.Mask[l] = prune.Filters(w, h.Score[l], stays(w.Const.Shape[w.Out]))
			} else {
				h.Mask[l] = prune.Channels(w, h.Score[l], stays(w.Inputs()))
			}
		}
		return nil
	}
}

// BiPFacts are what the structured modes removed.
type BiPFacts struct {
	Channels int `json:"channels"` // that could be cut
	Removed  int `json:"removed"`  // that are gone for real
}

// smaller removes for real what masks of filters or channels have silenced.
func (s *BiP) smaller(j *model.Job, res *model.Result) (*model.Result, error) {
	groups, _ := structure.Groups(j.Graph)
	sel := structure.Silent(j.Graph, groups)
	all, gone := 0, 0
	for i, g := range groups {
		all += len(g.Channels)
		gone += len(g.Channels) - sel[i].Count()
	}
	if gone > 0 {
		c, err := structure.Cut(j.Graph, groups, sel)
		if err != nil {
			return nil, err
		}
		res.Graph, res.Masks, res.Kept = c, nil, structure.KeptBy(groups, sel) // the masks are those of the larger network
	}
	res.Note("%d of %d channels are removed; the other cut ones stay as zeros", gone, all)
	res.Facts = &BiPFacts{Channels: all, Removed: gone}
	return res, nil
}

// convolutions are the weights that structured modes cut.
func convolutions(ws []*prune.Weight) ([]*prune.Weight, error) {
	var out []*prune.Weight
	for _, w := range ws {
		if w.Kind != prune.Conv && w.Kind != prune.Depthwise {
			continue
		}
		if n := w.Node.Int("group", 1); n > 1 {
			return nil, catalog.Errorf("weight %q belongs to a convolution in %d groups, whose filters and channels cannot be cut singly: leave it whole with {Exclude}, or use {Mode} unstructured", w.Name, n)
		}
		out = append(out, w)
	}
	if len(out) == 0 {
		return nil, catalog.Errorf("the network has no convolution in scope: filters and channels are those of convolutions; use {Mode} unstructured")
	}
	return out, nil
}
