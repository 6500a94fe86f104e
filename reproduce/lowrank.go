package reproduce

import (
	"context"

	"pare/evidence"
	"pare/model"
	"pare/model/rewrite"
)

var lowRank = &evidence.Experiment{
	Name:  "lowrank",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), trained 15 epochs; weights written as products to 35 % of the multiply-accumulates without fine-tuning: with ranks by what is lost for what is saved, and with one share of every full rank (which leaves 36 %); the first with 5 epochs of fine-tuning at 0.01, too.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := b.pretrainedMLP(ctx)
		if err != nil {
			return err
		}
		if err := b.dense(ctx, "dense", g); err != nil {
			return err
		}
		target, share := rewrite.NewLowRank(), rewrite.NewLowRank()
		target.MACs, share.MACs, share.Rank = .35, 0, .24
		if err := b.arms(ctx, g, model.Recipe{}, arm{"lowrank", target}, arm{"one share", share}); err != nil {
			return err
		}
		r := tuning
		r.Epochs, r.LR = 5, .01
		return b.arms(ctx, g, r, arm{"lowrank, tuned", target})
	},
	Claims: []evidence.Claim{
		evidence.Beats("ranks by what is lost beat one share of every rank by 25 points", "lowrank", "one share", 25, "one share"),
		evidence.Beats("fine-tuning wins 10 points", "lowrank, tuned", "lowrank", 10, "lowrank"),
	},
}
