package reproduce

import (
	"context"
	"fmt"
	"math"

	"pare/dataset"
	"pare/engine"
	"pare/evidence"
	"pare/model"
	"pare/model/gradual"
	"pare/scaling"
	"pare/train"
)

const (
	longSteps = 3000
	longBatch = 50
	longWidth = 120
)

// prunable is the number of weights of the MLP 64-h-h/2-10.
func prunable(h int) int { return 64*h + h*(h/2) + h/2*10 }

// widthOf is the h whose MLP has about n weights.
func widthOf(n float64) int {
	best := 2
	for h := 2; h <= 2*longWidth; h++ {
		if math.Abs(float64(prunable(h))-n) < math.Abs(float64(prunable(best))-n) {
			best = h
		}
	}
	return best
}

var pretraining = &evidence.Experiment{
	ID: "68", Name: "pretrain",
	About: "MLP 64-h-h/2-10 on Glyph(6, 0.6), fresh samples in each of 3,000 steps of 50, Adam 2e-3 cosine, all layers ranked together, masks every 20 steps, windows in steps: from h = 120 half, or three quarters, of the weights are cut from 25 to 75 % of the training, from 0 to 25 %, from 50 to 100 %, or at once at 99 %; beside dense networks of as many weights as the first has on average, and as it has in the end. Loss on 2,000 test samples. The law is fitted to 15 dense trainings, of five widths and 1,000 to 3,000 steps, and foretells the sparse one by its average number of weights, or by its final one.",
	Seeds: 28,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		tr, te := dataset.Glyph(6, .6, longSteps*longBatch, 2000, seed)
		b := &bench{&dataset.Data{Train: tr, Test: te, Norm: dataset.Raw}, seed, put}
		loss := func(name string, h, steps int, w scaling.Window) (float64, error) {
			g, err := b.mlp(64, h, h/2, 10)
			if err != nil {
				return 0, err
			}
			s := gradual.NewSparsePretraining()
			s.Sparsity, s.Begin, s.End, s.Unit, s.Allocate = w.Sparsity, w.Begin, w.End, "tokens", "global"
			j := b.job(g, model.Recipe{Epochs: 1, Batch: longBatch, LR: 2e-3, Schedule: "cosine", Optimizer: "adam"})
			j.Data.Train = b.data.Train.Draw(steps*longBatch, seed)
			res, err := model.Run(ctx, s, j)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", name, err)
			}
			m, err := train.NewEval(b.data.Test, b.data.Norm, 200, engine.Options{Threads: 1}).Run(ctx, res.Graph)
			if err == nil && name != "" {
				put("(loss) "+name, m.Loss)
			}
			return m.Loss, err
		}
		half := 0.
		for _, sparsity := range []float64{.5, .75} {
			at := fmt.Sprintf(" %.2f", sparsity)
			middle := scaling.Window{Begin: .25, End: .75, Sparsity: sparsity, Power: 3}
			n := float64(prunable(longWidth))
			for _, a := range []struct {
				name string
				h    int
				w    scaling.Window
			}{{"25-75", longWidth, middle}, {"0-25", longWidth, scaling.Window{End: .25, Sparsity: sparsity}}, {"50-100", longWidth, scaling.Window{Begin: .5, End: 1, Sparsity: sparsity}},
				{"at once", longWidth, scaling.Window{Begin: .99, End: 1, Sparsity: sparsity}}, {"dense average", widthOf(n * middle.Average()), scaling.Window{}}, {"dense final", widthOf(n * (1 - sparsity)), scaling.Window{}}} {
				x, err := loss(a.name+at, a.h, longSteps, a.w)
				if err != nil {
					return err
				}
				if a.name == "25-75" && sparsity == .5 {
					half = x
				}
			}
		}
		var runs []scaling.Run
		for _, h := range []int{40, 60, 80, 100, 120} {
			for _, steps := range []int{1000, 1700, 3000} {
				x, err := loss("", h, steps, scaling.Window{})
				if err != nil {
					return err
				}
				runs = append(runs, scaling.Run{N: float64(prunable(h)), Final: float64(prunable(h)), Tokens: float64(steps * longBatch), Loss: x})
			}
		}
		law, err := scaling.Fit(ctx, runs, scaling.Options{Resample: -1, Seed: seed})
		if err != nil {
			return err
		}
		n := float64(prunable(longWidth))
		for name, x := range map[string]float64{"average": n * (scaling.Window{Begin: .25, End: .75, Sparsity: .5, Power: 3}).Average(), "final": n * .5, "first": n} {
			put("(foretold) by the "+name, law.Loss(x, longSteps*longBatch)/half)
		}
		return nil
	},
	Claims: []evidence.Claim{
		{Text: "at half the weights, cut from 25 to 75 %, it is at most 20 % above the dense network of as many weights as it had on average", Method: "25-75 0.50", Without: []string{"0-25 0.50", "50-100 0.50", "at once 0.50"}, Side: evidence.AtMost, Bound: 1.2, Figure: evidence.Ratio("(loss) ", "dense average 0.50")},
		{Text: "and at four fifths of the loss of the dense one of as many as it has in the end, or less", Method: "25-75 0.50", Without: []string{"0-25 0.50", "at once 0.50"}, Side: evidence.AtMost, Bound: .8, Figure: evidence.Ratio("(loss) ", "dense final 0.50")},
		{Text: "at a quarter of the weights too it is a tenth below that one", Method: "25-75 0.75", Without: []string{"50-100 0.75", "at once 0.75"}, Side: evidence.AtMost, Bound: .9, Figure: evidence.Ratio("(loss) ", "dense final 0.75")},
		{Text: "the law of dense networks foretells its loss by the average number of weights within 10 %", Method: "by the average", Without: []string{"by the final", "by the first"}, Side: evidence.Within, Bound: .1, Figure: beside("(foretold) ")},
	},
}

// beside is how far a ratio is from 1.
func beside(prefix string) evidence.Figure {
	return evidence.Figure{Of: func(v evidence.Values, arm string) (out []float64) {
		for _, x := range v[prefix+arm] {
			out = append(out, x-1)
		}
		return out
	}}
}
