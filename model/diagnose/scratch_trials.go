package diagnose

import (
	_ "embed"

	"context"
	"fmt"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/model/oneshot"
	"pare/prune"
	"pare/prune/hook"
	"pare/prune/structure"
	"pare/train"

	"gonum.org/v1/gonum/stat"
)

// Arm is one way to train a pruned network.
type Arm struct {
	Name   string
	Recipe model.Recipe
	Draw   bool // from weights drawn anew
}

// Pruned is an architecture with the weights it inherits.
type Pruned struct {
	Graph *graph.Graph
	Masks *prune.Masks // nil where channels were cut
	MACs  int64        // of one sample; masks count
	Dense int64        // that of the dense network
}

// Ratio is how many times the pruned network's computation the dense one takes.
func (p *Pruned) Ratio() float64 { return float64(p.Dense) / float64(max(1, p.MACs)) }

// Prune gives the architecture; the job's network stays as it is.
func (s *Scratch) Prune(ctx context.Context, j *model.Job) (*Pruned, error) {
	p := &Pruned{}
	rate := func(g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
		return structure.Filters(g, groups), false, nil
	}
	if s.Pruner == "channels" {
		rate = model.Squares
	}
	var err error
	switch {
	case s.Pruner == "magnitude":
		p.Graph, _ = j.Graph.Clone(true)
		ws, err := s.Weights(p.Graph)
		if err != nil {
			return nil, err
		}
		if p.Masks, err = (&oneshot.Magnitude{Allocate: s.Allocate}).Pick(ws, s.Sparsity); err != nil {
			return nil, err
		}
		if e := p.Masks.Empty(); e != nil {
			return nil, catalog.Errorf("nothing would be left of %s, and nothing can be trained in it: lower {Sparsity}, or give {Allocate} uniform", e[0])
		}
		p.Masks.Apply()
	case s.Keep > 0:
		groups, _ := structure.Groups(j.Graph)
		score, _, wrong := rate(j.Graph, groups)
		if wrong != nil {
			return nil, wrong
		}
		p.Graph, err = structure.Cut(j.Graph, groups, structure.Share(groups, score, s.Keep))
	default:
		p.Graph, _, err = s.Cut(ctx, j, rate, prune.Scope{})
	}
	if err != nil {
		return nil, err
	}
	before, _ := measure.Count(j.Graph)
	after, _ := measure.Count(p.Graph)
	if p.Dense, p.MACs = before.MACs, after.MACs; p.Masks != nil {
		p.MACs = after.Effective
	}
	return p, nil
}

// Start gives a copy of the pruned network for an arm: with the weights it inherits,
// or with weights drawn anew, those of a mask by its own fan-out.
func (p *Pruned) Start(a Arm, seed uint64) (*graph.Graph, *prune.Masks, error) {
	g, _ := p.Graph.Clone(true)
	ones := map[string]int{}
	var m *prune.Masks
	if p.Masks != nil {
		m = &prune.Masks{Mask: p.Masks.Clone().Mask}
		for l, w := range p.Masks.Weights {
			c := *w
			c.Value = g.Value(w.Name)
			m.Weights = append(m.Weights, &c)
			ones[w.Name] = m.Mask[l].Count()
		}
	}
	if !a.Draw {
		return g, m, nil
	}
	err := prune.Init{Seed: seed, Fan: func(w *prune.Weight) float64 {
		if n := ones[w.Name]; n > 0 {
			return float64(n) / float64(w.Inputs())
		}
		return w.FanIn()
	}}.Apply(g)
	if m != nil {
		m.Apply()
	}
	return g, m, err
}

// trials are the trainings of a job.
type trials struct {
	*model.Job
	series *model.Series
}

// fit is the next training, in the given order of samples (0: the job's).
func (t *trials) fit(ctx context.Context, r model.Recipe, g *graph.Graph, m *prune.Masks, order uint64) ([]train.Epoch, error) {
	k := *t.Job
	k.Recipe, k.Order = r, order
	if m == nil {
		return t.series.Fit(ctx, &k, g)
	}
	return t.series.Fit(ctx, &k, g, &hook.Hold{Masks: m})
}

