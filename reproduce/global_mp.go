package reproduce

import (
	"context"
	"fmt"

	"pare/evidence"
	"pare/model"
	"pare/model/oneshot"
)

// tuning is the recipe after a cut at once.
var tuning = model.Recipe{Epochs: 10, Batch: 50, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}

var globalMP = &evidence.Experiment{
	ID: "08", Name: "global-mp",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), trained 15 epochs, pruned once, fine-tuned 10 epochs: global ranking against the same sparsity in every layer, and against random masks.",
	Seeds: 24,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := b.pretrainedMLP(ctx)
		if err != nil {
			return err
		}
		if err := b.dense(ctx, "dense", g); err != nil {
			return err
		}
		for _, s := range []float64{.8, .9, .95} {
			global, uniform := oneshot.NewGlobalMP(), oneshot.NewMagnitude()
			global.Sparsity, uniform.Sparsity = s, s
			if err := b.arms(ctx, g, tuning, arm{fmt.Sprintf("global %.2f", s), global}, arm{fmt.Sprintf("uniform %.2f", s), uniform},
				arm{fmt.Sprintf("random %.2f", s), b.atRandom(s, "global")}); err != nil {
				return err
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Beats("at 90 % one ranking of all weights beats the same share of every layer by 1 point", "global 0.90", "uniform 0.90", 1, "uniform 0.90", "random 0.90"),
		evidence.Beats("at 95 % by 3 points", "global 0.95", "uniform 0.95", 3, "uniform 0.95", "random 0.95"),
		evidence.Beats("at 80 % it loses at most 10 points", "global 0.80", "dense", -10, "random 0.80"),
	},
}
