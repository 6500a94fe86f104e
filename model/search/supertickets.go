package search

import (
	_ "embed"

	"context"
	"math"
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/internal/printable"
	"pare/model"
	"pare/prune"
	"pare/prune/hook"
	"pare/prune/structure"
	"pare/train"
)

// SuperTickets draws sparse narrow networks from a supernet.
type SuperTickets struct {
	Sparsity float64 `flag:"sparsity" range:"[0,1)" doc:"share of the weights of the shrunken network that is cut"`
	model.ChannelTarget
	Rho     float64  `flag:"rho" range:"[0,)" doc:"weight of the penalty on scales, in the loss"`
	Free    train.At `flag:"free" doc:"when the penalty begins"`
	Warm    train.At `flag:"warm-up" doc:"when it has risen to rho"`
	Tau     float64  `flag:"tau" range:"[0,)" doc:"units whose scale and moving average are at most this die"`
	Average float64  `flag:"average" range:"[0,1)" doc:"share of its past that the moving average keeps at each step (less at the beginning)"`
	Worth   float64  `flag:"worth" range:"[0,1)" doc:"share of the multiply-accumulates that units must save together to die before the end"`
	Every   train.At `flag:"every" doc:"time between prunings, each of which cuts a tenth of the weights more up to the sparsity (0: a third of the training reaches it)"`
	Masked  string   `flag:"masked" choice:"frozen,reactivated,released" doc:"what becomes of masked weights until the next pruning: frozen (they keep their values without a gradient), reactivated (they begin again at zero) or released (they keep their values and are trained on, so that the last pruning alone counts)"`
	Head    []string `flag:"head" kind:"patterns" doc:"the network is a ticket of another task: its zeros stay, weights that match are drawn anew and stay dense, and all is trained by the recipe; nothing is searched"`
	model.Tuned
	model.Layers
}

//go:embed supertickets.md
var superTicketsDoc string

var superTicketsCard = &catalog.Card{
	ID: "60", Name: "supertickets", Noun: "model", Title: "Tickets drawn from supernets",
	Paper: "You, Li, Sun, Ouyang, Lin: SuperTickets: Drawing Task-Agnostic Lottery Tickets from Supernets via Jointly Architecture Searching and Parameter Pruning (ECCV 2022). arXiv 2207.03677",
	Cuts:  "weights", Needs: catalog.Trains, Doc: superTicketsDoc,
	Axes: catalog.Axes{SpeedUp: "universal specific", When: "during", How: "magnitude bn-scale regularisation search iterative regrow retrain none", Supervision: "labels", Fusion: "search"},
}

// NewSuperTickets gives the method with its defaults.
func NewSuperTickets() *SuperTickets {
	return &SuperTickets{Sparsity: .8, Rho: 1.8e-4, Warm: train.Share(.07), Tau: 1e-3, Average: .9999, Worth: .005, Masked: "frozen", Tuned: model.Tuned{TuneLR: .01}}
}

// Card describes the method.
func (*SuperTickets) Card() *catalog.Card { return superTicketsCard }

// Drives says that the trainings are the method's own.
func (*SuperTickets) Drives() bool { return true }

// SuperTicketsFacts are what was drawn.
type SuperTicketsFacts struct {
	Units    int     `json:"units"`    // channels with a scale
	Dead     int     `json:"dead"`     // of them, gone by their scales
	Cut      int     `json:"cut"`      // and gone for the budgets
	Branches int     `json:"branches"` // that disappeared as a whole
	MACs     float64 `json:"macs"`     // share of the multiply-accumulates of the supernet that is left, masks not counted
	Weights  int     `json:"weights"`  // of the shrunken network that can be pruned
	Nonzero  int     `json:"nonzero"`  // of them that stay
	Of       float64 `json:"of"`       // these, as a share of those of the supernet
	Prunings int     `json:"prunings"`
}

