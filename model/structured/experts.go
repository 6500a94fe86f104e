package structured

import (
	_ "embed"

	"context"
	"math/rand/v2"
	"sort"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/expert"
	"pare/prune/structure"
	"pare/tensor"
)

// Experts cuts whole experts of mixtures.
type Experts struct {
	Share float64 `flag:"experts" target:"yes" range:"[0,1)" doc:"share of all experts that is cut (0: as the budgets want)"`
	model.Counts
	Score   string   `flag:"score" choice:"auto,reap,frequency,norm,random" doc:"what an expert is worth: reap (the mean, over the tokens that are given to it, of its weight times the norm of what it makes), frequency (the share of tokens that are given to it), norm (of its weights), random, or auto: reap where there is data, else norm"`
	Samples int      `flag:"samples" range:"[1,)" doc:"samples of the training set that reap and frequency look at; they need no labels"`
	Even    bool     `flag:"even" doc:"the same share of every mixture goes, instead of the experts of all that are worth least beside the mean of their mixture"`
	Include []string `flag:"include" kind:"patterns" doc:"only mixtures whose names match one of these patterns"`
	Exclude []string `flag:"exclude" kind:"patterns" doc:"not the mixtures whose names match one of these patterns"`

	Rate func(ms []*expert.Mixture) [][]float64 // in the place of Score, to compare with or of one's own: lowest goes first; nil: Score
}

//go:embed experts.md
var expertsDoc string

var expertsCard = &catalog.Card{
	Name: "experts", Noun: "model", Title: "Experts of mixtures",
	Paper: "reap: Lasby, Lazarevich, Sinnadurai, Lie, Ioannou, Thangarasa: REAP the Experts: Why Pruning Prevails for One-Shot MoE compression (2025). arXiv 2510.13999; frequency: Muzio, Sun, He: SEER-MoE: Sparse Expert Efficiency through Regularization for Mixture-of-Experts (2024). arXiv 2404.05089",
	Cuts:  "experts", Needs: catalog.Weights, Doc: expertsDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "after", How: "norm activation random one-shot retrain", Supervision: "none unlabelled labels", Fusion: "none"},
}

// NewExperts gives the method with its defaults.
func NewExperts() *Experts { return &Experts{Share: .5, Score: "auto", Samples: 512} }

// Card describes the method.
func (*Experts) Card() *catalog.Card { return expertsCard }

// ExpertFacts are the experts that were cut.
type ExpertFacts struct {
	Score    string          `json:"score"`
	Mixtures []ExpertMixture `json:"mixtures"`
	Before   Cost            `json:"before"`
	After    Cost            `json:"after"`
}

// ExpertMixture is one layer of experts.
type ExpertMixture struct {
	Name    string    `json:"name"`
	Chosen  int       `json:"chosen"` // experts that a token is given to; so many stay at least
	Worth   []float64 `json:"worth"`  // by expert
	Removed []int     `json:"removed"`
}

// Run rates the experts of all mixtures, cuts those that are worth least, and fine-tunes.
func (s *Experts) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if s.Share == 0 && s.MACs == 0 && s.Params == 0 {
		return nil, catalog.Errorf("no target: give {Share}, {MACs} or {Params}")
	}
	if err := s.Counts.Check(); err != nil {
		return nil, err
	}
	ms, err := s.mixtures(j)
	if err != nil {
		return nil, err
	}
	res := &model.Result{}
	facts := &ExpertFacts{Before: costOf(j.Graph)}
	rates, err := s.rates(ctx, j, res, facts, ms)
	if err != nil {
		return nil, err
	}
	order := s.order(ms, rates)
	all := 0
	for _, m := range ms {
		all += m.Experts
	}
	n := min(len(order), int(s.Share*float64(all)+1e-9))
	if s.MACs > 0 || s.Params > 0 {
		if n, err = s.within(j, ms, order, n); err != nil {
			return nil, err
		}
	}
	sel := selected(ms, order[:n])
	for i, m := range ms {
		x := ExpertMixture{Name: m.Name, Chosen: m.Least, Worth: rates[i], Removed: []int{}}
		for e := range m.Experts {
			if !sel[i].Kept(e) {
				x.Removed = append(x.Removed, e)
			}
		}
		j.Logf("%s: experts %v of %d go; worth %.3g", m.Name, x.Removed, m.Experts, rates[i])
		facts.Mixtures = append(facts.Mixtures, x)
	}
	if res.Graph, err = expert.Cut(j.Graph, ms, sel); err != nil {
		return nil, err
	}
	facts.After = costOf(res.Graph)
	res.Kept, res.Facts = expert.KeptBy(ms, sel), facts
	res.Note("%d of %d experts are cut; of every mixture as many stay as a token is given to", n, all)
	if short := int(s.Share*float64(all) + 1e-9); s.Share > 0 && n < short {
		res.Note("a share of %v would be %d experts: as many stay as tokens are given to ({Share})", s.Share, short)
	}
	return res, j.Tune(ctx, res)
}

