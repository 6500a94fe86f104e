package reproduce

import (
	"context"
	"fmt"

	"pare/evidence"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
)

var globalMP = &evidence.Experiment{
	ID: "08", Name: "global-mp",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), trained 15 epochs, pruned once, fine-tuned 10 epochs: global ranking against the same sparsity in every layer, and against random masks with the layer counts of the global ranking.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed)
		g, err := b.mlp(64, 100, 50, 10)
		if err != nil {
			return err
		}
		dense := model.Recipe{Epochs: 15, Batch: 50, LR: .1, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}
		tune := model.Recipe{Epochs: 10, Batch: 50, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}
		if err := b.fit(ctx, g, dense); err != nil {
			return err
		}
		a, err := b.accuracy(ctx, g)
		if err != nil {
			return err
		}
		put("dense", a)
		for _, s := range []float64{.8, .9, .95, .98} {
			var global *prune.Masks
			arms := []struct {
				name string
				pick func(ws []*prune.Weight) (*prune.Masks, error)
			}{
				{"global", func(ws []*prune.Weight) (*prune.Masks, error) {
					return allocate.Global(ws, score.Magnitude(ws), s, nil)
				}},
				{"uniform", func(ws []*prune.Weight) (*prune.Masks, error) {
					k, err := allocate.Uniform(ws, s)
					if err != nil {
						return nil, err
					}
					return allocate.Select(ws, score.Magnitude(ws), k, prune.CutFirst), nil
				}},
				{"random", func(ws []*prune.Weight) (*prune.Masks, error) {
					return allocate.Shuffle(&prune.Masks{Weights: ws, Mask: global.Mask}, seed), nil
				}},
			}
			for _, arm := range arms {
				a, m, err := b.masked(ctx, g, tune, arm.pick)
				if err != nil {
					return err
				}
				if arm.name == "global" {
					global = m
				}
				put(fmt.Sprintf("%s %.2f", arm.name, s), a)
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.AtLeast("at 90 % global beats uniform by 2 points", "global 0.90", "uniform 0.90", 2, false),
		evidence.AtLeast("at 95 % global beats uniform by 2 points", "global 0.95", "uniform 0.95", 2, false),
		evidence.AtLeast("at 80 % global beats random by 15 points", "global 0.80", "random 0.80", 15, false),
		evidence.AtLeast("at 90 % global beats random by 15 points", "global 0.90", "random 0.90", 15, false),
		evidence.AtLeast("at 95 % global beats random by 15 points", "global 0.95", "random 0.95", 15, false),
	},
}
