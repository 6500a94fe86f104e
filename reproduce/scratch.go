package reproduce

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/stat"

	"pare/evidence"
	"pare/model"
	"pare/model/diagnose"
)

var scratch = &evidence.Experiment{
	ID: "11", Name: "scratch",
	About: "Glyph(4, 0.6), MLP 64-200-100-10, SGD 0.03 with drops at 50 and 75 %, 20 epochs of 40 steps; a share of the hidden units of both layers stays, those of the largest L1 norm: without training, fine-tuned as the paper does (5 epochs at 0.003) and for as many epochs and at the rate of the training from scratch, and from scratch for 20 epochs (E) or for as much computation (B, at most 80 epochs). Means of two runs. That inherited weights do not help is not so here: with equal budgets they do.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := b.mlp(64, 200, 100, 10)
		if err != nil {
			return err
		}
		recipe := model.Recipe{Epochs: 20, Batch: 50, LR: .03, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 1e-4}
		if err := b.trained(ctx, g, recipe); err != nil {
			return err
		}
		for _, q := range []float64{.5, .3} {
			for _, equal := range []bool{false, true} {
				s := diagnose.NewScratch()
				s.Arm, s.Keep, s.Tune, s.TuneLR, s.Most, s.Runs = "all", q, 5, .003, 4, 2
				if equal {
					s.Arm, s.Tune, s.TuneLR = "finetuned", 20, .03
				}
				res, err := model.Run(ctx, s, b.judged(g, recipe))
				if err != nil {
					return err
				}
				f := res.Facts.(*diagnose.ScratchFacts)
				for _, a := range f.Arms {
					name := a.Name
					if equal {
						name = "tuned as long"
					}
					put(fmt.Sprintf("%s %.1f", name, q), stat.Mean(a.Values, nil))
				}
				if !equal {
					put(fmt.Sprintf("not-trained %.1f", q), f.NotTrained.Value)
					if q == .5 {
						put("dense", f.Dense.Value)
					}
				}
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Beats("half of the units: Scratch-E beats the paper's fine-tuning by 3 points", "Scratch-E 0.5", "fine-tuned 0.5", 3, "fine-tuned 0.5", "not-trained 0.5"),
		evidence.Beats("three tenths: by 10 points", "Scratch-E 0.3", "fine-tuned 0.3", 10, "fine-tuned 0.3", "not-trained 0.3"),
		evidence.Beats("three tenths: as much computation (B) is worth half a point above as many epochs (E)", "Scratch-B 0.3", "Scratch-E 0.3", .5, "Scratch-E 0.3"),
		{Text: "half of the units: fine-tuned for as many epochs at that rate, which the paper does not do, a network is three quarters of a point above Scratch-E, which has no inherited weights", Method: "Scratch-E 0.5", Without: []string{"tuned as long 0.5"},
			Side: evidence.AtMost, Bound: -.75, Figure: evidence.Over("tuned as long 0.5")},
	},
	Asks: []evidence.Comparison{
		{Text: "weights drawn anew, half of the units, with equal epochs and rate", Method: "Scratch-E 0.5", Without: "tuned as long 0.5"},
		{Text: "weights drawn anew, three tenths, with equal epochs and rate", Method: "Scratch-E 0.3", Without: "tuned as long 0.3"},
	},
}
