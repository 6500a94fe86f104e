package method

import (
	"context"
	"fmt"
	"math"

	"pare/prune"
	"pare/prune/structure"
	"pare/train"
)

// BiP are the settings of bi-level pruning.
type BiP struct {
	Sparsity float64 `flag:"sparsity" doc:"share of the weights (or of every layer's filters or channels) that is cut, in [0,1)"`
	Mode     string  `flag:"mode" doc:"what is cut: unstructured (weights, all layers ranked together), filter or channel (of convolutions)"`
	Gamma    float64 `flag:"gamma" doc:"lower-level regularisation; the implicit gradient is weighted by its inverse"`
	Implicit string  `flag:"implicit" doc:"implicit gradient: theorem, reference-ig (as the authors' loop computes it) or none"`
	Scored
	Layers
}

var bip = &Method{
	ID: "10", Name: "bip", Title: "Bi-level pruning",
	Paper: "Zhang, Yao, Ram, Zhao, Chen, Hong, Wang, Liu: Advancing Model Pruning via Bi-level Optimization (NeurIPS 2022). arXiv 2210.04092",
	Cuts:  "weights, filters, channels", Needs: Trains,
	Doc: `Prunes a pretrained network to the target in one training: each step moves the weights theta under the present mask
by one batch, then the scores s by another, along sign(s) * G with
G = (theta - m*g/gamma) * g, g the gradient with respect to m*theta in full: straight-through plus the reaction of the
weights (implicit gradient with the Hessian of the loss neglected). The mask keeps the highest |s|, of all layers
ranked together (unstructured) or by the L2 norm of a layer's filters or input channels, the same share in each.
Scores begin as the weights. Exactly int(sparsity * n) go. No fine-tuning follows. The paper trains 100 epochs, weights at
rate 0.1 along a cosine with decay 1e-4, scores at 0.1.

Read in the authors' code: the order of the two steps, scores = weights, the projections. Their loop multiplies the
gradient of the scores with itself, sign(s)*theta*g - (theta*g)^2/gamma, instead of the formula (--implicit reference-ig does
that); it takes the gradients of both terms on one batch, different from that of the weights, as here; it drops the rate
of the scores at 50 and 75 % of the epochs although a schedule for 75 and 90 % (the default here) is there, unused; its
optimisers hold all tensors, so that frozen ones still decay. Here weights and scores have optimisers of their own, and
scores do not decay unless asked to.

Departures: rates follow the step, not the epoch; the best epoch is taken only where there is a validation set
(val=0.1 in --data), the last one otherwise: the test set is not looked at; with --implicit none the weights still move
first; a score of 0 counts as positive. Statistics of batch normalisation are estimated anew at the end. The batch of the scores comes from the orders of further epochs of the same set.

Structured modes leave linear layers whole. While they train, biases and shifts behind a cut filter are held at zero (the
authors leave them), so that its channel is silent, and at the end the channels that are silent in every layer tied
together, or that no layer reads, are removed for real; the others, as on residual sums where masks differ, stay as
zeroed filters.`,
	Settings: func() any { return bipDefaults() },
	Run:      runBiP, Claims: bipClaims,
}

func bipDefaults() *BiP {
	return &BiP{Sparsity: .9, Mode: "unstructured", Gamma: 1e4, Implicit: "theorem",
		Scored: Scored{ScoreLR: .1, ScoreSchedule: "step:0.75,0.9", ScoreMomentum: .9}}
}

func runBiP(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*BiP)
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := j.learns(); err != nil {
		return nil, err
	}
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	if s.Mode != "unstructured" {
		if ws, err = convolutions(ws); err != nil {
			return nil, err
		}
	}
	res := &Result{Graph: j.Graph}
	if res.Notes, err = j.pretrained(ctx); err != nil {
		return nil, err
	}
	h := &prune.Latent{Masks: prune.Dense(ws)}
	if h.Scores, err = s.scores(copies(ws), j.Steps()); err != nil {
		return nil, err
	}
	h.Project = s.projection(h)
	if err := h.Project(nil); err != nil {
		return nil, err
	}
	h.Grad = func(l int, theta, g, d []float32) { s.gradient(theta, g, h.Score[l], h.Mask[l], d) }
	h.Other = func(r *train.Run) (int, int) { return r.Epochs + r.Epoch, r.Index }

	hooks, best := []train.Hook{h}, &prune.Best{Of: h.Masks, Whole: true}
	if s.Mode == "filter" {
		hooks = append(hooks, &prune.Silence{Of: h.Masks, Graph: j.Graph})
	}
	if j.Data.Val != nil {
		hooks = append(hooks, best)
	}
	if res.Epochs, err = j.Fit(ctx, j.Graph, hooks...); err != nil {
		return nil, err
	}
	res.Masks = best.Take()
	if err := j.recalibrate(j.Graph); err != nil {
		return nil, err
	}
	res.Notes = append(res.Notes, collapse(res.Masks)...)
	if s.Mode != "unstructured" {
		return s.smaller(j, res)
	}
	return res, nil
}

func (s *BiP) check() error {
	switch {
	case !(s.Sparsity >= 0 && s.Sparsity < 1):
		return fmt.Errorf("sparsity %v is outside [0,1)", s.Sparsity)
	case !(s.Gamma > 0) || math.IsInf(s.Gamma, 0):
		return fmt.Errorf("gamma %v is not a positive number: for no implicit gradient give --implicit none", s.Gamma)
	case s.Mode != "unstructured" && s.Mode != "filter" && s.Mode != "channel":
		return fmt.Errorf("there is no mode %q: use unstructured, filter or channel", s.Mode)
	case s.Implicit != "theorem" && s.Implicit != "reference-ig" && s.Implicit != "none":
		return fmt.Errorf("there is no implicit gradient %q: use theorem, reference-ig or none", s.Implicit)
	}
	return nil
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
func (s *BiP) projection(h *prune.Latent) func(*train.Run) error {
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

// smaller removes for real what masks of filters or channels have silenced.
func (s *BiP) smaller(j *Job, res *Result) (*Result, error) {
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
		res.Graph, res.Masks = c, nil // the masks are those of the larger network
	}
	res.Notes = append(res.Notes, fmt.Sprintf("%d of %d channels are removed; the other cut ones stay as zeros", gone, all))
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
			return nil, fmt.Errorf("weight %q belongs to a convolution in %d groups, whose filters and channels cannot be cut singly: leave it whole with --exclude, or use --mode unstructured", w.Name, n)
		}
		out = append(out, w)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the network has no convolution in scope: filters and channels are those of convolutions; use --mode unstructured")
	}
	return out, nil
}
