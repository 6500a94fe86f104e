package method

import (
	"context"
	"fmt"

	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
)

// sparse draws random masks with a share of each layer by an allocation: erk, er
// or uniform. Every layer keeps something.
func sparse(ws []*prune.Weight, sparsity float64, allocation string, seed uint64) (*prune.Masks, error) {
	var keep []int
	var err error
	switch allocation {
	case "uniform":
		keep, err = allocate.Uniform(ws, sparsity)
	case "er", "erk":
		keep, err = allocate.ErdosRenyi(ws, sparsity, allocation == "erk")
	default:
		err = fmt.Errorf("there is no allocation %q: use erk, er or uniform", allocation)
	}
	if err != nil {
		return nil, err
	}
	return drawn(ws, keep, seed)
}

// drawn keeps some entries of each layer at random places.
func drawn(ws []*prune.Weight, keep []int, seed uint64) (*prune.Masks, error) {
	for l, k := range keep {
		if k == 0 {
			return nil, fmt.Errorf("of %q, which has %d entries, nothing would stay: lower the sparsity, exclude it, or allocate uniformly", ws[l].Name, ws[l].Len())
		}
	}
	return allocate.Select(ws, score.Random(ws, seed), keep, prune.CutFirst), nil
}

// growth finds a growth rule by name.
func growth(name string) (prune.Growth, error) {
	switch name {
	case "gradient":
		return prune.ByGradient, nil
	case "random":
		return prune.AtRandom, nil
	}
	return 0, fmt.Errorf("there is no growth %q: use gradient or random", name)
}

// batches checks how many batches give the gradient.
func batches(n int) error {
	if n < 1 {
		return fmt.Errorf("gradients of %d batches: at least 1 is needed", n)
	}
	return nil
}

// exchange trains the job's network while its masks move.
func (j *Job) exchange(ctx context.Context, x *prune.Exchange) (*Result, error) {
	if j.Steps() == 0 {
		return nil, fmt.Errorf("masks move while training: give --data and --epochs")
	}
	if err := x.Rate.Check(j.Steps()); err != nil {
		return nil, err
	}
	x.Seed = j.Seed
	epochs, err := j.Fit(ctx, j.Graph, x)
	return &Result{Graph: j.Graph, Masks: x.Masks, Epochs: epochs, Notes: collapse(x.Masks)}, err
}

// seldom warns where masks change in too few steps for new weights to grow.
func seldom(x *prune.Exchange) []string {
	if n := x.Rate.Count(); n < 5 {
		return []string{fmt.Sprintf("the masks move %d times only: train longer, or let --every be smaller", n)}
	}
	if x.Grow == prune.ByGradient && x.Rate.Every < 50 {
		return []string{fmt.Sprintf("what grows begins at zero and has %d steps before the next exchange: where that does harm, let --every be larger", x.Rate.Every)}
	}
	return nil
}
