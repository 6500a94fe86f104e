package reproduce

import (
	"context"

	"pare/evidence"
	"pare/model"
	"pare/model/oneshot"
	"pare/prune"
	"pare/prune/allocate"
	"pare/zoo"
)

// flat makes all curves alike: a share of a layer costs the same in all of them.
func flat(curves []allocate.Curve) {
	for _, c := range curves {
		for d := range c.Distortion {
			c.Distortion[d] = float64(d) / float64(len(c.Distortion))
		}
	}
}

var rd = &evidence.Experiment{
	ID: "28", Name: "rd",
	About: "ResNet-8 of half width on the digits (8x8), 15 epochs, cut once to 70 %, not fine-tuned: layer shares by rate-distortion curves (50 points, 512 training samples) against curves that are all alike, curves of 4 samples, the same share everywhere, ERK, LAMP and one ranking of all weights. Distortions are those of the output before softmax on other samples.",
	Seeds: 24,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b, err := digits(seed, put)
		if err != nil {
			return err
		}
		g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Width: .5, Seed: seed})
		if err != nil {
			return err
		}
		if err := b.trained(ctx, g, model.Recipe{Epochs: 15, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}); err != nil {
			return err
		}
		if err := b.dense(ctx, "dense", g); err != nil {
			return err
		}
		const s = .7
		set := func(samples int, other func([]allocate.Curve)) *oneshot.RD {
			m := oneshot.NewRD()
			m.Sparsity, m.Points, m.Samples, m.Other = s, 50, samples, other
			return m
		}
		by := func(a allocate.Name) *oneshot.Magnitude {
			m := oneshot.NewMagnitude()
			m.Sparsity, m.Allocate = s, a
			return m
		}
		j := b.job(g, model.Recipe{})
		j.Seed++
		probe, err := oneshot.NewRD().Probe(j)
		if err != nil {
			return err
		}
		ws, err := prune.Weights(j.Graph, prune.Scope{})
		if err != nil {
			return err
		}
		for _, a := range []arm{{"rd", set(512, nil)}, {"flat curves", set(16, flat)}, {"4 samples", set(4, nil)}, {"uniform", by("uniform")}, {"erk", by("erk")}, {"global", by("global")}, {"lamp", &oneshot.LAMP{Sparsity: s}}} {
			res, err := model.Run(ctx, a.m, b.job(g, model.Recipe{}))
			if err != nil {
				return err
			}
			if err := b.dense(ctx, a.name, res.Graph); err != nil {
				return err
			}
			x, err := probe.Distortion(ctx, &prune.Masks{Weights: ws, Mask: res.Masks.Mask})
			if err != nil {
				return err
			}
			put("(distortion) "+a.name, x)
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Beats("without fine-tuning it beats the same share everywhere by 5 points", "rd", "uniform", 5, "uniform", "flat curves"),
		{Text: "its distortion is at most 0.97 times that of one ranking of all weights", Method: "rd", Without: []string{"flat curves", "uniform"}, Side: evidence.AtMost, Bound: .97, Figure: evidence.Ratio("(distortion) ", "global")},
		{Text: "and at most 0.97 times that with curves of 4 samples", Method: "rd", Without: []string{"flat curves", "4 samples"}, Side: evidence.AtMost, Bound: .97, Figure: evidence.Ratio("(distortion) ", "4 samples")},
	},
	Asks: []evidence.Comparison{{Text: "512, not 4, samples", Method: "rd", Without: "4 samples"}},
}
