package structured

import (
	_ "embed"

	"context"
	"math"
	"sort"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/score"
	"pare/prune/structure"
)

// Heads cuts heads of attention by the loss's gradient.
type Heads struct {
	Share float64 `flag:"heads" target:"yes" range:"[0,1)" doc:"share of all heads that is cut (0: as the budgets want)"`
	model.Counts
	Samples int  `flag:"samples" range:"[1,)" doc:"samples of the training set whose gradients rate the heads, one at a time"`
	Raw     bool `flag:"raw-importance" doc:"importances are compared as they are, not divided by the norm of their layer's"`
	model.Layers

	Rate model.ChannelScore // in the place of the gradients, to compare with or of one's own; nil: gradients
}

//go:embed heads.md
var headsDoc string

var headsCard = &catalog.Card{
	Name: "heads", Noun: "model", Title: "Heads of attention by gradient",
	Paper: "Michel, Levy, Neubig: Are Sixteen Heads Really Better than One? (NeurIPS 2019). arXiv 1905.10650",
	Cuts:  "heads", Needs: catalog.Samples, Doc: headsDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "after", How: "gradient sensitivity one-shot retrain", Supervision: "unlabelled labels", Fusion: "none"},
}

// NewHeads gives the method with its defaults.
func NewHeads() *Heads { return &Heads{Share: .3, Samples: 256} }

// Card describes the method.
func (*Heads) Card() *catalog.Card { return headsCard }

// HeadFacts are the heads that were cut.
type HeadFacts struct {
	Layers []HeadLayer `json:"layers"`
	Before Cost        `json:"before"`
	After  Cost        `json:"after"`
}

// HeadLayer is one attention.
type HeadLayer struct {
	Name       string    `json:"name"`       // of the weight that makes its queries, or what comes first
	Importance []float64 `json:"importance"` // of each head that can go alone
	Removed    []int     `json:"removed"`    // heads that are cut
}

// Run rates the heads of all layers, cuts the least important and fine-tunes.
func (s *Heads) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if s.Share == 0 && s.MACs == 0 && s.Params == 0 {
		return nil, catalog.Errorf("no target: give {Share}, {MACs} or {Params}")
	}
	if err := s.Counts.Check(); err != nil {
		return nil, err
	}
	scope := s.Scope()
	if err := scope.Check(j.Graph); err != nil {
		return nil, err
	}
	heads, whole := headGroups(j.Graph, scope)
	if len(heads) == 0 {
		return nil, catalog.Errorf("the network has no attention whose heads can be cut, or {Include} and {Exclude} leave none: method channels cuts what else goes together")
	}
	res := &model.Result{}
	rates, err := s.rates(ctx, j, res, heads)
	if err != nil {
		return nil, err
	}
	t := structure.Target{MACs: float64(s.MACs), Params: float64(s.Params), Round: 1, Why: whole}
	sel := structure.All(heads)
	if s.Share > 0 {
		cutShare(sel, rates, s.Share)
	}
	if s.MACs > 0 || s.Params > 0 {
		if sel, err = within(j, heads, rates, sel, t); err != nil {
			return nil, err
		}
	}
	facts := &HeadFacts{Before: costOf(j.Graph)}
	all, gone := 0, 0
	for i, g := range heads {
		l := HeadLayer{Name: g.Name, Importance: rates[i], Removed: []int{}}
		for c := range g.Channels {
			if !sel[i].Kept(c) {
				l.Removed = append(l.Removed, c)
			}
		}
		j.Logf("%s: heads %v of %d go; importances %.3g", g.Name, l.Removed, len(g.Channels), rates[i])
		facts.Layers, all, gone = append(facts.Layers, l), all+len(g.Channels), gone+len(l.Removed)
	}
	if res.Graph, err = structure.Cut(j.Graph, heads, sel); err != nil {
		return nil, err
	}
	facts.After = costOf(res.Graph)
	res.Kept, res.Facts = structure.KeptBy(heads, sel), facts
	res.Note("%d of %d heads are cut; every layer keeps one at least", gone, all)
	return res, j.Tune(ctx, res)
}

// headGroups are the groups whose channels are heads, all of whose makers are in scope, and
// what stays whole.
func headGroups(g *graph.Graph, scope prune.Scope) (heads []*structure.Group, whole []structure.Protected) {
	groups, whole := structure.Groups(g)
	for i, kind := range structure.Kinds(g, groups) {
		if (kind == structure.Heads || kind == structure.GroupedHead) && groups[i].In(scope) {
			heads = append(heads, groups[i])
		}
	}
	return heads, whole
}

// rates are the importances of the heads: the expected absolute derivative of the loss by
// a factor of the head, |∂L/∂ξ_h| (section 4.1), over the norm of those of its layer.
func (s *Heads) rates(ctx context.Context, j *model.Job, res *model.Result, heads []*structure.Group) (rates [][]float64, err error) {
	if s.Rate != nil {
		rates, _, err = s.Rate(j.Graph, heads)
	} else {
		ws, err := prune.Weights(j.Graph, prune.Scope{})
		if err != nil {
			return nil, err
		}
		t := score.NewTaylor(heads, ws)
		t.Absolute = true
		labels, n, err := j.EachSampleGradient(ctx, t.Weights, s.Samples, t.Add)
		if err != nil {
			return nil, err
		}
		how := "what the network before is matched by, without labels"
		if labels {
			how = "the loss"
		}
		res.Note("heads are rated by gradients of %s on %d samples, one at a time", how, n)
		rates = t.Rates()
	}
	if err != nil || s.Raw {
		return rates, err
	}
	for _, layer := range rates {
		norm := 0.
		for _, x := range layer {
			norm += x * x
		}
		if norm > 0 {
			for h := range layer {
				layer[h] /= math.Sqrt(norm)
			}
		}
	}
	return rates, nil
}

// head is one of a layer.
type head struct{ layer, h int }

// weakest lists the heads that may go, the least important first: all but the best one of
// each layer.
func weakest(rates [][]float64) (out []head) {
	for i, layer := range rates {
		best := 0
		for h, x := range layer {
			if x > layer[best] {
				best = h
			}
		}
		for h := range layer {
			if h != best {
				out = append(out, head{i, h})
			}
		}
	}
	sort.SliceStable(out, func(a, b int) bool { return rates[out[a].layer][out[a].h] < rates[out[b].layer][out[b].h] })
	return out
}

// cutShare cuts a share of all heads, or as many as can go.
func cutShare(sel structure.Selection, rates [][]float64, share float64) {
	all := 0
	for _, layer := range rates {
		all += len(layer)
	}
	order := weakest(rates)
	for _, x := range order[:min(len(order), int(share*float64(all)+1e-9))] {
		sel[x.layer].Set(x.h, false)
	}
}

// within cuts further heads, the least important first, until budgets hold.
func within(j *model.Job, heads []*structure.Group, rates [][]float64, sel structure.Selection, t structure.Target) (structure.Selection, error) {
	byBudget, err := structure.Select(j.Graph, heads, rates, t)
	if err != nil {
		return nil, catalog.Errorf("{MACs} %v, {Params} %v: heads alone do not get there: %v; method channels cuts more", t.MACs, t.Params, err)
	}
	for i, m := range byBudget {
		for c := range m.Len {
			if !m.Kept(c) {
				sel[i].Set(c, false)
			}
		}
	}
	for i, m := range sel { // two rankings of equal heads may each leave another one
		if m.Count() == 0 {
			sel[i] = byBudget[i]
		}
	}
	return sel, nil
}
