package reproduce

import (
	"context"
	"errors"
	"fmt"
	"math"

	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/atinit"
	"pare/model/rewrite"
	"pare/sharing"
	"pare/train"

	"gonum.org/v1/gonum/floats"
)

// ends puts the accuracy of an arm; a run that diverges is at chance.
func (b *bench) ends(ctx context.Context, g *graph.Graph, r model.Recipe, a arm) error {
	err := b.arms(ctx, g, r, a)
	if errors.Is(err, train.ErrDiverged) {
		b.put(a.name, .1)
		return nil
	}
	return err
}

// initialScales are those of the array that the experiment compares.
var initialScales = []float64{.005, .05, .5}

var share = &evidence.Experiment{
	ID: "01", Name: "share",
	About: "Glyph(4, 0.6), MLP 64-100-50-10, sgd 0.05 cosine, momentum 0.9, 20 epochs: weights that read from an array of 100, 10 and 5 % of their number, against HashedNet's mapping, a random sparse network (ERK) of as many weights and a small dense one; and the array's initial scale s0 at 10 %: as it is, without the scaler of gradients, and without the scale of the tensors.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		r := model.Recipe{Epochs: 20, Batch: 50, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9}
		g, err := b.glyphMLP()
		if err != nil {
			return err
		}
		for _, c := range []float64{1, .1, .05} {
			at := fmt.Sprintf(" %.2f", c)
			fold, hashed, sparse := rewrite.NewShare(), rewrite.NewShare(), atinit.NewRandom()
			fold.Budget, hashed.Budget, hashed.Mapper, sparse.Sparsity = c, c, sharing.Hashed, 1-c
			sparseName := "random-sparse"
			if c == 1 {
				sparseName = "dense"
			}
			if err := b.arms(ctx, g, r, arm{"share" + at, fold}, arm{"hashed" + at, hashed}, arm{sparseName + at, sparse}); err != nil {
				return err
			}
			if c == 1 {
				continue
			}
			small, err := b.mlp(scaledMLP(int(math.Round(11900 * c)))...)
			if err != nil {
				return err
			}
			if err := b.trained(ctx, small, r); err != nil {
				return err
			}
			if err := b.dense(ctx, "small-dense"+at, small); err != nil {
				return err
			}
		}
		for _, s0 := range initialScales {
			scaled, plain, flat := rewrite.NewShare(), rewrite.NewShare(), rewrite.NewShare()
			scaled.InitScale, plain.InitScale, flat.InitScale = s0, s0, s0
			plain.Scaler, flat.Scale = "none", func([]float32) float64 { return s0 / math.Sqrt(3) }
			for _, a := range []arm{{"share", scaled}, {"no scaler", plain}, {"no scales", flat}} {
				if err := b.ends(ctx, g, r, arm{fmt.Sprintf("%s, s0 %v", a.name, s0), a.m}); err != nil {
					return err
				}
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Near("at a budget of 1 within 1.5 points of the dense network", "share 1.00", "dense 1.00", 1.5, "hashed 1.00"),
		evidence.Beats("and 1 point above HashedNet", "share 1.00", "hashed 1.00", 1, "hashed 1.00"),
		evidence.Beats("at 5 % 10 points above a random sparse network", "share 0.05", "random-sparse 0.05", 10, "random-sparse 0.05"),
		{Text: "the initial scale moves accuracy by at most 1 point", Method: "share", Without: []string{"no scaler", "no scales"}, Side: evidence.AtMost, Bound: 1, Figure: evidence.Figure{Unit: "pp", Of: spread}},
	},
	Asks: []evidence.Comparison{{Text: "fold, not hash, at 10 %", Method: "share 0.10", Without: "hashed 0.10"}},
}

// spread is how far apart the accuracies are that initial scales end in.
func spread(v evidence.Values, arm string) []float64 {
	var out []float64
	for i := range v[fmt.Sprintf("%s, s0 %v", arm, initialScales[0])] {
		var x []float64
		for _, s0 := range initialScales {
			x = append(x, v[fmt.Sprintf("%s, s0 %v", arm, s0)][i])
		}
		out = append(out, 100*(floats.Max(x)-floats.Min(x)))
	}
	return out
}
