package model

import (
	"context"
	"fmt"

	"pare/catalog"
	"pare/graph"
	"pare/prune"
	"pare/prune/structure"
	"pare/report"
	"pare/train"
)

// InSteps is the setting of methods that may cut several times, with training between.
type InSteps struct {
	Steps int `flag:"steps" range:"[0,)" doc:"cuts in which the targets are approached in equal ratios, each followed by its part of the epochs, the score taken anew each time (0 and 1: one cut)"`
}

// Cuts is how often such a method cuts.
func (s InSteps) Cuts() int { return max(1, s.Steps) }

// Cutter cuts channels to a target in steps: it rates, cuts, recovers, and again.
type Cutter struct {
	Target ChannelTarget
	InSteps
	Scope prune.Scope
	// Rate rates the channels of the job's network, which is another at each step.
	Rate func(ctx context.Context, j *Job, g *graph.Graph, groups []*structure.Group) (rates [][]float64, costs bool, err error)
	// Warm is the epochs of a training before the first cut, beside the recipe's.
	Warm int
	// Hooks take part in the trainings of a network of which the cuts so far have left these
	// positions; nil: none do.
	Hooks func(g *graph.Graph, kept structure.Kept) []train.Hook
}

// StepFacts are what one cut and the training behind it came to.
type StepFacts struct {
	CutFacts
	Epochs  int          `json:"epochs"`
	Cut     *train.Score `json:"cut,omitempty"`     // before the training, on what is held out
	Trained *train.Score `json:"trained,omitempty"` // after it
}

// ChannelFacts are what cutting channels came to, by steps.
type ChannelFacts struct {
	Before CutFacts    `json:"before"`
	Steps  []StepFacts `json:"steps"`
}

// Run cuts and recovers. The epochs of the job's recipe are those of all steps.
func (c *Cutter) Run(ctx context.Context, j *Job) (*Result, error) {
	n := c.Cuts()
	total := j.Recipe.Epochs
	if n > 1 && total > 0 && total < n {
		return nil, catalog.Errorf("{Steps} %d and {Recipe.Epochs} %d: every cut is followed by an epoch at least", n, total)
	}
	way, err := c.Target.newCutting(j, n)
	if err != nil {
		return nil, err
	}
	facts := &ChannelFacts{Before: CutFacts{MACs: way.whole.MACs, Params: way.whole.Params, Bytes: way.whole.Bytes, Activations: way.whole.Activations}}
	if n > 1 || c.Warm > 0 {
		if err := c.Target.Reach(ctx, j, c.Scope); err != nil {
			return nil, err
		}
	}
	most, err := j.mostDrop(ctx, n)
	if err != nil {
		return nil, err
	}
	res := &Result{Graph: j.Graph, Facts: facts}
	runs := j.NewSeries(n)
	runs.Steps = j.Steps()
	if err := c.warm(ctx, j, res, runs); err != nil {
		return nil, err
	}
	for i := range n {
		k := j.On(res.Graph)
		last := *res
		k.Recipe.Epochs = (i+1)*total/n - i*total/n
		step, err := way.cut(ctx, k, func(g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
			return c.Rate(ctx, k, g, groups)
		}, c.Scope)
		if err != nil {
			if n > 1 {
				err = fmt.Errorf("step %d of %d: %w", i+1, n, err)
			}
			return nil, err
		}
		if n > 1 {
			j.Logf("step %d of %d: %d multiply-accumulates and %d parameters stay", i+1, n, step.facts.MACs, step.facts.Params)
		}
		if res.Graph, res.Kept = step.graph, step.kept; i > 0 {
			res.Kept = way.before.Then(step.kept)
		}
		if way.before = res.Kept; n == 1 && len(res.Kept) == 0 {
			res.Note("the network is within all that is asked for as it is: no channel is cut")
		}
		facts.Steps = append(facts.Steps, StepFacts{CutFacts: step.facts, Epochs: k.Recipe.Epochs})
		if err := c.recover(ctx, k, res, runs, facts, n); err != nil {
			return nil, err
		}
		back, err := most.lost(ctx, k, res, facts)
		if err != nil {
			return nil, err
		}
		if back {
			if i == 0 {
				return nil, fmt.Errorf("the first of %d cuts %s: give smaller steps, a longer training, or more to lose", n, facts.Steps[0].lost(most))
			}
			res.Graph, res.Kept = last.Graph, last.Kept
			res.Note("cut %d of %d %s, and was taken back: the network is that of the cut before", i+1, n, facts.Steps[i].lost(most))
			break
		}
	}
	res.Notes = append(unique(way.notes), res.Notes...)
	return res, nil
}

// warm trains before the first cut.
func (c *Cutter) warm(ctx context.Context, j *Job, res *Result, runs *Series) error {
	if c.Warm == 0 {
		return nil
	}
	k := *j
	k.Recipe.Epochs = c.Warm
	runs.N++
	runs.Steps += k.Steps()
	epochs, err := runs.Fit(ctx, &k, res.Graph, c.hooks(res)...)
	res.Add(epochs)
	return err
}

func (c *Cutter) hooks(res *Result) []train.Hook {
	if c.Hooks == nil {
		return nil
	}
	return c.Hooks(res.Graph, res.Kept)
}

// recover wins back what a cut has cost.
func (c *Cutter) recover(ctx context.Context, j *Job, res *Result, runs *Series, facts *ChannelFacts, steps int) error {
	f := &facts.Steps[len(facts.Steps)-1]
	solved, err := false, error(nil)
	if c.Hooks == nil {
		solved, err = j.Repair(ctx, res)
	} else { // they say what the weights are
		err = j.watch(res)
	}
	if err != nil {
		return err
	}
	if j.Recipe.Epochs == 0 && !solved {
		if err := j.Reestimate(ctx, res.Graph); err != nil {
			return err
		}
	}
	if steps > 1 && j.Held() != nil {
		s, err := j.Score(ctx, res.Graph)
		if err != nil {
			return err
		}
		f.Cut = &s
	}
	if err := j.LogUntuned(ctx, res.Graph); err != nil {
		return err
	}
	epochs, err := runs.Fit(ctx, j, res.Graph, c.hooks(res)...)
	if err != nil {
		return err
	}
	res.Add(epochs)
	if steps > 1 && f.Epochs > 0 && j.Held() != nil {
		s, err := j.Score(ctx, res.Graph)
		if err != nil {
			return err
		}
		f.Trained = &s
		res.Note("cut %d of %d: %s multiply-accumulates stay; %s %s before the %d epochs behind it, %s after",
			len(facts.Steps), steps, report.Scaled(float64(f.MACs)).Text, s.Metric, f.Cut.Show(), f.Epochs, s.Show())
	}
	return nil
}
