package reproduce

import (
	"context"
	"fmt"
	"math"

	"pare/evidence"
	"pare/model"
	"pare/model/atinit"
	"pare/model/gradual"
)

// scaledMLP is the MLP 64-a-b-10 of the proportions of 64-100-50-10 whose
// number of weights is nearest to n.
func scaledMLP(n int) []int {
	best, at := math.MaxInt, []int{64, 1, 1, 10}
	for a := 1; a <= 100; a++ {
		b := max(1, (a+1)/2)
		if d := max(64*a+a*b+10*b-n, n-64*a-a*b-10*b); d < best {
			best, at = d, []int{64, a, b, 10}
		}
	}
	return at
}

var gmp = &evidence.Experiment{
	ID: "65", Name: "gmp",
	About: "Glyph(4, 0.6), Adam 1.2e-3 cosine, 20 epochs of 40 steps, window 10-70 %, masks every 10 steps, the same sparsity in every layer: a large sparse MLP against a small dense one of as many weights; with random masks of the same counts, with a linear schedule, and with values that are kept.",
	Seeds: 24,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		recipe := model.Recipe{Epochs: 20, Batch: 50, LR: 1.2e-3, Schedule: "cosine", Optimizer: "adam"}
		large, err := b.glyphMLP()
		if err != nil {
			return err
		}
		for _, s := range []float64{.5, .75, .875} {
			at := fmt.Sprintf(" %.3f", s)
			set := func() *gradual.GMP {
				m := gradual.NewGMP()
				m.Sparsity, m.Every = s, 10
				return m
			}
			linear, keep, fixed := set(), set(), atinit.NewRandom()
			linear.Power, keep.Variant = 1, "keep"
			fixed.Sparsity, fixed.Allocate = s, "uniform"
			if err := b.arms(ctx, large, recipe, arm{"large-sparse" + at, set()}, arm{"linear" + at, linear}, arm{"kept values" + at, keep}, arm{"random masks" + at, fixed}); err != nil {
				return err
			}
			small, err := b.mlp(scaledMLP(int(math.Round(11900 * (1 - s))))...)
			if err != nil {
				return err
			}
			if err := b.trained(ctx, small, recipe); err != nil {
				return err
			}
			if err := b.dense(ctx, "small-dense"+at, small); err != nil {
				return err
			}
		}
		if err := b.trained(ctx, large, recipe); err != nil {
			return err
		}
		return b.dense(ctx, "large-dense", large)
	},
	Claims: []evidence.Claim{
		evidence.Beats("at 50 % large-sparse beats small-dense by 4 points", "large-sparse 0.500", "small-dense 0.500", 4, "random masks 0.500"),
		evidence.Beats("at 75 % large-sparse beats small-dense by 8 points", "large-sparse 0.750", "small-dense 0.750", 8, "random masks 0.750", "linear 0.750"),
		evidence.Beats("at 87.5 % large-sparse beats small-dense by 6 points", "large-sparse 0.875", "small-dense 0.875", 6, "random masks 0.875", "linear 0.875"),
	},
	Asks: []evidence.Comparison{
		{Text: "values that are gone, not kept", Method: "large-sparse 0.875", Without: "kept values 0.875"},
	},
}
