package gradual

import (
	"context"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/hook"
	"pare/prune/score"
	"pare/train"
)

// Random draws random masks with a share of each layer by an allocation: erk, er
// or uniform. Every layer keeps something.
func Random(ws []*prune.Weight, sparsity float64, a allocate.Name, seed uint64) (*prune.Masks, error) {
	rule, err := a.Rule()
	if err != nil {
		return nil, err
	}
	keep, err := rule(ws, sparsity)
	if err != nil {
		return nil, err
	}
	return scatter(ws, keep, seed)
}

// scatter keeps some entries of each layer at random places.
func scatter(ws []*prune.Weight, keep []int, seed uint64) (*prune.Masks, error) {
	for l, k := range keep {
		if k == 0 {
			return nil, catalog.Errorf("of %q, which has %d entries, nothing would stay: lower {Sparsity}, leave it out with {Exclude}, or allocate uniformly", ws[l].Name, ws[l].Len())
		}
	}
	return allocate.Select(ws, score.Random(ws, seed), keep, prune.CutFirst), nil
}

// growths are the rules of what grows, by the names that settings give them.
var growths = map[string]hook.Growth{"gradient": hook.ByGradient, "random": hook.AtRandom}

// exchange trains the job's network while its masks move, behind other hooks that
// change them.
func exchange(ctx context.Context, j *model.Job, x *hook.Exchange, before ...train.Hook) (*model.Result, error) {
	if err := x.Rate.Check(j.Steps()); err != nil {
		return nil, err
	}
	hooks := append([]train.Hook{x.Hold}, before...)
	epochs, err := j.Fit(ctx, j.Graph, append(hooks, x)...)
	res := &model.Result{Graph: j.Graph, Masks: x.Hold.Masks, Epochs: epochs}
	res.WarnCollapse()
	return res, err
}

// warnRare notes where masks change in too few steps for new weights to grow, or too
// often.
func warnRare(r *model.Result, x *hook.Exchange) {
	if n := x.Rate.Count(); n < 5 {
		r.Note("the masks move %d times only: train longer, or let {Every} be smaller", n)
	} else if x.Grow == hook.ByGradient && x.Rate.Every < 50 {
		r.Note("what grows begins at zero and has %d steps before the next exchange: where that does harm, let {Every} be larger", x.Rate.Every)
	}
}
