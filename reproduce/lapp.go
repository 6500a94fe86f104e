package reproduce

import (
	"context"

	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/structured"
	"pare/prune/structure"
	"pare/zoo"
)

var lapp = &evidence.Experiment{
	ID: "03", Name: "lapp",
	About: "An untrained network of five convolutions (8 to 32 channels) with batch normalisation on Glyph(4, 0.6), 12 epochs of batch 50 at 0.1 cosine, a quarter of the multiply-accumulates left: thresholds that are learned in the first 4 epochs, none (one shift for all layers at the same time), thresholds with light branches, and the same share of every layer cut by the norm of the filters before the training.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := zoo.New("cnn-8", zoo.Options{In: []int{1, 8, 8}, Seed: seed})
		if err != nil {
			return err
		}
		learned, still, branches, even := structured.NewLAPP(), structured.NewLAPP(), structured.NewLAPP(), structured.NewChannels()
		still.ThresholdLR, branches.Bypass, even.Even = 0, "beside", true
		for _, t := range []*model.ChannelTarget{&learned.ChannelTarget, &still.ChannelTarget, &branches.ChannelTarget, &even.ChannelTarget} {
			t.MACs, t.Round = .25, 1
		}
		even.Rate = func(g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
			return structure.Filters(g, groups), false, nil
		}
		r := model.Recipe{Epochs: 12, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}
		if err := b.arms(ctx, g, r, arm{"lapp", learned}, arm{"no thresholds", still}, arm{"branches", branches}, arm{"uniform", even}); err != nil {
			return err
		}
		res, err := model.Run(ctx, learned, b.job(g, r))
		if err != nil {
			return err
		}
		put("spread", res.Facts.(*structured.LAPPFacts).Spread)
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Beats("thresholds of their own are worth 2 points over a common one", "lapp", "no thresholds", 2, "no thresholds", "branches"),
	},
	Asks: []evidence.Comparison{
		{Text: "channels that training decides, not the same share of every layer", Method: "lapp", Without: "uniform"},
		{Text: "light branches, at as many multiply-accumulates", Method: "branches", Without: "lapp"},
	},
}
