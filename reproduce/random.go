package reproduce

import (
	"context"
	"fmt"

	"pare/evidence"
	"pare/model"
	"pare/model/atinit"
)

var random = &evidence.Experiment{
	ID: "33", Name: "random",
	About: "Glyph(4, 0.6), MLP 64-w-w-10 of widths 32 to 256, 12 epochs, a fifth of the weights at random places before training, spread by ERK or uniformly, against the dense network.",
	Seeds: 24,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		recipe := model.Recipe{Epochs: 12, Batch: 50, LR: .1, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}
		for _, width := range []int{32, 64, 128, 256} {
			g, err := b.mlp(64, width, width, 10)
			if err != nil {
				return err
			}
			at := fmt.Sprintf(" %03d", width)
			dense, erk, uniform := atinit.NewRandom(), atinit.NewRandom(), atinit.NewRandom()
			dense.Sparsity, dense.Allocate = 0, "uniform"
			erk.Sparsity, uniform.Sparsity, uniform.Allocate = .8, .8, "uniform"
			if err := b.arms(ctx, g, recipe, arm{"dense" + at, dense}, arm{"ERK" + at, erk}, arm{"uniform" + at, uniform}); err != nil {
				return err
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		{Text: "at width 256 random masks are at most 3.5 points below the dense network", Method: "ERK 256", Without: []string{"ERK 032", "ERK 064", "ERK 128"}, Side: evidence.AtMost, Bound: 3.5, Figure: gap},
		{Text: "and at width 64 at least 12: the gap is one of width", Method: "ERK 064", Without: []string{"ERK 256", "ERK 128"}, Side: evidence.AtLeast, Bound: 12, Figure: gap},
		evidence.Beats("at width 128 ERK beats the same share of every layer by 1 point", "ERK 128", "uniform 128", 1, "uniform 128"),
		evidence.Beats("at width 256 by half a point", "ERK 256", "uniform 256", .5, "uniform 256"),
	},
}

// gap is how much a network lacks of the dense one of its width.
var gap = evidence.Figure{Unit: "pp", Of: func(v evidence.Values, arm string) []float64 {
	if len(arm) < 4 {
		return nil
	}
	d := v.Diff("dense "+arm[len(arm)-3:], arm)
	for i := range d {
		d[i] *= 100
	}
	return d
}}