// compare trains every arm in each of the runs, puts the most accurate network into
// the result and what all came to into its facts and notes.
func (t *trials) compare(ctx context.Context, res *model.Result, p *Pruned, arms []Arm, runs int) error {
	for _, a := range arms {
		k := model.Job{Data: t.Data, Recipe: a.Recipe}
		t.series.Steps += runs * k.Steps()
	}
	facts := &ScratchFacts{MACs: p.MACs, DenseMACs: p.Dense}
	res.Facts = facts
	var best *train.Score
	for _, a := range arms {
		facts.Arms = append(facts.Arms, ArmFacts{Name: a.Name, Epochs: a.Recipe.Epochs})
	}
	for r := range runs {
		for i, a := range arms {
			g, m, err := p.Start(a, t.OtherSeed(r+1))
			if err != nil {
				return err
			}
			order := uint64(0)
			if r > 0 {
				order = t.OtherSeed(r)
			}
			epochs, err := t.fit(ctx, a.Recipe, g, m, order)
			if err != nil {
				return fmt.Errorf("%s, run %d: %w", a.Name, r+1, err)
			}
			x, err := t.Score(ctx, g)
			if err != nil {
				return fmt.Errorf("%s, run %d: %w", a.Name, r+1, err)
			}
			facts.Arms[i].Values = append(facts.Arms[i].Values, x.Value)
			if best == nil || x.Good() > best.Good() {
				best, res.Graph, res.Masks, res.Epochs = &x, g, m, epochs
			}
		}
	}
	if t.Held() == nil {
		res.Note("%s: %d epochs", arms[0].Name, arms[0].Recipe.Epochs)
		return nil
	}
	var err error
	if facts.Dense, err = t.Score(ctx, t.Graph); err != nil {
		return err
	}
	if facts.NotTrained, err = t.Score(ctx, p.Graph); err != nil {
		return err
	}
	res.Note("dense: %s %s, %d multiply-accumulates a sample", facts.Dense.Metric, facts.Dense.Show(), p.Dense)
	res.Note("pruned, not trained: %s %s, %d multiply-accumulates a sample", facts.NotTrained.Metric, facts.NotTrained.Show(), p.MACs)
	for i, a := range arms {
		res.Note("%s: %s %s, %d epochs at learning rate %g, %s", a.Name, best.Metric, spread(*best, facts.Arms[i].Values), a.Recipe.Epochs, a.Recipe.LR, a.Recipe.Schedule)
	}
	if len(arms) == 3 {
		facts.Enough = enough(facts.Arms, best.Higher)
		res.Note("%s", verdict(facts.Enough))
	}
	return nil
}

// enough are the arms from scratch that are at most one deviation worse than the
// fine-tuned network, the first.
func enough(arms []ArmFacts, higher bool) []string {
	mean, dev := stat.MeanStdDev(arms[0].Values, nil)
	var out []string
	for _, a := range arms[1:] {
		x := stat.Mean(a.Values, nil)
		if higher && x >= mean-dev || !higher && x <= mean+dev {
			out = append(out, a.Name)
		}
	}
	return out
}

// verdict says whether inherited weights helped.
func verdict(enough []string) string {
	if enough == nil {
		return "verdict: the inherited weights help; no training from scratch comes within a deviation of the fine-tuned network"
	}
	return "verdict: the architecture suffices; trained from scratch it comes within a deviation of the fine-tuned network, or is better (" + strings.Join(enough, ", ") + ")"
}

// spread writes values of a metric as mean and deviation.
func spread(of train.Score, x []float64) string {
	if len(x) < 2 {
		of.Value = stat.Mean(x, nil)
		return of.Show()
	}
	mean, dev := stat.MeanStdDev(x, nil)
	of.Value = mean
	return fmt.Sprintf("%s over %d runs", of.WithSpread(dev), len(x))
}
