package reproduce

import (
	"context"

	"pare/evidence"
	"pare/model"
	"pare/model/structured"
	"pare/zoo"
)

var consensus = &evidence.Experiment{
	ID: "04", Name: "consensus",
	About: "An untrained network of five convolutions (8 to 32 channels) with batch normalisation on Glyph(4, 0.6), 12 epochs of batch 50 at 0.1 cosine with gates, half of the multiply-accumulates left, and no epoch more: with the polarisation, without it, and with no gates that learn (channels by chance of the start); beside the dense network, trained alike.",
	Seeds: 8,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := zoo.New("cnn-8", zoo.Options{In: []int{1, 8, 8}, Seed: seed})
		if err != nil {
			return err
		}
		r := model.Recipe{Epochs: 12, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}
		m, apart, still := structured.NewConsensus(), structured.NewConsensus(), structured.NewConsensus()
		apart.Beta, still.GatesLR = 0, 0
		m.Round, apart.Round, still.Round = 1, 1, 1
		if err := b.arms(ctx, g, r, arm{"consensus", m}, arm{"no polarisation", apart}, arm{"no learning", still}); err != nil {
			return err
		}
		if err := b.trained(ctx, g, r); err != nil {
			return err
		}
		return b.dense(ctx, "dense", g)
	},
	Claims: []evidence.Claim{
		evidence.Beats("without fine-tuning the polarisation is worth a point", "consensus", "no polarisation", 1, "no polarisation", "no learning"),
		evidence.Near("and the network is within 5 points of the dense one", "consensus", "dense", 5, "no learning"),
	},
}
