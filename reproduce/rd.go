package reproduce

import (
	"context"
	"fmt"

	"pare/dataset"
	"pare/evidence"
	"pare/model"
	"pare/model/oneshot"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
	"pare/zoo"
)

// rdArms are the ways to choose the shares of the layers, all by magnitude within
// a layer.
var rdArms = []struct {
	name string
	pick func(ws []*prune.Weight, sparsity float64, curves []allocate.Curve) (*prune.Masks, error)
}{
	{"uniform", func(ws []*prune.Weight, s float64, _ []allocate.Curve) (*prune.Masks, error) {
		k, err := allocate.Uniform(ws, s)
		if err != nil {
			return nil, err
		}
		return allocate.Select(ws, score.Magnitude(ws), k, prune.CutFirst), nil
	}},
	{"erk", func(ws []*prune.Weight, s float64, _ []allocate.Curve) (*prune.Masks, error) {
		k, err := allocate.ErdosRenyi(ws, s, true)
		if err != nil {
			return nil, err
		}
		return allocate.Select(ws, score.Magnitude(ws), k, prune.CutFirst), nil
	}},
	{"global", func(ws []*prune.Weight, s float64, _ []allocate.Curve) (*prune.Masks, error) {
		return allocate.Global(ws, score.Magnitude(ws), s, nil)
	}},
	{"lamp", func(ws []*prune.Weight, s float64, _ []allocate.Curve) (*prune.Masks, error) {
		return allocate.Global(ws, score.LAMP(ws), s, nil)
	}},
	{"rd", func(ws []*prune.Weight, s float64, curves []allocate.Curve) (*prune.Masks, error) {
		n := prune.Total(ws)
		k, err := oneshot.Shares(curves, n, s)
		if err != nil {
			return nil, err
		}
		return allocate.Select(ws, score.Magnitude(ws), k, prune.CutFirst), nil
	}},
}

// rdSparsities are those of the experiment.
var rdSparsities = []float64{.6, .7, .8}

var rd = &evidence.Experiment{
	ID: "28", Name: "rd",
	About: "ResNet-20 of half width on the digits (8x8), 15 epochs, cut once, not fine-tuned: layer shares by rate-distortion curves (100 points, 1,024 training samples) against the same share everywhere, ERK, LAMP and one ranking of all weights. Distortions are those of the output before softmax on the samples of the curves.",
	Seeds: 9,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		d, err := dataset.Open(fmt.Sprintf("digits?seed=%d", seed))
		if err != nil {
			return err
		}
		b := &bench{d, seed}
		g, err := zoo.New("resnet20", zoo.Options{In: []int{1, 8, 8}, Width: .5, Seed: seed})
		if err != nil {
			return err
		}
		if err := b.fit(ctx, g, model.Recipe{Epochs: 15, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}); err != nil {
			return err
		}
		a, err := b.accuracy(ctx, g)
		if err != nil {
			return err
		}
		put("dense", a)
		ws, err := prune.Weights(g, prune.Scope{})
		if err != nil {
			return err
		}
		p, err := oneshot.NewRD().Probe(b.job(g, model.Recipe{}))
		if err != nil {
			return err
		}
		curves, err := p.Curves(ctx, prune.Dense(ws), score.Magnitude(ws))
		if err != nil {
			return err
		}
		for _, s := range rdSparsities {
			for _, arm := range rdArms {
				cut, err := arm.pick(ws, s, curves)
				if err != nil {
					return err
				}
				x, err := p.Distortion(ctx, cut)
				if err != nil {
					return err
				}
				put(fmt.Sprintf("%s (distortion) %.1f", arm.name, s), x)
				h, _ := g.Clone(true)
				hw, err := prune.Weights(h, prune.Scope{})
				if err != nil {
					return err
				}
				(&prune.Masks{Weights: hw, Mask: cut.Mask}).Apply()
				if a, err = b.accuracy(ctx, h); err != nil {
					return err
				}
				put(fmt.Sprintf("%s %.1f", arm.name, s), a)
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		{Text: "at 80 %, without fine-tuning, rate-distortion beats one ranking of all weights, and that the same share everywhere, in two thirds of the seeds", Check: func(v evidence.Values) (string, bool) {
			n, d := 0, v.Diff("rd 0.8", "global 0.8")
			for i, x := range v.Diff("global 0.8", "uniform 0.8") {
				if x > 0 && d[i] > 0 {
					n++
				}
			}
			return fmt.Sprintf("%d of %d seeds, %s", n, len(d), evidence.Points(d)), n > 0 && 3*n >= 2*len(d)
		}},
		{Text: "its distortion is the lowest of all at 60, 70 and 80 %, in every seed", Check: func(v evidence.Values) (string, bool) {
			n, of := 0, 0
			for _, s := range rdSparsities {
				for i, x := range v[fmt.Sprintf("rd (distortion) %.1f", s)] {
					lowest := true
					for _, arm := range rdArms {
						lowest = lowest && x <= v[fmt.Sprintf("%s (distortion) %.1f", arm.name, s)][i]
					}
					if of++; lowest {
						n++
					}
				}
			}
			return fmt.Sprintf("%d of %d", n, of), n == of && n > 0
		}},
	},
}