// Run trains the supernet while it shrinks and is pruned, and cuts what is dead.
func (s *SuperTickets) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := j.NeedsTraining("tickets are drawn while the supernet is trained"); err != nil {
		return nil, err
	}
	if len(s.Head) > 0 {
		return s.transfer(ctx, j)
	}
	h, err := s.drawing(ctx, j)
	if err != nil {
		return nil, err
	}
	whole := prune.Total(h.ws)
	tune, runs := s.Jobs(j, j.Recipe.Decay)
	epochs, err := runs.Fit(ctx, j, j.Graph, h)
	if err != nil {
		return nil, err
	}
	res, err := s.draw(ctx, j, h)
	if err != nil {
		return nil, err
	}
	res.Epochs = epochs
	f := res.Facts.(*SuperTicketsFacts)
	f.Weights, f.Nonzero = prune.Total(res.Masks.Weights), res.Masks.Count()
	f.Of, f.Prunings = float64(f.Nonzero)/float64(whole), h.event(h.total)
	if _, err := j.Repair(ctx, res); err != nil {
		return nil, err
	}
	if err := j.Recalibrate(ctx, res.Graph, j.Recipe.Batch); err != nil {
		return nil, err
	}
	if s.Tune > 0 {
		if err := j.LogUntuned(ctx, res.Graph); err != nil {
			return nil, err
		}
	}
	tuned, err := runs.Fit(ctx, tune, res.Graph, &hook.Hold{Masks: res.Masks})
	res.Add(tuned)
	res.WarnCollapse()
	return res, err
}

// drawing prepares the training.
func (s *SuperTickets) drawing(ctx context.Context, j *model.Job) (*drawing, error) {
	ws, err := s.Layers.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	h := &drawing{graph: j.Graph, ws: ws, units: unitsOf(j.Graph, s.Scope()), masked: s.Masked, rho: s.Rho, tau: s.Tau, total: j.Steps(), target: s.Sparsity, keep: s.Average, least: s.Worth}
	if h.units.floors, err = s.Floors(j.Graph, h.units.groups); err != nil {
		return nil, err
	}
	switch {
	case !s.Asked() && (s.Even || s.Round > 0 || s.LatencyCmd != ""):
		return nil, catalog.Errorf("{Even}, {Round} and {LatencyCmd} say how budgets cut channels, and there is no budget: give {MACs}, {Params}, {Bytes}, {Activations} or {Latency}, or leave them out")
	case s.Asked() && len(h.units.left) == len(h.units.groups):
		return nil, catalog.Errorf("no batch normalisation scales a channel of %s that could be cut: searched channels need one; leave {MACs}, {Params} and the other budgets out to prune weights alone", j.Graph.Name)
	case s.Asked():
		quiet := *j
		quiet.Log = nil
		_, kept, err := s.Cut(ctx, &quiet, byScale, s.Scope())
		if err != nil {
			return nil, err
		}
		for i, m := range kept.Selection(h.units.groups) {
			if len(h.units.scales[i]) == 0 && m.Count() < m.Len {
				return nil, catalog.Errorf("the budgets take channels of %s, which no batch normalisation scales: ask for less, without {Even}", h.units.groups[i].Name)
			}
		}
	}
	if h.free, err = j.StepAt("Free", s.Free); err != nil {
		return nil, err
	}
	if h.warm, err = j.StepAt("Warm", s.Warm); err != nil {
		return nil, err
	}
	if h.free > h.warm {
		return nil, catalog.Errorf("the penalty begins at {Free} %s, after it has risen at {Warm} %s: give an earlier {Free}", s.Free, s.Warm)
	}
	if h.every, err = j.StepAt("Every", s.Every); err != nil {
		return nil, err
	}
	need := rungs(s.Sparsity)
	if h.every == 0 {
		h.every = max(1, h.total/(3*max(1, need)))
	}
	switch n := h.event(h.total); {
	case h.total < need:
		return nil, catalog.Errorf("a {Sparsity} of %v is reached by tenths after %d prunings, and the training has %d steps: give more {Recipe.Epochs}, or a smaller {Recipe.Batch}", s.Sparsity, need, h.total)
	case n < need:
		return nil, catalog.Errorf("{Every} %s makes %d prunings in %d steps, and a {Sparsity} of %v is reached by tenths after %d: give a smaller {Every}, at most %d steps, or more {Recipe.Epochs}", s.Every, n, h.total, s.Sparsity, need, h.total/max(1, need))
	}
	return h, nil
}

// byScale rates channels by the largest of their scales; those without one go last.
func byScale(g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
	out := structure.LargestScales(g, groups)
	for i, x := range out {
		if x == nil {
			out[i] = slices.Repeat([]float64{math.Inf(1)}, len(groups[i].Channels))
		}
	}
	return out, false, nil
}

