package reproduce

import (
	"context"
	"fmt"
	"pare/evidence"
	"pare/model"
	"pare/model/learned"
	"pare/model/oneshot"
)

var jackpot = &evidence.Experiment{
	ID: "20", Name: "jackpot",
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
			a, err := b.prune(ctx, &oneshot.GlobalMP{Sparsity: x}, g, model.Recipe{})
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
				s := learned.NewJackpot()
				s.Sparsity, s.Classifier, s.Restrict, s.MaskStart = x, true, arm.restrict, arm.start
				a, err := b.prune(ctx, s, g, model.Recipe{Epochs: arm.epochs, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd"})
				if err != nil {
					return err
				}
				put(fmt.Sprintf("%s %.2f", arm.name, x), a)
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.EveryAtLeast("at 80 % 15 epochs of search beat the magnitude mask by 15 points in every seed", "search 0.80", "magnitude 0.80", 15),
		evidence.EveryAtLeast("at 90 % 15 epochs of search beat the magnitude mask by 20 points in every seed", "search 0.90", "magnitude 0.90", 20),
		evidence.Within("at 80 % short restriction and plain search differ by 4 points at most", "restricted 0.80", "search 0.80", 4),
		evidence.Within("at 90 % short restriction and plain search differ by 4 points at most", "restricted 0.90", "search 0.90", 4),
	},
}
