package reproduce

import (
	"context"
	"fmt"

	"pare/evidence"
	"pare/model"
	"pare/model/learned"
	"pare/model/oneshot"
)

// again is the recipe of methods that learn masks in a trained network.
var again = model.Recipe{Epochs: 15, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 1e-4}

var bip = &evidence.Experiment{
	ID: "10", Name: "bip",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), trained 15 epochs, then 15 more of batch 50 (weights at 0.1 cosine): bi-level pruning, with 1/gamma of 1, with no implicit gradient, and with one batch for both levels, against magnitude pruning (all layers ranked together) by the same recipe, gradually and at once.",
	Seeds: 32,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := b.pretrainedMLP(ctx)
		if err != nil {
			return err
		}
		for _, x := range []float64{.9, .95} {
			set := func(implicit string, gamma float64) *learned.BiP {
				s := learned.NewBiP()
				s.Sparsity, s.Implicit, s.Gamma = x, implicit, gamma
				return s
			}
			once, slowly, batch := oneshot.NewGlobalMP(), oneshot.NewGlobalMP(), set("theorem", 1)
			once.Sparsity, slowly.Sparsity = x, x
			slowly.Gradual, batch.OneBatch = true, true
			at := fmt.Sprintf(" %.2f", x)
			if err := b.arms(ctx, g, again, arm{"bip" + at, set("theorem", 1e4)}, arm{"gamma 1" + at, set("theorem", 1)}, arm{"no implicit" + at, set("none", 1)},
				arm{"one batch" + at, batch}, arm{"gradual magnitude" + at, slowly}, arm{"magnitude" + at, once}); err != nil {
				return err
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Beats("at 90 % bi-level pruning beats magnitude pruning at once by 8 points", "bip 0.90", "magnitude 0.90", 8, "gradual magnitude 0.90"),
		evidence.Beats("at 95 % it beats gradual magnitude pruning by 11 points", "bip 0.95", "gradual magnitude 0.95", 11, "gradual magnitude 0.95", "magnitude 0.95"),
		evidence.Beats("at 95 % the implicit gradient, weighted by 1, is worth half a point", "gamma 1 0.95", "no implicit 0.95", .5, "no implicit 0.95"),
	},
	Asks: []evidence.Comparison{
		{Text: "batches of their own for the two levels", Method: "gamma 1 0.95", Without: "one batch 0.95"},
	},
}
