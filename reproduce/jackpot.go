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
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), trained 15 epochs and frozen: the magnitude mask, and masks searched for 15 epochs of 40 steps, scores at a rate of 0.1, and for 3 epochs at 0.01, at which the start is not forgotten; from a random start, and with short restriction. The classifier is searched too.",
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
		for _, x := range []float64{.8, .9} {
			at := fmt.Sprintf(" %.2f", x)
			cut := oneshot.NewGlobalMP()
			cut.Sparsity = x
			if err := b.arms(ctx, g, model.Recipe{}, arm{"magnitude" + at, cut}); err != nil {
				return err
			}
			for _, a := range []struct {
				name     string
				epochs   int
				restrict float64
				start    string
				rate     float64
			}{{"search 15", 15, 0, "magnitude", .1}, {"restricted 15", 15, 4, "magnitude", .1},
				{"search 3", 3, 0, "magnitude", .01}, {"restricted 3", 3, 4, "magnitude", .01}, {"random start 3", 3, 0, "random", .01}} {
				s := learned.NewJackpot()
				s.Sparsity, s.Classifier, s.Restrict, s.MaskStart, s.ScoreLR = x, true, a.restrict, a.start, a.rate
				if err := b.arms(ctx, g, model.Recipe{Epochs: a.epochs, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd"}, arm{a.name + at, s}); err != nil {
					return err
				}
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Beats("at 80 % 3 epochs of search beat the magnitude mask by 12 points", "search 3 0.80", "magnitude 0.80", 12, "magnitude 0.80", "random start 3 0.80"),
		evidence.Beats("at 90 % by 18 points", "search 3 0.90", "magnitude 0.90", 18, "magnitude 0.90", "random start 3 0.90"),
		evidence.Beats("at 80 % 15 epochs beat it by 20 points", "search 15 0.80", "magnitude 0.80", 20, "magnitude 0.80", "random start 3 0.80"),
		evidence.Beats("at 90 % by 28 points", "search 15 0.90", "magnitude 0.90", 28, "magnitude 0.90", "random start 3 0.90"),
	},
	Asks: []evidence.Comparison{
		{Text: "short restriction, 15 epochs at a rate of 0.1", Method: "restricted 15 0.90", Without: "search 15 0.90"},
		{Text: "short restriction, 3 epochs at a rate of 0.01", Method: "restricted 3 0.90", Without: "search 3 0.90"},
	},
}
