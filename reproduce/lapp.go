package reproduce

import (
	"context"

	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/structured"
	"pare/prune/structure"
	"pare/train"
	"pare/zoo"
)

var lapp = &evidence.Experiment{
	ID: "03", Name: "lapp",
	About: "An untrained network of five convolutions (8 to 32 channels) with batch normalisation on Glyph(4, 0.6), 12 epochs of batch 50 at 0.1 cosine, a quarter of the multiply-accumulates left. Channels are decided late, in 11 of the epochs, by thresholds that are learned while the target falls, and by none (at once, by one shift for all layers); and early, in 4 of them, by thresholds and by thresholds beside light branches; or before the training, the same share of every layer, by the norm of the filters.",
	Seeds: 6,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := zoo.New("cnn-8", zoo.Options{In: []int{1, 8, 8}, Seed: seed})
		if err != nil {
			return err
		}
		r := model.Recipe{Epochs: 12, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}
		late, once, early, branches := structured.NewLAPP(), structured.NewLAPP(), structured.NewLAPP(), structured.NewLAPP()
		late.Until, once.Until, once.ThresholdLR, branches.Bypass = train.Share(.9), train.Share(.9), 0, "beside"
		for _, m := range []*structured.LAPP{late, once, early, branches} {
			m.MACs, m.Round = .25, 1
		}
		even := structured.NewChannels()
		even.MACs, even.Round, even.Even = .25, 1, true
		even.Rate = func(g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
			return structure.Filters(g, groups), false, nil
		}
		return b.arms(ctx, g, r, arm{"late", late}, arm{"late, at once", once}, arm{"early", early}, arm{"early, branches", branches}, arm{"uniform", even})
	},
	Claims: []evidence.Claim{
		evidence.Beats("with one epoch left, thresholds that are learned beat a cut at once by 20 points", "late", "late, at once", 20, "late, at once"),
	},
	Asks: []evidence.Comparison{
		{Text: "channels that training decides, not the same share of every layer", Method: "early", Without: "uniform"},
		{Text: "light branches, at as many multiply-accumulates", Method: "early, branches", Without: "early"},
	},
}
