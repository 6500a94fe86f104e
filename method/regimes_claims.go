package method

import (
	"context"
	"fmt"
	"math"

	"pare/dataset"
	"pare/engine"
	"pare/measure"
	"pare/prune"
)

// The snapshots and densities of the experiment.
var (
	regimesEpochs    = []string{"1", "4", "16", "64"}
	regimesDensities = []string{"0.05", "0.1", "0.2", "0.5"}
)

var regimesClaims = &Experiment{
	About: "Glyph(2, 0.8), 1,000 samples, MLP 64-64-64-64-64-10 trained 64 epochs of 50 steps, stopped after 1, 4, 16 and 64; each cut in every layer to a density, retrained 20 epochs in two orders. An MLP at a small rate has no barriers between its retrainings: the paper's three regimes need a residual network with batch normalisation at its full rate, and are not shown here. To see that a barrier would be: two networks from different initial weights under one mask.",
	Seeds: 8,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		tr, te := dataset.Glyph(2, .8, 1000, 2000, seed)
		b := &bench{&dataset.Data{Train: tr, Test: te, Norm: dataset.Raw}, seed}
		g, err := b.mlp(64, 64, 64, 64, 64, 10)
		if err != nil {
			return err
		}
		s := regimesDefaults()
		s.Sparsity, s.Densities, s.Grid, s.Epochs = .95, regimesDensities[1:], regimesEpochs, 20
		j := &Job{Graph: g, Data: b.data, Settings: s, Seed: seed, Engine: engine.Options{Threads: 1},
			Recipe: Recipe{Epochs: 64, Batch: 20, LR: .02, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 1e-4}}
		v, err := newSurvey(j)
		if err != nil {
			return err
		}
		dense, err := v.dense(ctx)
		if err != nil {
			return err
		}
		var last *cell
		for i, h := range dense {
			for k, d := range v.densities {
				if last, err = v.cell(ctx, h, v.values[i], d); err != nil {
					return err
				}
				at := fmt.Sprintf("epoch %2s, density %s", regimesEpochs[i], regimesDensities[k])
				put(at, 1-last.error)
				put("LMC (error), "+at, last.lmc)
				put("CKA, "+at, last.cka)
			}
		}
		lmc, err := v.strangers(ctx, last)
		put("LMC (error), strangers", lmc)
		return err
	},
	Claims: []Claim{
		{"the best snapshot at density 0.05 is not later than the best at 0.5, and there at most 0.5 points below the last one", func(v Values) (string, bool) {
			at := func(e, d string) float64 { return v.Mean(fmt.Sprintf("epoch %2s, density %s", e, d)) }
			best := func(d string) (k int) {
				for i, e := range regimesEpochs {
					if at(e, d) > at(regimesEpochs[k], d) {
						k = i
					}
				}
				return k
			}
			few, many := best("0.05"), best("0.5")
			gain := at(regimesEpochs[few], "0.05") - at("64", "0.05")
			return fmt.Sprintf("epoch %s (%+.1f pp) and epoch %s", regimesEpochs[few], 100*gain, regimesEpochs[many]), few <= many && gain >= -.005
		}},
		{"retrainings of one network are connected: |LMC| at most 0.015 everywhere, in the mean", func(v Values) (string, bool) {
			top := 0.0
			for _, e := range regimesEpochs {
				for _, d := range regimesDensities {
					top = max(top, math.Abs(v.Mean(fmt.Sprintf("LMC (error), epoch %2s, density %s", e, d))))
				}
			}
			return fmt.Sprintf("at most %.4f", top), top <= .015
		}},
		{"networks from different initial weights are not: LMC below -0.05 under one mask", func(v Values) (string, bool) {
			x := v.Mean("LMC (error), strangers")
			return fmt.Sprintf("%.3f", x), x < -.05
		}},
	},
}

// strangers is the connectivity between a retrained network and one that is
// trained from other initial weights under its mask.
func (v *survey) strangers(ctx context.Context, c *cell) (float64, error) {
	g, _ := c.net.Clone(true)
	if err := (prune.Init{Seed: v.Seed + otherSeed}).Apply(g); err != nil {
		return 0, err
	}
	ws, err := v.set.weights(g)
	if err != nil {
		return 0, err
	}
	k := *v.Job
	if _, err := k.Fit(ctx, g, &prune.Hold{Masks: &prune.Masks{Weights: ws, Mask: c.masks.Mask}}); err != nil {
		return 0, err
	}
	e, err := measure.Line(ctx, c.net, g, v.set.Points, v.Data.Train, v.Data.Norm, v.Recipe.Batch, v.Engine)
	if err != nil {
		return 0, err
	}
	lmc, _ := measure.Connectivity(e)
	return lmc, nil
}
