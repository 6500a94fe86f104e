package structured

import (
	_ "embed"

	"context"
	"math"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/model"
	"pare/prune/structure"
	"pare/tensor"
)

// Consensus learns a sub-network by binary gates that come to agree.
type Consensus struct {
	model.ChannelTarget
	Alpha   float64 `flag:"constraint" range:"[0,)" doc:"weight of the target in the loss"`
	Beta    float64 `flag:"polarisation" range:"[0,)" doc:"weight of the polarisation, which lets the gates of all samples agree"`
	Warm    float64 `flag:"polarisation-warm" range:"[0,1]" doc:"share of the training over which that weight rises from 0"`
	Tau     float64 `flag:"gate-temperature" range:"(0,)" doc:"of the gates: the smaller, the steeper they are in the backward pass"`
	Begin   float64 `flag:"gate-start" doc:"logit of the gates at the beginning: above 0 most are on"`
	GatesLR float64 `flag:"gate-lr" range:"[0,)" doc:"learning rate of the logits, as a share of that of the weights"`
	model.Tuned
	model.Fresh
	model.Layers
}

//go:embed consensus.md
var consensusDoc string

var consensusCard = &catalog.Card{
	ID: "04", Name: "consensus", Noun: "model", Title: "A consensus sub-network by polarised gates",
	Paper: "Zhi, Babbar, Liu, Sun, Silavong, Shi, Moran: Learning a Consensus Sub-Network with Polarization Regularization and One Pass Training (2023). arXiv 2302.10798",
	Cuts:  "channels", Needs: catalog.Trains, Doc: consensusDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "during", How: "gates regularisation one-shot retrain", Supervision: "labels", Fusion: "none"},
}

// NewConsensus gives the method with its defaults.
func NewConsensus() *Consensus {
	return &Consensus{ChannelTarget: model.ChannelTarget{MACs: .5, Least: .05}, Alpha: 20, Beta: 10, Warm: .5, Tau: 1, Begin: 1, GatesLR: 20, Tuned: model.Tuned{TuneLR: .01}}
}

// Card describes the method.
func (*Consensus) Card() *catalog.Card { return consensusCard }

// Drives says that the trainings are the method's own.
func (*Consensus) Drives() bool { return true }

// ConsensusFacts are what the gates came to.
type ConsensusFacts struct {
	Gates        int     `json:"gates"`
	On           int     `json:"on"`           // of them, with a logit above 0
	Share        float64 `json:"share"`        // of the multiply-accumulates that these leave
	Disagreement float64 `json:"disagreement"` // mean of q (1 - q) with q = σ(logit): 0 where samples agree, 1/4 where they do not
}

// Run trains weights and gates together, takes the gates away, and cuts.
func (s *Consensus) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := j.NeedsTraining("gates are learned by training"); err != nil {
		return nil, err
	}
	if err := s.Reach(ctx, j, s.Scope()); err != nil {
		return nil, err
	}
	if err := s.Redraw(j); err != nil {
		return nil, err
	}
	gated, h, err := s.gates(j)
	if err != nil {
		return nil, err
	}
	tune, runs := s.Jobs(j, j.Recipe.Decay)
	search := *j
	search.Data = &dataset.Data{Train: j.Data.Train, Norm: j.Data.Norm} // the gated network has no answer for a single sample
	epochs, err := runs.Fit(ctx, &search, gated, h)
	if err != nil {
		return nil, err
	}
	facts := h.facts()
	cut, kept, err := s.Cut(ctx, j, h.rates, s.Scope())
	if err != nil {
		return nil, err
	}
	res := &model.Result{Graph: cut, Kept: kept, Epochs: epochs, Facts: facts}
	if facts.Disagreement > .05 {
		res.Note("the gates of different samples do not agree yet: q (1 - q) is %.3f on average, of 0.25 at most; a larger {Beta} or {GatesLR}, or more {Recipe.Epochs}, bring them nearer", facts.Disagreement)
	}
	if s.MACs == 0 && s.Params == 0 {
		res.Note("the gates learned no budget, as they are steered towards {MACs} and {Params} alone: what the others ask for went by the lowest logits")
	}
	if j.Recipe.Batch == 1 {
		res.Note("with one sample in a batch every gate is 0 or 1 in it, so that there was no polarisation: give a larger {Recipe.Batch}")
	}
	if _, err := j.Repair(ctx, res); err != nil {
		return nil, err
	}
	if err := j.Recalibrate(ctx, cut, j.Recipe.Batch); err != nil {
		return nil, err
	}
	if err := j.LogUntuned(ctx, cut); err != nil {
		return nil, err
	}
	tuned, err := runs.Fit(ctx, tune, cut)
	res.Add(tuned)
	return res, err
}

// gates gives a copy of the job's network that shares its weights and has gates, and their
// logits.
func (s *Consensus) gates(j *model.Job) (*graph.Graph, *gumbel, error) {
	c, _ := j.Graph.Clone(false)
	groups, _ := structure.Groups(c)
	h := &gumbel{Costs: structure.NewCosts(c, groups), Alpha: s.Alpha, Beta: s.Beta, Warm: s.Warm, Tau: s.Tau, Rate: s.GatesLR, Momentum: .9, Seed: j.Seed}
	h.Targets[0], h.Targets[1] = s.Shares(j.Graph)
	first := make([]int, len(groups))
	for i, g := range groups {
		if first[i] = -1; len(g.Readers()) == 0 || !g.In(s.Scope()) {
			continue
		}
		first[i] = len(h.Logit)
		h.Layers = append(h.Layers, layerOf{Group: i, First: first[i], N: len(g.Channels)})
		h.Logit = append(h.Logit, slices.Repeat([]float64{s.Begin}, len(g.Channels))...)
	}
	if len(h.Logit) == 0 {
		return nil, nil, catalog.Errorf("no channel that could be cut is read by trained weights, which is where it is gated")
	}
	_, batch := c.Batch(j.Recipe.Batch)
	ones := slices.Repeat([]float32{1}, batch*(len(h.Logit)+1))
	var err error
	h.Gates, err = structure.Gate(c, groups, first, tensor.From(ones, batch, len(h.Logit)+1))
	return c, h, err
}

// rates are the logits; channels without a gate go last.
func (h *gumbel) rates(_ *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
	out := make([][]float64, len(groups))
	for i, g := range groups {
		out[i] = slices.Repeat([]float64{math.Inf(1)}, len(g.Channels))
	}
	for _, of := range h.Layers {
		copy(out[of.Group], h.Logit[of.First:of.First+of.N])
	}
	return out, false, nil
}

// facts tells how far the gates agree, and what they leave.
func (h *gumbel) facts() *ConsensusFacts {
	f := &ConsensusFacts{Gates: len(h.Logit)}
	on, q := make([]float64, len(h.Logit)), make([]float64, len(h.Logit))
	for c, x := range h.Logit {
		if q[c] = 1 / (1 + math.Exp(-x)); x > 0 {
			on[c] = 1
			f.On++
		}
	}
	spare := make([]float64, len(q))
	f.Disagreement = polarisation(q, 0, spare)
	h.cost(on, 0, spare)
	f.Share = h.Costs.Shares(h.gone)[0]
	return f
}
