package language

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"pare/catalog"
	"pare/model"
	"pare/prune/structure"
	"pare/run"
)

// adapting is a run of the method.
type adapting struct {
	*AdaptPruner
	*decoder
	job     *model.Job
	facts   *AdaptFacts
	targets []Size // of the stages; 0: not asked for
	draws   int    // of samples, so far
}

// begin finds what may become narrower, and the targets of the stages. It returns an error
// where these cannot be met, before any work.
func (s *AdaptPruner) begin(j *model.Job) (*adapting, error) {
	if err := s.Counts.Check(); err != nil {
		return nil, err
	}
	if s.MACs == 0 && s.Params == 0 {
		return nil, catalog.Errorf("no target: give {Params} or {MACs}")
	}
	scope := s.Scope()
	if err := scope.Check(j.Graph); err != nil {
		return nil, err
	}
	if s.Stages > 1 {
		if err := j.NeedsTraining(fmt.Sprintf("{Stages} %d: pruning takes turns with training", s.Stages)); err != nil {
			return nil, err
		}
	}
	d, err := findDecoder(j.Graph, scope)
	if err != nil {
		return nil, err
	}
	a := &adapting{AdaptPruner: s, decoder: d, job: j, facts: &AdaptFacts{Before: sizeOf(structure.CostOf(j.Graph))}}
	for _, r := range d.roots {
		a.facts.Roots = append(a.facts.Roots, RootFact{Layer: d.layers[r.layer].name, Name: r.name, Kind: r.kind, Before: r.first, After: r.first})
	}
	return a, a.aim(sizeOf(d.least(j.Graph)))
}

// aim sets the targets of the stages, in equal differences from what the network takes; least
// is what stays where all that may go does.
func (a *adapting) aim(least Size) error {
	whole, share := a.facts.Before, 1.
	last := Size{}
	for _, x := range []struct {
		field        string
		most         model.Count
		whole, least int64
		to           *int64
	}{{"MACs", a.MACs, whole.MACs, least.MACs, &last.MACs}, {"Params", a.Params, whole.Params, least.Params, &last.Params}} {
		if x.most == 0 {
			continue
		}
		of := x.most.Share(x.whole)
		*x.to = int64(of * float64(x.whole))
		switch {
		case of >= 1:
			return catalog.Errorf("{%s} %v: the network has %d, which is no more: nothing is to be cut", x.field, float64(x.most), x.whole)
		case *x.to < x.least:
			return catalog.Errorf("{%s} %v: with one head and one neuron in each layer that may lose them, %d of %d are left (a share of %.3f): raise it, or let method channels cut the hidden width too", x.field, float64(x.most), x.least, x.whole, float64(x.least)/float64(x.whole))
		}
		share = math.Min(share, of)
	}
	k := a.Stages
	switch steps := a.job.Steps(); {
	case k == 0 && steps == 0:
		k = 1
	case k == 0:
		k = min(steps, max(1, int(math.Ceil((1-share)/perStage-1e-9))))
	}
	between := func(whole, last int64, i int) int64 {
		if last == 0 {
			return 0
		}
		return whole - int64(math.Round(float64(whole-last)*float64(i)/float64(k)))
	}
	for i := 1; i <= k; i++ {
		a.targets = append(a.targets, Size{between(whole.MACs, last.MACs, i), between(whole.Params, last.Params, i)})
	}
	return nil
}

// perStage is the share of a network that a stage takes where their number is not given.
const perStage = .05

// pruned is what the cuts of a stage have left, as it is remembered for a run that resumes:
// of every root the channels that stay, of those at the beginning of the stage.
type pruned struct {
	Stays [][]int
	Cuts  []AdaptCut
	Draws int
}

