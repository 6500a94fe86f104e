package method

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"pare/graph"
	"pare/measure"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
	"pare/train"
)

// survey is a diagnosis in progress.
type survey struct {
	*Job
	set       *Regimes
	values    []float64 // of the knob
	densities []float64 // the wanted one first
	runs      int       // trainings in all
	steps     int       // and their optimiser steps
	run, done int       // of them
}

func newSurvey(j *Job) (*survey, error) {
	s := j.Settings.(*Regimes)
	v := &survey{Job: j, set: s, densities: []float64{1 - s.Sparsity}}
	if err := s.check(j); err != nil {
		return nil, err
	}
	for _, d := range s.Densities {
		x, err := strconv.ParseFloat(d, 64)
		if err != nil || !(x > 0 && x <= 1) {
			return nil, fmt.Errorf("density %q is not a number in (0,1]", d)
		}
		v.densities = append(v.densities, x)
	}
	var err error
	if v.values, err = s.grid(j.Recipe); err != nil {
		return nil, err
	}
	train := 0
	for _, x := range v.values {
		k, err := v.hotter(x)
		if err != nil {
			return nil, err
		}
		train += k.Steps()
		v.runs++
		if s.Knob == "epochs" {
			train = k.Steps()
			v.runs = 1
		}
	}
	n := len(v.values) * len(v.densities) * s.Seeds
	v.steps = train + n*v.again(0).Steps()
	v.runs += n
	return v, nil
}

// hotter is the job of the dense training at a value of the knob.
func (v *survey) hotter(x float64) (*Job, error) {
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
func (v *survey) again(seed int) *Job {
	k := *v.Job
	k.Order = v.Seed*1000003 + uint64(seed) + 1
	if v.set.Epochs > 0 {
		k.Recipe.Epochs = v.set.Epochs
	}
	if v.set.LR > 0 {
		k.Recipe.LR = v.set.LR
	}
	return &k
}

// fit trains g by a job, with a checkpoint of its own.
func (v *survey) fit(ctx context.Context, k *Job, g *graph.Graph, hooks ...train.Hook) error {
	r := *k.round(v.run, v.runs)
	done := v.done
	if v.OnStep != nil {
		r.OnStep = func(step, _ int, loss float64) { v.OnStep(done+step, v.steps, loss) }
	}
	r.Epoch = nil // accuracies of many trainings in a row say nothing
	v.run++
	v.done += k.Steps()
	_, err := r.Fit(ctx, g, hooks...)
	return err
}

// dense trains the dense networks, one for each value of the knob, all from the
// same weights.
func (v *survey) dense(ctx context.Context) ([]*graph.Graph, error) {
	var out []*graph.Graph
	if v.set.Knob == "epochs" {
		g, _ := v.Graph.Clone(true)
		var film prune.Points
		for _, x := range v.values {
			film = append(film, prune.NewPoint(g, int(x)*v.Steps()/v.Recipe.Epochs))
		}
		if err := v.fit(ctx, v.Job, g, append([]train.Hook{film}, v.sam(v.set.Rho)...)...); err != nil {
			return nil, err
		}
		for _, p := range film {
			h, _ := g.Clone(true)
			if err := p.Restore(h); err != nil {
				return nil, err
			}
			out = append(out, h)
		}
		return out, nil
	}
	for _, x := range v.values {
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

func (v *survey) sam(rho float64) []train.Hook {
	if rho == 0 {
		return nil
	}
	return []train.Hook{&train.SAM{Rho: rho}}
}

// cell prunes a dense network, retrains it by every seed and compares what came
// out.
func (v *survey) cell(ctx context.Context, dense *graph.Graph, value, density float64) (*cell, error) {
	c := &cell{value: value, density: density}
	var nets []*graph.Graph
	var outs [][]float32
	set := v.Data.Train
	n := min(v.set.Samples, set.Len())
	for seed := range v.set.Seeds {
		g, _ := dense.Clone(true)
		ws, err := v.set.weights(g)
		if err != nil {
			return nil, err
		}
		keep, err := allocate.Uniform(ws, 1-c.density)
		if err != nil {
			return nil, err
		}
		m := allocate.Select(ws, score.Magnitude(ws), keep, prune.KeepFirst)
		if err := v.fit(ctx, v.again(seed), g, &prune.Hold{Masks: m}); err != nil {
			return nil, err
		}
		if seed == 0 {
			c.net, c.masks = g, m
		}
		e, err := v.wrong(ctx, g)
		if err != nil {
			return nil, err
		}
		c.error += e / float64(v.set.Seeds)
		o, err := measure.Outputs(g, set, v.Data.Norm, n, v.Recipe.Batch, v.Engine)
		if err != nil {
			return nil, err
		}
		nets, outs = append(nets, g), append(outs, o)
	}
	var err error
	if c.dense, err = v.wrong(ctx, dense); err != nil {
		return nil, err
	}
	return c, v.compare(ctx, c, nets, outs, n)
}

// wrong is the share of what is held out that a network gets wrong.
func (v *survey) wrong(ctx context.Context, g *graph.Graph) (float64, error) {
	e := v.held()
	if e == nil {
		e = train.NewEval(v.Data.Train, v.Data.Norm, 128, v.Engine)
	}
	m, err := e.Run(ctx, g)
	return 1 - m.Accuracy, err
}

// compare takes the means of LMC and CKA over all pairs.
func (v *survey) compare(ctx context.Context, c *cell, nets []*graph.Graph, outs [][]float32, n int) error {
	pairs := 0.0
	for a := range nets {
		for b := a + 1; b < len(nets); b++ {
			e, err := measure.Line(ctx, nets[a], nets[b], v.set.Points, v.Data.Train, v.Data.Norm, v.Recipe.Batch, v.Engine)
			if err != nil {
				return err
			}
			lmc, at := measure.Connectivity(e)
			cka, err := measure.CKA(outs[a], outs[b], n)
			if err != nil {
				return err
			}
			c.ends += (e[0] + e[len(e)-1]) / 2
			c.top += e[at]
			c.at += float64(at) / float64(len(e)-1)
			c.lmc += lmc
			c.cka += cka
			pairs++
		}
	}
	for _, x := range []*float64{&c.ends, &c.top, &c.at, &c.lmc, &c.cka} {
		*x /= pairs
	}
	return nil
}
