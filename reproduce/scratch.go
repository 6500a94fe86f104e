package reproduce

import (
	"context"
	"fmt"
	"pare/evidence"
	"pare/model"
	"pare/model/diagnose"
)

var scratch = &evidence.Experiment{
	ID: "11", Name: "scratch",
	About: "Glyph(4, 0.6), MLP 64-200-100-10, SGD 0.03 with drops at 50 and 75 %, 20 epochs of 40 steps; a share of the hidden units of both layers stays, those of the largest L1 norm: without training, fine-tuned 5 epochs at 0.003, and from scratch for 20 epochs (E) or for as much computation (B, at most 80 epochs).",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed)
		g, err := b.mlp(64, 200, 100, 10)
		if err != nil {
			return err
		}
		recipe := model.Recipe{Epochs: 20, Batch: 50, LR: .03, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 1e-4}
		a, err := b.trained(ctx, g, recipe)
		if err != nil {
			return err
		}
		put("dense", a)
		for _, q := range []float64{.7, .5, .3} {
			s := diagnose.NewScratch()
			s.Arm, s.Keep, s.Tune, s.TuneLR, s.Most = "all", q, 5, .003, 4
			p, err := s.Prune(b.job(g, recipe))
			if err != nil {
				return err
			}
			if a, err = b.accuracy(ctx, p.Graph); err != nil {
				return err
			}
			put(fmt.Sprintf("not-trained %.1f", q), a)
			for _, arm := range s.Arms(recipe, p.Ratio()) {
				c, _, err := p.Start(arm, seed+1<<32)
				if err != nil {
					return err
				}
				if a, err = b.trained(ctx, c, arm.Recipe); err != nil {
					return err
				}
				put(fmt.Sprintf("%s %.1f", arm.Name, q), a)
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.AtLeast("half of the units: Scratch-E beats fine-tuning by a point", "Scratch-E 0.5", "fine-tuned 0.5", 1, false),
		evidence.AtLeast("three tenths: Scratch-E beats fine-tuning by a point", "Scratch-E 0.3", "fine-tuned 0.3", 1, false),
		evidence.AtLeast("seven tenths: Scratch-B is at most half a point below Scratch-E", "Scratch-B 0.7", "Scratch-E 0.7", -.5, false),
		evidence.AtLeast("half: too", "Scratch-B 0.5", "Scratch-E 0.5", -.5, false),
		evidence.AtLeast("three tenths: too", "Scratch-B 0.3", "Scratch-E 0.3", -.5, false),
		evidence.AtLeast("half: Scratch-B beats fine-tuning in every seed", "Scratch-B 0.5", "fine-tuned 0.5", 0, true),
	},
}
