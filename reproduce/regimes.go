package reproduce

import (
	"context"
	"fmt"
	"math"

	"pare/dataset"
	"pare/engine"
	"pare/evidence"
	"pare/measure"
	"pare/model"
	"pare/model/diagnose"
	"pare/prune"
	"pare/prune/hook"
	"pare/zoo"
)

// The snapshots and densities of the experiment.
var (
	regimesEpochs    = []string{"1", "4", "16", "64"}
	regimesDensities = []string{"0.05", "0.1", "0.2", "0.5"}
)

var regimes = &evidence.Experiment{
	ID: "30", Name: "regimes",
	About: "Glyph(2, 0.8), 1,000 samples, MLP 64-64-64-64-64-10 trained 64 epochs of 50 steps, stopped after 1, 4, 16 and 64; each cut in every layer to a density, retrained 20 epochs in two orders. To see that a barrier would be: two networks from different initial weights under one mask. An MLP at a small rate has no barriers between its retrainings, so load is shown by ResNet-8 on the digits, trained and retrained 15 epochs at rate 0.1. That hotter training is better at low density is not shown: the last snapshot is best, or as good as the best; the paper's map took ResNet-20 on CIFAR-10.",
	Seeds: 8,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		tr, te := dataset.Glyph(2, .8, 1000, 2000, seed)
		b := &bench{&dataset.Data{Train: tr, Test: te, Norm: dataset.Raw}, seed}
		g, err := b.mlp(64, 64, 64, 64, 64, 10)
		if err != nil {
			return err
		}
		s := diagnose.NewRegimes()
		s.Sparsity, s.Densities, s.Grid, s.Epochs = .95, regimesDensities[1:], regimesEpochs, 20
		j := &model.Job{Graph: g, Data: b.data, Seed: seed, Engine: engine.Options{Threads: 1},
			Recipe: model.Recipe{Epochs: 64, Batch: 20, LR: .02, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 1e-4}}
		v, err := diagnose.NewSurvey(j, s)
		if err != nil {
			return err
		}
		dense, err := v.Dense(ctx)
		if err != nil {
			return err
		}
		var last *diagnose.Cell
		for i, h := range dense {
			for k, d := range v.Densities {
				if last, err = v.Cell(ctx, h, v.Values[i], d); err != nil {
					return err
				}
				at := fmt.Sprintf("epoch %2s, density %s", regimesEpochs[i], regimesDensities[k])
				put(at, 1-last.Error)
				put("LMC (error), "+at, last.LMC)
				if last.CKA != nil {
					put("CKA, "+at, *last.CKA)
				}
			}
		}
		lmc, err := strangers(ctx, j, s, last)
		if err != nil {
			return err
		}
		put("LMC (error), strangers", lmc)
		return loads(ctx, seed, put)
	},
	Claims: []evidence.Claim{
		{Text: "the best snapshot at density 0.05 is not later than the best at 0.5, and there at most 0.5 points below the last one", Check: func(v evidence.Values) (string, bool) {
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
		{Text: "retrainings of one network are connected: |LMC| at most 0.015 everywhere, in the mean", Check: func(v evidence.Values) (string, bool) {
			top := 0.0
			for _, e := range regimesEpochs {
				for _, d := range regimesDensities {
					top = max(top, math.Abs(v.Mean(fmt.Sprintf("LMC (error), epoch %2s, density %s", e, d))))
				}
			}
			return fmt.Sprintf("at most %.4f", top), top <= .015
		}},
		{Text: "networks from different initial weights are not: LMC below -0.05 under one mask", Check: func(v evidence.Values) (string, bool) {
			x := v.Mean("LMC (error), strangers")
			return fmt.Sprintf("%.3f", x), x < -.05
		}},
		{Text: "ResNet-8 is in regime I at density 0.02 and in II at 0.3 (LMC below -0.01, and not), in the mean", Check: func(v evidence.Values) (string, bool) {
			low, high := v.Mean("LMC (error), ResNet-8, density 0.02"), v.Mean("LMC (error), ResNet-8, density 0.3")
			return fmt.Sprintf("LMC %.3f and %.3f", low, high), low < -.01 && high >= -.01
		}},
	},
}

// loads is the connectivity of a residual network under a high and a low load.
func loads(ctx context.Context, seed uint64, put func(string, float64)) error {
	d, err := dataset.Open(fmt.Sprintf("digits?seed=%d", seed))
	if err != nil {
		return err
	}
	b := &bench{d, seed}
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: seed})
	if err != nil {
		return err
	}
	s := diagnose.NewRegimes()
	j := &model.Job{Graph: g, Data: d, Seed: seed, Engine: engine.Options{Threads: 1},
		Recipe: model.Recipe{Epochs: 15, Batch: 50, LR: .1, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 1e-4}}
	v, err := diagnose.NewSurvey(j, s)
	if err != nil {
		return err
	}
	if err := b.fit(ctx, g, j.Recipe); err != nil {
		return err
	}
	for _, x := range []float64{.02, .3} {
		c, err := v.Cell(ctx, g, float64(j.Recipe.Epochs), x)
		if err != nil {
			return err
		}
		put(fmt.Sprintf("LMC (error), ResNet-8, density %v", x), c.LMC)
		put(fmt.Sprintf("ResNet-8, density %v", x), 1-c.Error)
	}
	return nil
}

// strangers is the connectivity between a retrained network and one that is
// trained from other initial weights under its mask.
func strangers(ctx context.Context, j *model.Job, s *diagnose.Regimes, c *diagnose.Cell) (float64, error) {
	g, _ := c.Net.Clone(true)
	if err := (prune.Init{Seed: j.OtherSeed(1)}).Apply(g); err != nil {
		return 0, err
	}
	ws, err := s.Weights(g)
	if err != nil {
		return 0, err
	}
	if _, err := j.Fit(ctx, g, &hook.Hold{Masks: &prune.Masks{Weights: ws, Mask: c.Masks.Mask}}); err != nil {
		return 0, err
	}
	e, err := measure.Line(ctx, c.Net, g, s.Points, j.Data.Train, j.Data.Norm, j.Recipe.Batch, j.Engine)
	if err != nil {
		return 0, err
	}
	lmc, _ := measure.Connectivity(e)
	return lmc, nil
}
