package diagnose

import (
	_ "embed"

	"context"
	"math"
	"strconv"

	"pare/catalog"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/hook"
	"pare/prune/score"
	"pare/train"
)

// Survey is a diagnosis under way.
type Survey struct {
	*model.Job
	Values    []float64 // of the knob
	Densities []float64 // the wanted one first

	set  *Regimes
	runs *model.Series
}

// NewSurvey prepares a diagnosis.
func NewSurvey(j *model.Job, s *Regimes) (*Survey, error) {
	if err := j.NeedsTraining("the diagnosis trains dense and pruned networks"); err != nil {
		return nil, err
	}
	v := &Survey{Job: j, set: s, Densities: []float64{1 - s.Sparsity}}
	for _, d := range s.Densities {
		x, err := strconv.ParseFloat(d, 64)
		if err != nil || !(x > 0 && x <= 1) {
			return nil, catalog.Bad("Densities", d, "a number in (0,1]")
		}
		v.Densities = append(v.Densities, x)
	}
	var err error
	if v.Values, err = s.grid(j.Recipe); err != nil {
		return nil, err
	}
	steps, runs := 0, 0
	for _, x := range v.Values {
		k, err := v.hotter(x)
		if err != nil {
			return nil, err
		}
		if s.Knob == "epochs" { // one training, stopped early
			steps, runs = k.Steps(), 1
		} else {
			steps, runs = steps+k.Steps(), runs+1
		}
	}
	n := len(v.Values) * len(v.Densities) * s.Seeds
	v.runs = j.NewSeries(runs + n)
	v.runs.Steps = steps + n*v.again(0).Steps()
	return v, nil
}

// hotter is the job of the dense training at a value of the knob.
func (v *Survey) hotter(x float64) (*model.Job, error) {
	k := *v.Job
	switch v.set.Knob {
	case "batch": // as many steps
		k.Recipe.Batch = int(x)
		k.Recipe.Epochs = max(1, int(math.Round(float64(v.Recipe.Epochs)*x/float64(v.Recipe.Batch))))
	case "lr":
		k.Recipe.LR = x
	}
	return &k, k.Check()
}

// again is the job of a retraining by seed.
func (v *Survey) again(seed int) *model.Job {
	k := *v.Job
	if v.set.OneOrder {
		seed = 0
	}
	k.Order = v.Seed*1000003 + uint64(seed) + 1
	if v.set.Epochs > 0 {
		k.Recipe.Epochs = v.set.Epochs
	}
	if v.set.LR > 0 {
		k.Recipe.LR = v.set.LR
	}
	return &k
}

// fit is the next training.
func (v *Survey) fit(ctx context.Context, k *model.Job, g *graph.Graph, hooks ...train.Hook) error {
	r := *k
	r.Epoch = nil // accuracies of many trainings in a row say nothing
	_, err := v.runs.Fit(ctx, &r, g, hooks...)
	return err
}

// Dense trains the dense networks, one for each value of the knob, all from the
// same weights.
func (v *Survey) Dense(ctx context.Context) ([]*graph.Graph, error) {
	var out []*graph.Graph
	if v.set.Knob == "epochs" {
		g, _ := v.Graph.Clone(true)
		var snapshots []*hook.Snapshot
		var hooks []train.Hook
		for _, x := range v.Values {
			s := hook.NewSnapshot(g, int(x)*v.Steps()/v.Recipe.Epochs)
			snapshots, hooks = append(snapshots, s), append(hooks, s)
		}
		if err := v.fit(ctx, v.Job, g, append(hooks, v.sam(v.set.Rho)...)...); err != nil {
			return nil, err
		}
		for _, p := range snapshots {
			h, _ := g.Clone(true)
			if err := p.Restore(h); err != nil {
				return nil, err
			}
			out = append(out, h)
		}
		return out, nil
	}
	for _, x := range v.Values {
		g, _ := v.Graph.Clone(true)
		k, err := v.hotter(x)
		if err != nil {
			return nil, err
		}
		rho := v.set.Rho
		if v.set.Knob == "rho" {
			rho = x
		}
		if err := v.fit(ctx, k, g, v.sam(rho)...); err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

func (v *Survey) sam(rho float64) []train.Hook {
	if rho == 0 {
		return nil
	}
	return []train.Hook{&train.SAM{Rho: rho}}
}

// Cell prunes a dense network, retrains it by every seed and compares what came
// out.
func (v *Survey) Cell(ctx context.Context, dense *graph.Graph, value, density float64) (*Cell, error) {
	c := &Cell{Value: value, Density: density}
	var nets []*graph.Graph
	var outs [][]float32
	set := v.Data.Train
	n := min(v.set.Samples, set.Len())
	for seed := range v.set.Seeds {
		g, _ := dense.Clone(true)
		ws, err := v.set.Weights(g)
		if err != nil {
			return nil, err
		}
		keep, err := allocate.Uniform(ws, 1-c.Density)
		if err != nil {
			return nil, err
		}
		m := allocate.Select(ws, score.Magnitude(ws), keep, prune.KeepFirst)
		if err := v.fit(ctx, v.again(seed), g, &hook.Hold{Masks: m}); err != nil {
			return nil, err
		}
		if seed == 0 {
			c.Net, c.Masks = g, m
		}
		e, err := v.wrong(ctx, g)
		if err != nil {
			return nil, err
		}
		c.Error += e / float64(v.set.Seeds)
		o, err := measure.Outputs(ctx, g, set, v.Data.Norm, n, v.Recipe.Batch, v.Engine)
		if err != nil {
			return nil, err
		}
		nets, outs = append(nets, g), append(outs, o)
	}
	var err error
	if c.Dense, err = v.wrong(ctx, dense); err != nil {
		return nil, err
	}
	return c, v.compare(ctx, c, nets, outs, n)
}

// wrong is the share of what is held out that a network gets wrong.
func (v *Survey) wrong(ctx context.Context, g *graph.Graph) (float64, error) {
	e := v.Held()
	if e == nil {
		e = train.NewEval(v.Data.Train, v.Data.Norm, 128, v.Engine)
	}
	m, err := e.Run(ctx, g)
	return m.Wrong(), err
}

// compare takes the means of LMC and CKA over all pairs.
func (v *Survey) compare(ctx context.Context, c *Cell, nets []*graph.Graph, outs [][]float32, n int) error {
	pairs, similarity := 0.0, 0.0
	for a := range nets {
		for b := a + 1; b < len(nets); b++ {
			line := measure.Line
			if v.set.AsIs {
				line = measure.LineAsIs
			}
			e, err := line(ctx, nets[a], nets[b], v.set.Points, v.Data.Train, v.Data.Norm, v.Recipe.Batch, v.Engine)
			if err != nil {
				return err
			}
			lmc, at := measure.Connectivity(e)
			cka, err := measure.CKA(outs[a], outs[b], n)
			if err != nil {
				return err
			}
			c.Ends += (e[0] + e[len(e)-1]) / 2
			c.Top += e[at]
			c.At += float64(at) / float64(len(e)-1)
			c.LMC += lmc
			similarity += cka
			pairs++
		}
	}
	for _, x := range []*float64{&c.Ends, &c.Top, &c.At, &c.LMC, &similarity} {
		*x /= pairs
	}
	if !math.IsNaN(similarity) {
		c.CKA = &similarity
	}
	return nil
}
