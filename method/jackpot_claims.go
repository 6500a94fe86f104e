package method

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
)

// pretrainedMLP is the network that experiments on pretrained weights begin
// with: the MLP 64-100-50-10 after 15 epochs on Glyph(4, 0.6).
func (b *bench) pretrainedMLP(ctx context.Context) (*graph.Graph, error) {
	g, err := b.mlp(64, 100, 50, 10)
	if err != nil {
		return nil, err
	}
	return g, b.fit(ctx, g, Recipe{Epochs: 15, Batch: 50, LR: .1, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 5e-4})
}

// prune runs a method on a copy of a network and gives the test accuracy.
func (b *bench) prune(ctx context.Context, run func(context.Context, *Job) (*Result, error), settings any, g *graph.Graph, r Recipe) (float64, error) {
	c, _ := g.Clone(true)
	j := &Job{Graph: c, Data: &dataset.Data{Train: b.data.Train, Norm: b.data.Norm}, Recipe: r, Settings: settings, Seed: b.seed, Engine: engine.Options{Threads: 1}}
	res, err := run(ctx, j)
	if err != nil {
		return 0, err
	}
	return b.accuracy(ctx, res.Graph)
}

var jackpotClaims = &Experiment{
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), trained 15 epochs and frozen: the magnitude mask, and masks searched for 3 and 15 epochs of 40 steps, with and without short restriction, and from a random start. The classifier is searched too.",
	Seeds: 4,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed)
		g, err := b.pretrainedMLP(ctx)
		if err != nil {
			return err
		}
		a, err := b.accuracy(ctx, g)
		if err != nil {
			return err
		}
		put("dense", a)
		for _, x := range []float64{.8, .9} {
			a, err := b.prune(ctx, runGlobalMP, &GlobalMP{Sparsity: x}, g, Recipe{})
			if err != nil {
				return err
			}
			put(fmt.Sprintf("magnitude %.2f", x), a)
			for _, arm := range []struct {
				name     string
				epochs   int
				restrict float64
				start    string
			}{{"search 3", 3, 0, "magnitude"}, {"search", 15, 0, "magnitude"}, {"restricted", 15, 4, "magnitude"}, {"random", 15, 0, "random"}} {
				s := jackpotDefaults()
				s.Sparsity, s.Classifier, s.Restrict, s.MaskStart = x, true, arm.restrict, arm.start
				a, err := b.prune(ctx, runJackpot, s, g, Recipe{Epochs: arm.epochs, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd"})
				if err != nil {
					return err
				}
				put(fmt.Sprintf("%s %.2f", arm.name, x), a)
			}
		}
		return nil
	},
	Claims: []Claim{
		everyAtLeast("at 80 % 15 epochs of search beat the magnitude mask by 15 points in every seed", "search 0.80", "magnitude 0.80", 15),
		everyAtLeast("at 90 % 15 epochs of search beat the magnitude mask by 20 points in every seed", "search 0.90", "magnitude 0.90", 20),
		within("at 80 % short restriction and plain search differ by 4 points at most", "restricted 0.80", "search 0.80", 4),
		within("at 90 % short restriction and plain search differ by 4 points at most", "restricted 0.90", "search 0.90", 4),
	},
}

// everyAtLeast claims that a beats b by so many points in every seed.
func everyAtLeast(text, a, b string, points float64) Claim {
	return Claim{text, func(v Values) (string, bool) {
		d := v.Diff(a, b)
		ok := len(d) > 0
		least := math.Inf(1)
		for _, x := range d {
			least = math.Min(least, 100*x)
			ok = ok && 100*x >= points
		}
		return fmt.Sprintf("%s, at least %+.1f", Points(d), least), ok
	}}
}

// within claims that a and b differ by at most so many points in the mean.
func within(text, a, b string, points float64) Claim {
	return Claim{text, func(v Values) (string, bool) {
		d := v.Diff(a, b)
		return Points(d), len(d) > 0 && math.Abs(100*stat.Mean(d, nil)) <= points
	}}
}
