package reproduce

import (
	"context"
	"fmt"

	"pare/evidence"
	"pare/model"
	"pare/model/diagnose"
	"pare/zoo"
)

var regimes = &evidence.Experiment{
	ID: "30", Name: "regimes",
	About: "ResNet-8 on the digits (8x8), half as wide, trained 10 epochs at 0.1 with drops at 50 and 75 %, stopped after 3 and 10; each cut in every layer to densities of 0.02 and 0.3, retrained by the same recipe in two orders of the samples; at 0.02 the same with one order, and with the statistics of batch normalisation interpolated on the lines.",
	Seeds: 8,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b, err := digits(seed, put)
		if err != nil {
			return err
		}
		g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Width: .5, Seed: seed})
		if err != nil {
			return err
		}
		for _, a := range []struct {
			name            string
			oneOrder, stale bool
		}{{"", false, false}, {"one order, ", true, false}, {"stale, ", false, true}} {
			s := diagnose.NewRegimes()
			s.Sparsity, s.Grid, s.Points, s.OneOrder, s.AsIs = .98, []string{"3", "10"}, 5, a.oneOrder, a.stale
			if a.name == "" {
				s.Densities = []string{"0.3"}
			}
			res, err := model.Run(ctx, s, b.judged(g, model.Recipe{Epochs: 10, Batch: 50, LR: .1, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 1e-4}))
			if err != nil {
				return err
			}
			for _, c := range res.Facts.(*diagnose.Map).Cells {
				at := fmt.Sprintf("epoch %g, %sdensity %.2f", c.Value, a.name, c.Density)
				put("LMC (error), "+at, c.LMC)
				if c.CKA != nil {
					put("CKA, "+at, *c.CKA)
				}
				if a.name == "" {
					put(at, 1-c.Error)
				}
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		{Text: "at density 0.02 there is a barrier between retrainings: LMC at most -0.01", Method: "density 0.02", Without: []string{"one order, density 0.02", "density 0.30"}, Side: evidence.AtMost, Bound: -.01, Figure: connectivity},
		{Text: "it is told without what stale statistics of normalisation add: LMC at least -0.1", Method: "density 0.02", Without: []string{"stale, density 0.02"}, Side: evidence.AtLeast, Bound: -.1, Figure: connectivity},
		{Text: "at density 0.3 there is none: LMC at least -0.005", Method: "density 0.30", Without: []string{"density 0.02"}, Side: evidence.AtLeast, Bound: -.005, Figure: connectivity},
	},
	Asks: []evidence.Comparison{
		{Text: "hotter training (3 epochs, not 10) at density 0.02", Method: "epoch 3, density 0.02", Without: "epoch 10, density 0.02"},
	},
}

// connectivity is the linear mode connectivity at a density, the mean over the snapshots.
var connectivity = evidence.Figure{Of: func(v evidence.Values, arm string) []float64 {
	early, late := v["LMC (error), epoch 3, "+arm], v["LMC (error), epoch 10, "+arm]
	if len(early) != len(late) {
		return nil
	}
	var out []float64
	for i := range early {
		out = append(out, (early[i]+late[i])/2)
	}
	return out
}}
