package method

import (
	"context"
	"fmt"
	"strings"

	"pare/graph"
	"pare/measure"
	"pare/prune"
	"pare/prune/structure"
	"pare/train"

	"gonum.org/v1/gonum/stat"
)

// pruned is an architecture with the weights it inherits.
type pruned struct {
	graph       *graph.Graph
	masks       *prune.Masks // nil where channels were cut
	macs, dense int64        // of one sample, after and before
}

// ratio is how many times the pruned network's computation the dense one takes.
func (p *pruned) ratio() float64 { return float64(p.dense) / float64(max(1, p.macs)) }

// prune gives the architecture; the job's network stays as it is.
func (s *Scratch) prune(j *Job) (*pruned, error) {
	p := &pruned{}
	var err error
	switch rate := func(groups []*structure.Group) [][]float64 { return structure.Filters(j.Graph, groups) }; {
	case s.Pruner == "magnitude":
		p.graph, _ = j.Graph.Clone(true)
		ws, err := s.weights(p.graph)
		if err != nil {
			return nil, err
		}
		if p.masks, err = (&Magnitude{Allocate: s.Allocate}).pick(ws, s.Sparsity); err != nil {
			return nil, err
		}
		if e := p.masks.Empty(); e != nil {
			return nil, fmt.Errorf("nothing would be left of %s, and nothing can be trained in it: lower --sparsity, or give --allocate uniform", e[0])
		}
		p.masks.Apply()
	case s.Keep > 0:
		groups, _ := structure.Groups(j.Graph)
		if s.Pruner == "channels" {
			rate = squares
		}
		p.graph, err = structure.Cut(j.Graph, groups, structure.Share(groups, rate(groups), s.Keep))
	case s.Pruner == "channels":
		p.graph, err = s.cut(j, squares)
	default:
		p.graph, err = s.cut(j, rate)
	}
	if err != nil {
		return nil, err
	}
	before, _, err := measure.Of(j.Graph)
	if err != nil {
		return nil, err
	}
	after, _, err := measure.Of(p.graph)
	if p.dense, p.macs = before.MACs, after.MACs; p.masks != nil {
		p.macs = after.Effective
	}
	return p, err
}

// start gives a copy of the pruned network for an arm: with the weights it inherits,
// or with weights drawn anew, those of a mask by its own fan-out.
func (p *pruned) start(a scratchArm, seed uint64) (*graph.Graph, *prune.Masks, error) {
	g, _ := p.graph.Clone(true)
	ones := map[string]int{}
	var m *prune.Masks
	if p.masks != nil {
		m = &prune.Masks{Mask: p.masks.Clone().Mask}
		for l, w := range p.masks.Weights {
			c := *w
			c.Value = g.Value(w.Name)
			m.Weights = append(m.Weights, &c)
			ones[w.Name] = m.Mask[l].Count()
		}
	}
	if !a.draw {
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

// trials are the trainings of a job, each with a checkpoint of its own.
type trials struct {
	*Job
	all, run    int // trainings in all, and begun
	done, total int // steps, for who waits
}

// fit is the next training, in the given order of samples (0: the job's).
func (t *trials) fit(ctx context.Context, r Recipe, g *graph.Graph, m *prune.Masks, order uint64) ([]train.Epoch, error) {
	k := *t.round(t.run, t.all)
	t.run++
	k.Recipe, k.Order = r, order
	done := t.done
	t.done += k.Steps()
	t.total = max(t.total, t.done)
	if t.OnStep != nil {
		k.OnStep = func(step, _ int, loss float64) { t.OnStep(done+step, t.total, loss) }
	}
	if m == nil {
		return k.Fit(ctx, g)
	}
	return k.Fit(ctx, g, &prune.Hold{Masks: m})
}

// compare trains every arm so many times, puts the most accurate network into the
// result and what all came to into its notes.
func (t *trials) compare(ctx context.Context, res *Result, p *pruned, arms []scratchArm, runs int) error {
	t.total = t.done
	for _, a := range arms {
		k := Job{Data: t.Data, Recipe: a.recipe}
		t.total += runs * k.Steps()
	}
	best := -1.0
	acc := make([][]float64, len(arms))
	for r := range runs {
		for i, a := range arms {
			g, m, err := p.start(a, t.Seed+uint64(r+1)*otherSeed)
			if err != nil {
				return err
			}
			order := uint64(0)
			if r > 0 {
				order = t.Seed + uint64(r)*otherSeed
			}
			epochs, err := t.fit(ctx, a.recipe, g, m, order)
			if err != nil {
				return fmt.Errorf("%s, run %d: %w", a.name, r+1, err)
			}
			x, err := t.accuracy(ctx, g)
			if err != nil {
				return fmt.Errorf("%s, run %d: %w", a.name, r+1, err)
			}
			acc[i] = append(acc[i], x)
			if x > best {
				best, res.Graph, res.Masks, res.Epochs = x, g, m, epochs
			}
		}
	}
	if t.held() == nil {
		res.Notes = append(res.Notes, fmt.Sprintf("%s: %d epochs", arms[0].name, arms[0].recipe.Epochs))
		return nil
	}
	for _, n := range []struct {
		name string
		g    *graph.Graph
		macs int64
	}{{"dense", t.Graph, p.dense}, {"pruned, not trained", p.graph, p.macs}} {
		x, err := t.accuracy(ctx, n.g)
		if err != nil {
			return err
		}
		res.Notes = append(res.Notes, fmt.Sprintf("%s: accuracy %.2f %%, %d multiply-accumulates a sample", n.name, 100*x, n.macs))
	}
	for i, a := range arms {
		res.Notes = append(res.Notes, fmt.Sprintf("%s: accuracy %s, %d epochs at learning rate %g, %s", a.name, spread(acc[i]), a.recipe.Epochs, a.recipe.LR, a.recipe.Schedule))
	}
	if len(arms) == 3 {
		res.Notes = append(res.Notes, verdict(acc[0], acc[1], acc[2]))
	}
	return nil
}

// verdict says whether inherited weights helped: not, where an arm from scratch is at
// most one deviation below the fine-tuned.
func verdict(tuned, e, b []float64) string {
	mean, dev := stat.MeanStdDev(tuned, nil)
	var enough []string
	for _, a := range []struct {
		name string
		x    []float64
	}{{"Scratch-E", e}, {"Scratch-B", b}} {
		if stat.Mean(a.x, nil) >= mean-dev {
			enough = append(enough, a.name)
		}
	}
	if enough == nil {
		return "verdict: the inherited weights help; no training from scratch comes within a deviation of the fine-tuned network"
	}
	return "verdict: the architecture suffices; trained from scratch it comes within a deviation of the fine-tuned network, or above (" + strings.Join(enough, ", ") + ")"
}

// accuracy on what is held out, 0 where nothing is.
func (j *Job) accuracy(ctx context.Context, g *graph.Graph) (float64, error) {
	e := j.held()
	if e == nil {
		return 0, nil
	}
	m, err := e.Run(ctx, g)
	if ctx.Err() != nil && j.Save != "" {
		err = fmt.Errorf("%w in %s", train.ErrInterrupted, j.Save)
	}
	return m.Accuracy, err
}

// spread writes shares as mean and deviation in percent.
func spread(x []float64) string {
	if len(x) < 2 {
		return fmt.Sprintf("%.2f %%", 100*stat.Mean(x, nil))
	}
	mean, dev := stat.MeanStdDev(x, nil)
	return fmt.Sprintf("%.2f ± %.2f %% over %d runs", 100*mean, 100*dev, len(x))
}
