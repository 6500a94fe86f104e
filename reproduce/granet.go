package reproduce

import (
	"context"

	"pare/evidence"
	"pare/model"
	"pare/model/atinit"
	"pare/model/gradual"
)

var granet = &evidence.Experiment{
	ID: "14", Name: "granet",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6) to 95 % sparsity, SGD 0.05 cosine, 80 epochs of 40 steps: from 90 % sparse, masks every 100 steps, exchange of one half, with growth by gradient, at random and without exchange; from half sparse, masks every 200 steps, exchange of 0.3, the same and along a linear schedule; static keeps random masks. That the exchange helps from half sparse is not shown: what the rising sparsity cuts is chosen well enough.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := b.glyphMLP()
		if err != nil {
			return err
		}
		set := func(initial, exchange float64, every int, grow string) *gradual.GraNet {
			s := gradual.NewGraNet()
			s.Sparsity, s.Initial, s.Exchange, s.Every, s.Grow = .95, initial, exchange, every, grow
			return s
		}
		linear, static := set(.5, .3, 200, "gradient"), atinit.NewRandom()
		linear.Power, static.Sparsity = 1, .95
		return b.arms(ctx, g, model.Recipe{Epochs: 80, Batch: 50, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4},
			arm{"GraNet", set(.9, .5, 100, "gradient")}, arm{"random growth", set(.9, .5, 100, "random")}, arm{"no exchange", set(.9, 0, 100, "gradient")},
			arm{"GraNet from half", set(.5, .3, 200, "gradient")}, arm{"random growth from half", set(.5, .3, 200, "random")},
			arm{"no exchange from half", set(.5, 0, 200, "gradient")}, arm{"linear from half", linear}, arm{"static", static})
	},
	Claims: []evidence.Claim{
		evidence.Beats("from 90 % sparse the exchange is worth 6 points", "GraNet", "no exchange", 6, "no exchange", "random growth"),
		evidence.Beats("growth by gradient is worth 4 points", "GraNet", "random growth", 4, "random growth", "no exchange"),
		evidence.Beats("from half sparse the cubic is worth 1.5 points against a line", "GraNet from half", "linear from half", 1.5, "linear from half", "static"),
		evidence.Beats("from half sparse it beats static random masks by 15 points", "GraNet from half", "static", 15, "static"),
	},
	Asks: []evidence.Comparison{
		{Text: "exchange, from half sparse", Method: "GraNet from half", Without: "no exchange from half"},
		{Text: "growth by gradient, from half sparse", Method: "GraNet from half", Without: "random growth from half"},
	},
}
