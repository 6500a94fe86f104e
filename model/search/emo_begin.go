package search

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/score"
	"pare/prune/structure"
)

// emo is a search under way.
type emo struct {
	*EMO
	ctx      context.Context
	job      *model.Job
	dense    *graph.Graph // the network before: the teacher
	net      *graph.Graph // the network that is trained at all widths, and cut
	whole    structure.Cost
	macs     float64 // shares that may stay; 0: not asked
	params   float64
	groups   []*structure.Group
	best     [][]int // by group: its channels, the most important first
	widths   [][]int // by group: those that it may have, rising
	parts    []*part
	judged   *dataset.Set // samples that solutions are judged on
	tuning   *dataset.Set // and that statistics are estimated on
	labelled bool
	targets  []*dataset.Field // of the samples that judge: what outputs are compared with
	outputs  *model.Features  // of the dense network, where there are no labels
	notes    []string

	known map[string]*solution // whole networks that were evaluated
	order []*solution          // these in their order
	work  float64
}

// begin checks settings and job, and divides the network.
func (s *EMO) begin(ctx context.Context, j *model.Job) (*emo, error) {
	if j.Data == nil || j.Data.Train == nil || j.Data.Train.Len() == 0 {
		return nil, catalog.Errorf("solutions are judged on samples, which need no labels: give {Data}")
	}
	if s.Even {
		return nil, catalog.Errorf("{Even} does not go with this method: the search says how much of each group is cut")
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	if err := s.CountsAlone("the search"); err != nil {
		return nil, err
	}
	if err := s.Scope().Check(j.Graph); err != nil {
		return nil, err
	}
	if err := s.Reach(ctx, j, s.Scope()); err != nil {
		return nil, err
	}
	e := &emo{EMO: s, ctx: ctx, job: j, net: j.Graph, whole: structure.CostOf(j.Graph), known: map[string]*solution{}}
	e.labelled = j.NeedsLabels("") == nil
	e.dense, _ = j.Graph.Clone(true)
	e.macs, e.params = s.Shares(j.Graph)
	e.groups, _ = structure.Groups(j.Graph)
	if err := e.hold(); err != nil {
		return nil, err
	}
	e.levels()
	if c := e.cost(e.least()); c > 1 {
		x := structure.Counted(e.net, e.groups, e.unranked(e.least()))
		return nil, catalog.Errorf("no cut of channels reaches the target: the least is %.3g of the MACs and %.3g of the parameters, with {Least} %v of each group in multiples of {Round}",
			float64(x.MACs)/float64(max(1, e.whole.MACs)), float64(x.Params)/float64(max(1, e.whole.Params)), s.Least)
	}
	if err := e.divide(); err != nil {
		return nil, err
	}
	return e, e.rank()
}

// Of the training set, where there is no validation set, a share is held out to judge
// solutions, which must not be less than a few samples.
const (
	heldShare = .2
	heldLeast = 10
	tuned     = 256 // samples that statistics of batch normalisation are estimated on
)

// hold sets the samples that judge aside.
func (e *emo) hold() error {
	d := *e.job.Data
	judge := d.Val
	if judge == nil {
		n := d.Train.Len()
		held := min(e.Samples, int(heldShare*float64(n)))
		if held < heldLeast {
			return catalog.Errorf("solutions are judged on samples that are not trained on, and there is no validation set: of the %d training samples too few can be held out; give {Data} with more, or with a validation set", n)
		}
		var err error
		if d.Train, judge, err = d.Train.Split(float64(held)/float64(n), e.job.Seed); err != nil {
			return err
		}
		e.note("there is no validation set: %d of the %d training samples are held out to judge solutions", judge.Len(), n)
	}
	k := *e.job
	k.Data = &d
	e.job, e.judged, e.tuning = &k, judge.Draw(e.Samples, k.Seed), d.Train.Draw(tuned, k.Seed)
	return k.Check()
}

// levels are the widths of groups: tenths of their channels, rounded up to the multiple.
func (e *emo) levels() {
	for _, g := range e.groups {
		n := len(g.Channels)
		ws := []int{n}
		if g.In(e.Scope()) {
			to := e.Multiple(n)
			for t := 1; t < 10; t++ {
				w := max(1, int(math.Ceil(math.Max(float64(t)/10, e.Least)*float64(n)-1e-9)))
				ws = append(ws, min(n, (w+to-1)/to*to))
			}
		}
		slices.Sort(ws)
		e.widths = append(e.widths, slices.Compact(ws))
	}
}

// full and least are the widths at which nothing is cut, and as much as may be.
func (e *emo) full() []int  { return e.at(1) }
func (e *emo) least() []int { return e.at(0) }

// at is the width of all groups at the same share of the way from the least to all.
func (e *emo) at(share float64) []int {
	out := make([]int, len(e.groups))
	for i, ws := range e.widths {
		out[i] = ws[int(math.Round(share*float64(len(ws)-1)))]
	}
	return out
}

// unranked is a selection of so many channels, whichever.
func (e *emo) unranked(widths []int) structure.Selection {
	sel := structure.All(e.groups)
	for i, w := range widths {
		for c := w; c < len(e.groups[i].Channels); c++ {
			sel[i].Set(c, false)
		}
	}
	return sel
}

// selection keeps the most important channels.
func (e *emo) selection(widths []int) structure.Selection {
	sel := structure.All(e.groups)
	for i, w := range widths {
		for _, c := range e.best[i][w:] {
			sel[i].Set(c, false)
		}
	}
	return sel
}

// shares are what a network of these widths takes of the whole.
func (e *emo) shares(widths []int) (macs, params float64) {
	c := structure.Counted(e.net, e.groups, e.unranked(widths))
	return float64(c.MACs) / float64(max(1, e.whole.MACs)), float64(c.Params) / float64(max(1, e.whole.Params))
}

// cost is what a network of these widths takes of the target: of the one that it is
// nearest to, where there are two. At most 1 is within.
func (e *emo) cost(widths []int) float64 {
	macs, params := e.shares(widths)
	c := 0.0
	if e.macs > 0 {
		c = macs / e.macs
	}
	if e.params > 0 {
		c = math.Max(c, params/e.params)
	}
	return c
}

// rank orders the channels of each group by their importance.
func (e *emo) rank() error {
	rates, err := e.rates()
	if err != nil {
		return err
	}
	for _, s := range rates {
		order := make([]int, len(s))
		for c := range order {
			order[c] = c
		}
		sort.SliceStable(order, func(a, b int) bool { return s[order[a]] > s[order[b]] })
		e.best = append(e.best, order)
	}
	return nil
}

// rates are the importances of channels.
func (e *emo) rates() ([][]float64, error) {
	out := structure.Score(e.groups, structure.Squares)
	if i := slices.IndexFunc(e.groups, (*structure.Group).Integers); i >= 0 && e.Rank != "norm" {
		return nil, catalog.Errorf("the weights of %s are integers, which neither gradients nor scales tell apart: give {Rank} norm", e.groups[i].Name)
	}
	switch e.Rank {
	case "scales":
		for i, x := range structure.LargestScales(e.net, e.groups) {
			if x != nil {
				out[i] = x
			}
		}
	case "taylor":
		ws, err := prune.Weights(e.net, prune.Scope{})
		if err != nil {
			return nil, err
		}
		t := score.NewTaylor(e.groups, ws)
		if _, _, err := e.job.EachGradient(e.ctx, t.Weights, e.Samples, t.Add); err != nil {
			return nil, fmt.Errorf("channels are ranked by gradients: %w", e.job.Interrupted(e.ctx, err))
		}
		return t.Rates(), nil
	}
	return out, nil
}