// draw cuts dead units, and others for the budgets, and masks the weights.
func (s *SuperTickets) draw(ctx context.Context, j *model.Job, h *drawing) (*model.Result, error) {
	u, f := h.units, &SuperTicketsFacts{}
	for i, m := range u.alive {
		if len(u.scales[i]) > 0 {
			f.Units += m.Len
			f.Dead += m.Len - m.Count()
		}
	}
	res := &model.Result{Kept: structure.KeptBy(u.groups, u.alive), Facts: f}
	g, err := structure.Cut(j.Graph, u.groups, u.alive)
	if err != nil {
		return nil, err
	}
	if s.Asked() {
		if g, err = s.budget(ctx, j, g, res); err != nil {
			return nil, err
		}
	}
	if f.Branches, err = dropBranches(g, s.Tau); err != nil {
		return nil, err
	}
	f.MACs = float64(structure.CostOf(g).MACs) / float64(max(1, u.costs.Whole.MACs))
	if len(u.left) > 0 {
		res.Note("no batch normalisation scales the channels of %s: they are not searched", printable.Few(u.left))
	}
	ws, err := s.Layers.Weights(g)
	if err != nil {
		return nil, err
	}
	var values [][]float32
	for _, w := range ws {
		values = append(values, w.Data())
	}
	if res.Masks, err = lowest(ws, values, nil, s.Sparsity); err != nil {
		return nil, err
	}
	res.Masks.Apply()
	res.Graph = g
	return res, nil
}

// budget cuts what the budgets ask for beyond the dead units, those of the smallest scales.
func (s *SuperTickets) budget(ctx context.Context, j *model.Job, g *graph.Graph, res *model.Result) (*graph.Graph, error) {
	f := res.Facts.(*SuperTicketsFacts)
	groups, _ := structure.Groups(g)
	if len(groups) == 0 { // one unit of each is left
		return g, nil
	}
	_, kept, err := s.CutRest(ctx, j, g, byScale, s.Scope())
	if err != nil {
		return nil, err
	}
	sel := kept.Selection(groups)
	for i, m := range sel {
		f.Cut += len(groups[i].Channels) - m.Count()
	}
	if f.Cut == 0 {
		return g, nil
	}
	res.Note("%d channels beyond the %d that died were cut for the budgets, though their scales are not zero: a larger {Rho} or {Tau} lets more die while the others learn to do without, and {Tune} trains what is left", f.Cut, f.Dead)
	folded, _, err := structure.FoldConstants(g, groups, sel)
	if err != nil {
		return nil, err
	}
	if groups, _ = structure.Groups(folded); len(groups) == 0 {
		return g, nil
	}
	res.Kept = res.Kept.Then(kept)
	return structure.Cut(folded, groups, kept.Selection(groups))
}

// transfer trains a ticket on another task: its zeros stay, and the head is drawn anew.
func (s *SuperTickets) transfer(ctx context.Context, j *model.Job) (*model.Result, error) {
	if s.Asked() {
		return nil, catalog.Errorf("{Head} trains a ticket as it is: budgets of channels do not go with it")
	}
	if s.Tune > 0 {
		return nil, catalog.Errorf("{Head} trains a ticket once, by the recipe: give {Recipe.Epochs} in the place of {Tune}")
	}
	ws, err := s.Layers.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	masks := prune.Dense(ws)
	var names []string
	for _, w := range ws {
		names = append(names, w.Name)
	}
	head := make([]bool, len(ws))
	for _, p := range s.Head {
		match, err := prune.Matching(p, names)
		if err != nil {
			return nil, catalog.Errorf("{Head}: %v", err)
		}
		for i, ok := range match {
			head[i] = head[i] || ok
		}
	}
	fresh, m := j.Graph.Clone(true)
	if err := (prune.Init{Seed: j.Seed}).Apply(fresh); err != nil {
		return nil, err
	}
	for l, w := range ws {
		if head[l] {
			for _, v := range w.Node.Inputs[1:] { // its bias too
				if v.IsConst() && v.Const.F32() != nil {
					copy(v.Const.F32(), m[v].Const.F32())
				}
			}
			continue
		}
		for i, x := range w.Data() {
			masks.Mask[l].Set(i, x != 0) // a file has no other mask
		}
	}
	if slices.Index(head, false) < 0 || masks.Sparsity() == 0 {
		return nil, catalog.Errorf("{Head}: nothing outside of the head is zero: the network is no ticket; draw one with this method first, without {Head}")
	}
	res, err := j.FitMasked(ctx, masks)
	if err != nil {
		return nil, err
	}
	res.Note("the zeros of the file are taken for its mask: %.3g of the weights outside of the head", zeroShare(masks, head))
	return res, nil
}

// zeroShare is the sparsity of the weights that are not the head's.
func zeroShare(m *prune.Masks, head []bool) float64 {
	n, zero := 0, 0
	for l, w := range m.Weights {
		if !head[l] {
			n += w.Len()
			zero += w.Len() - m.Mask[l].Count()
		}
	}
	return float64(zero) / float64(max(1, n))
}
