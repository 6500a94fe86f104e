package method

import (
	"context"
	"fmt"

	"pare/dataset"
	"pare/engine"
)

var scratchClaims = &Experiment{
	About: "Glyph(4, 0.6), MLP 64-200-100-10, SGD 0.03 with drops at 50 and 75 %, 20 epochs of 40 steps; a share of the hidden units of both layers stays, those of the largest L1 norm: without training, fine-tuned 5 epochs at 0.003, and from scratch for 20 epochs (E) or for as much computation (B, at most 80 epochs).",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed)
		g, err := b.mlp(64, 200, 100, 10)
		if err != nil {
			return err
		}
		recipe := Recipe{Epochs: 20, Batch: 50, LR: .03, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 1e-4}
		t := &trials{all: 1, Job: &Job{Graph: g, Data: &dataset.Data{Train: b.data.Train, Norm: b.data.Norm}, Recipe: recipe, Seed: seed, Engine: engine.Options{Threads: 1}}}
		if _, err := t.fit(ctx, recipe, g, nil, 0); err != nil {
			return err
		}
		a, err := b.accuracy(ctx, g)
		if err != nil {
			return err
		}
		put("dense", a)
		for _, q := range []float64{.7, .5, .3} {
			s := scratchDefaults()
			s.Arm, s.Keep, s.Tune, s.TuneLR, s.Most = "all", q, 5, .003, 4
			p, err := s.prune(t.Job)
			if err != nil {
				return err
			}
			if a, err = b.accuracy(ctx, p.graph); err != nil {
				return err
			}
			put(fmt.Sprintf("not-trained %.1f", q), a)
			for _, arm := range s.arms(recipe, p.ratio()) {
				c, _, err := p.start(arm, seed+otherSeed)
				if err != nil {
					return err
				}
				if _, err := t.fit(ctx, arm.recipe, c, nil, 0); err != nil {
					return err
				}
				if a, err = b.accuracy(ctx, c); err != nil {
					return err
				}
				put(fmt.Sprintf("%s %.1f", arm.name, q), a)
			}
		}
		return nil
	},
	Claims: []Claim{
		atLeast("half of the units: Scratch-E beats fine-tuning by a point", "Scratch-E 0.5", "fine-tuned 0.5", 1, false),
		atLeast("three tenths: Scratch-E beats fine-tuning by a point", "Scratch-E 0.3", "fine-tuned 0.3", 1, false),
		atLeast("seven tenths: Scratch-B is at most half a point below Scratch-E", "Scratch-B 0.7", "Scratch-E 0.7", -.5, false),
		atLeast("half: too", "Scratch-B 0.5", "Scratch-E 0.5", -.5, false),
		atLeast("three tenths: too", "Scratch-B 0.3", "Scratch-E 0.3", -.5, false),
		atLeast("half: Scratch-B beats fine-tuning in every seed", "Scratch-B 0.5", "fine-tuned 0.5", 0, true),
	},
}
