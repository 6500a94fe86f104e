package reproduce

import (
	"context"
	"fmt"
	"math"

	"pare/evidence"
	"pare/model"
	"pare/model/gradual"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
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
	About: "Glyph(4, 0.6), Adam 1.2e-3 cosine, 20 epochs of 40 steps, window 10-70 %, masks every 10 steps, the same sparsity in every layer: a large sparse MLP against a small dense one of as many weights, and against a random sparse one.",
	Seeds: 4,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed)
		recipe := model.Recipe{Epochs: 20, Batch: 50, LR: 1.2e-3, Schedule: "cosine", Optimizer: "adam"}
		for _, s := range []float64{0, .5, .75, .875, .95} {
			name := fmt.Sprintf("%.3f", s)
			g, err := b.mlp(64, 100, 50, 10)
			if err != nil {
				return err
			}
			nnz := int(math.Round(11900 * (1 - s)))
			if s == 0 {
				a, err := b.trained(ctx, g, recipe)
				if err != nil {
					return err
				}
				put("dense", a)
				continue
			}
			set := gradual.NewGMP()
			set.Sparsity, set.Every = s, 10
			a, err := b.prune(ctx, set, g, recipe)
			if err != nil {
				return err
			}
			put("large-sparse "+name, a)

			small, err := b.mlp(scaledMLP(nnz)...)
			if err != nil {
				return err
			}
			if a, err = b.trained(ctx, small, recipe); err != nil {
				return err
			}
			put("small-dense "+name, a)

			fresh, err := b.mlp(64, 100, 50, 10)
			if err != nil {
				return err
			}
			a, _, err = b.masked(ctx, fresh, recipe, func(ws []*prune.Weight) (*prune.Masks, error) {
				k, err := allocate.Uniform(ws, s)
				if err != nil {
					return nil, err
				}
				return allocate.Select(ws, score.Random(ws, seed), k, prune.CutFirst), nil
			})
			if err != nil {
				return err
			}
			put("random-sparse "+name, a)
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.AtLeast("at 50 % large-sparse beats small-dense by 4 points, in every seed", "large-sparse 0.500", "small-dense 0.500", 4, true),
		evidence.AtLeast("at 75 % large-sparse beats small-dense by 8 points, in every seed", "large-sparse 0.750", "small-dense 0.750", 8, true),
		evidence.AtLeast("at 87.5 % large-sparse beats small-dense by 6 points", "large-sparse 0.875", "small-dense 0.875", 6, false),
	},
}