// prune cuts until the target of a stage is met.
func (a *adapting) prune(ctx context.Context, res *model.Result, stage int) error {
	j := a.job
	key := fmt.Sprintf("stage %d of %s", stage+1, strings.Join(j.Facts(a.AdaptPruner, res.Graph).Key(), " "))
	var p pruned
	if !j.Resume || !run.Recall(j.Save, key, &p) || !a.fits(&p, res) {
		var err error
		if p, err = a.cuts(ctx, j.On(res.Graph), a.targets[stage]); err != nil {
			if len(a.targets) > 1 {
				err = fmt.Errorf("stage %d of %d: %w", stage+1, len(a.targets), err)
			}
			return err
		}
		if err := run.Remember(j.Save, key, &p); err != nil {
			return err
		}
	}
	a.draws = p.Draws
	groups, sel := a.selection(res, p.Stays)
	kept := structure.KeptBy(groups, sel)
	cut, err := structure.Cut(res.Graph, groups, sel)
	if err != nil {
		return err
	}
	if res.Graph = cut; stage > 0 {
		kept = res.Kept.Then(kept)
	}
	res.Kept = kept
	for i := range a.roots {
		a.facts.Roots[i].After = len(p.Stays[i])
	}
	a.facts.After = sizeOf(structure.CostOf(cut))
	a.facts.Stages = append(a.facts.Stages, AdaptStage{Target: a.targets[stage], Cuts: p.Cuts, After: a.facts.After})
	return nil
}

// fits says whether what is remembered is of these roots.
func (a *adapting) fits(p *pruned, res *model.Result) bool {
	if len(p.Stays) != len(a.roots) {
		return false
	}
	for i, g := range a.in(res.Graph) {
		n := 1
		if g != nil {
			n = len(g.Channels)
		}
		if len(p.Stays[i]) == 0 || !slices.IsSorted(p.Stays[i]) || p.Stays[i][0] < 0 || p.Stays[i][len(p.Stays[i])-1] >= n {
			return false
		}
	}
	return true
}

// selection is what stays of the groups of a network that the roots are.
func (a *adapting) selection(res *model.Result, stay [][]int) (groups []*structure.Group, sel structure.Selection) {
	var at [][]int
	for i, g := range a.in(res.Graph) {
		if g != nil {
			groups, at = append(groups, g), append(at, stay[i])
		}
	}
	sel = structure.All(groups)
	for i, g := range groups {
		for c := range g.Channels {
			sel[i].Set(c, slices.Contains(at[i], c))
		}
	}
	return groups, sel
}

// met says whether a network is within a target.
func (t Size) met(c Size) bool {
	return (t.Params == 0 || c.Params <= t.Params) && (t.MACs == 0 || c.MACs <= t.MACs)
}

// train trains what the cuts of a stage have left, by its part of the recipe's steps.
func (a *adapting) train(ctx context.Context, res *model.Result, runs *model.Series, stage, from, until int) error {
	k := a.job.On(res.Graph)
	f := &a.facts.Stages[stage]
	f.From, f.Until = from, until
	if _, err := k.Repair(ctx, res); err != nil {
		return err
	}
	if k.Held() != nil {
		s, err := k.Score(ctx, res.Graph)
		if err != nil {
			return err
		}
		f.Cut = &s
	}
	if err := k.LogUntuned(ctx, res.Graph); err != nil {
		return err
	}
	rows, err := runs.FitPart(ctx, k, res.Graph, from, until)
	for _, e := range rows {
		e.Epoch = len(res.Epochs) + 1 // a stage may end within one
		res.Epochs = append(res.Epochs, e)
	}
	if err != nil {
		return err
	}
	if f.Cut != nil {
		s := res.Epochs[len(res.Epochs)-1].Score
		f.Tuned = &s
		res.Note("stage %d of %d: %d parameters stay; %s %s before its %d steps of training, %s after", stage+1, len(a.targets), f.After.Params, s.Metric, f.Cut.Show(), until-from, s.Show())
	}
	return nil
}

// finish says what came out.
func (a *adapting) finish(res *model.Result) {
	f := a.facts
	cuts, heads, neurons, with := 0, [2]int{}, [2]int{}, ""
	for _, s := range f.Stages {
		cuts += len(s.Cuts)
	}
	for i, r := range a.roots {
		to := &neurons
		if r.heads() {
			to = &heads
		}
		if r.kind == structure.GroupedHead {
			with = " of keys and values, with the queries that share them,"
		}
		to[0], to[1] = to[0]+f.Roots[i].After, to[1]+f.Roots[i].Before
	}
	res.Note("%d of %d parameters stay after %d cuts: %d of %d heads%s and %d of %d feed-forward neurons; layers may differ in both", f.After.Params, f.Before.Params, cuts, heads[0], heads[1], with, neurons[0], neurons[1])
}