// mixtures are those of the network whose names are in scope.
func (s *Experts) mixtures(j *model.Job) ([]*expert.Mixture, error) {
	found, whole := expert.Find(j.Graph)
	scope := prune.Scope{Include: s.Include, Exclude: s.Exclude}
	var ms []*expert.Mixture
	var names []string
	for _, m := range found {
		if names = append(names, m.Name); scope.Match(m.Name) {
			ms = append(ms, m)
		}
	}
	for _, w := range whole {
		j.Logf("the experts of %s stay whole: %s", w.Name, w.Why)
		names = append(names, w.Name)
	}
	switch {
	case len(names) == 0:
		return nil, catalog.Errorf("the network has no mixture of experts that is recognised: method channels cuts what else goes together")
	case len(found) == 0:
		return nil, catalog.Errorf("the experts of %s stay whole: %s", whole[0].Name, whole[0].Why)
	}
	if err := scope.CheckNames(names); err != nil {
		return nil, err
	}
	if len(ms) == 0 {
		return nil, catalog.Errorf("{Include} and {Exclude} leave no mixture of experts whole enough to cut")
	}
	for _, m := range ms {
		if m.Experts > m.Least {
			return ms, nil
		}
	}
	return nil, catalog.Errorf("every token is given to all %d experts of %s: none may go", ms[0].Experts, ms[0].Name)
}

// rates are what the experts are worth, by mixture, and says how that was found.
func (s *Experts) rates(ctx context.Context, j *model.Job, res *model.Result, facts *ExpertFacts, ms []*expert.Mixture) ([][]float64, error) {
	by := s.Score
	if s.Rate != nil {
		return s.Rate(ms), nil
	}
	if by == "auto" {
		by = "norm"
		if d := j.Data; j.Samples != nil || d != nil && d.Train != nil && d.Train.Len() > 0 {
			by = "reap"
		}
	}
	facts.Score = by
	var out [][]float64
	switch by {
	case "norm":
		for _, m := range ms {
			out = append(out, m.Norms())
		}
		res.Note("experts are rated by the norm of their weights ({Score} norm)")
		return out, nil
	case "random":
		r := rand.New(rand.NewPCG(j.Seed, 0xe59e))
		for _, m := range ms {
			row := make([]float64, m.Experts)
			for e := range row {
				row[e] = r.Float64()
			}
			out = append(out, row)
		}
		return out, nil
	}
	o, err := expert.NewObserver(j.Graph, ms, by == "reap")
	if err != nil {
		return nil, catalog.Errorf("{Score} %s: %v: give {Score} frequency or norm", by, err)
	}
	if err := j.On(o.Graph).Look(ctx, s.Samples, o.Want, func(vs []*tensor.Tensor) error { return o.Add(vs) }); err != nil {
		return nil, err
	}
	tokens := 0.
	for i := range ms {
		u := o.Usage[i]
		if by == "frequency" {
			out = append(out, u.Frequency())
			tokens = u.Tokens
			continue
		}
		out = append(out, u.REAP())
		for _, n := range u.Counted {
			tokens += n
		}
	}
	if by == "frequency" {
		res.Note("experts are rated by how often they are chosen for %.0f tokens ({Score} frequency)", tokens)
	} else {
		res.Note("experts are rated by the mean of weight times norm of what they make, %.0f times in all ({Score} reap)", tokens)
	}
	return out, nil
}

// one is an expert of a mixture.
type one struct{ mixture, expert int }

// order lists the experts that may go, the least worth first: all but as many of each
// mixture as tokens are given to.
func (s *Experts) order(ms []*expert.Mixture, rates [][]float64) []one {
	type ranked struct {
		one
		by float64
	}
	var all []ranked
	for i, m := range ms {
		best := make([]int, m.Experts)
		mean := 0.
		for e := range best {
			best[e], mean = e, mean+rates[i][e]/float64(m.Experts)
		}
		sort.SliceStable(best, func(a, b int) bool { return rates[i][best[a]] < rates[i][best[b]] })
		for k, e := range best[:m.Experts-m.Least] {
			by := rates[i][e]
			if mean > 0 {
				by /= mean
			}
			if s.Even {
				by = float64(k+1) / float64(m.Experts)
			}
			all = append(all, ranked{one{i, e}, by})
		}
	}
	sort.SliceStable(all, func(a, b int) bool { return all[a].by < all[b].by })
	out := make([]one, len(all))
	for k, x := range all {
		out[k] = x.one
	}
	return out
}

// selected keeps all experts but some.
func selected(ms []*expert.Mixture, gone []one) expert.Selection {
	sel := make(expert.Selection, len(ms))
	for i, m := range ms {
		sel[i] = prune.NewMask(m.Experts, true)
	}
	for _, x := range gone {
		sel[x.mixture].Set(x.expert, false)
	}
	return sel
}

// within gives how many experts go along the ranking, at least n of them, so that the
// budgets hold: the fewest.
func (s *Experts) within(j *model.Job, ms []*expert.Mixture, order []one, n int) (int, error) {
	whole := structure.CostOf(j.Graph)
	macs, params := s.MACs.Share(whole.MACs), s.Params.Share(whole.Params)
	var failed error
	holds := func(k int) bool {
		c, err := expert.Counted(j.Graph, ms, selected(ms, order[:k]))
		if err != nil {
			failed = err
			return true
		}
		return (macs == 0 || float64(c.MACs) <= macs*float64(whole.MACs)) && (params == 0 || float64(c.Params) <= params*float64(whole.Params))
	}
	k := n + sort.Search(len(order)-n, func(i int) bool { return holds(n + i) })
	if failed != nil {
		return 0, failed
	}
	if k == len(order) && !holds(k) {
		c, err := expert.Counted(j.Graph, ms, selected(ms, order))
		if err != nil {
			return 0, err
		}
		return 0, catalog.Errorf("{MACs} %v, {Params} %v: experts alone do not get there: with all gone that may go, %d multiply-accumulates (%.1f %%) and %d parameters (%.1f %%) are left, for as many experts stay as tokens are given to; method channels cuts more",
			s.MACs, s.Params, c.MACs, 100*float64(c.MACs)/float64(max(1, whole.MACs)), c.Params, 100*float64(c.Params)/float64(max(1, whole.Params)))
	}
	return k, nil
}
