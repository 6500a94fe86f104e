package reproduce

import (
	"context"
	"errors"
	"fmt"
	"math"

	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/gradual"
	"pare/model/rewrite"
	"pare/onnx"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
	"pare/sharing"
	"pare/train"

	"gonum.org/v1/gonum/floats"
)

// ended trains the experiment's MLP by a method and gives its accuracy and the
// bytes of its sparse form. A run that diverges is at chance.
func (b *bench) ended(ctx context.Context, m model.Method, r model.Recipe) (acc float64, bytes int, err error) {
	g, err := b.glyphMLP()
	if err != nil {
		return 0, 0, err
	}
	if _, err := model.Run(ctx, m, b.job(g, r)); errors.Is(err, train.ErrDiverged) {
		return .1, 0, nil
	} else if err != nil {
		return 0, 0, err
	}
	z, err := onnx.EncodeSparse(g, false)
	if err != nil {
		return 0, 0, err
	}
	acc, err = b.accuracy(ctx, g)
	return acc, len(z), err
}

// sparsityOf is the sparsity at which the sparse form of a network takes a number of
// bytes.
func sparsityOf(g *graph.Graph, bytes int, seed uint64) (float64, error) {
	lo, hi := 0., 1.
	for range 12 {
		mid := (lo + hi) / 2
		c, _ := g.Clone(true)
		ws, err := prune.Weights(c, prune.Scope{})
		if err != nil {
			return 0, err
		}
		keep, err := allocate.Uniform(ws, mid)
		if err != nil {
			return 0, err
		}
		allocate.Select(ws, score.Random(ws, seed), keep, prune.CutFirst).Apply()
		z, err := onnx.EncodeSparse(c, false)
		if err != nil {
			return 0, err
		}
		if len(z) > bytes {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi, nil
}

var share = &evidence.Experiment{
	ID: "01", Name: "share",
	About: "Glyph(4, 0.6), MLP 64-100-50-10, sgd 0.05 cosine, momentum 0.9, 20 epochs: weights that read from an array of 100, 25, 10, 5 and 2 % of their number, against HashedNet's mapping, a random sparse network (ERK) of as many weights, a small dense one, and gradual magnitude pruning in as many bytes of the sparse form, also after 60 epochs; and the array's initial scale s0 at 10 %, with the scaler and without.",
	Seeds: 6,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed)
		r := model.Recipe{Epochs: 20, Batch: 50, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9}
		for _, c := range []float64{1, .25, .1, .05, .02} {
			if err := shareAt(ctx, b, r, c, put); err != nil {
				return err
			}
		}
		long := r
		long.Epochs = 60
		for _, c := range []float64{.1, .05, .02} {
			if err := shareAndPrune(ctx, b, long, c, put); err != nil {
				return err
			}
		}
		for _, scaler := range []string{"v1", "none"} {
			for _, s0 := range []float64{.005, .05, .5} {
				s := rewrite.NewShare()
				s.Scaler, s.InitScale = scaler, s0
				a, _, err := b.ended(ctx, s, r)
				if err != nil {
					return err
				}
				put(fmt.Sprintf("s0 %v scaler %s", s0, scaler), a)
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Within("at a budget of 1 within 1 point of the dense network", "share 1.00", "dense 1.00", 1),
		evidence.AtLeast("and 1 point above HashedNet", "share 1.00", "hashed 1.00", 1, false),
		evidence.AtLeast("at 5 % 10 points above a random sparse network", "share 0.05", "random-sparse 0.05", 10, false),
		evidence.AtLeast("and no worse than a small dense one", "share 0.05", "small-dense 0.05", 0, false),
		{Text: "with the scaler the initial scale moves accuracy by at most 0.5 points", Check: func(v evidence.Values) (string, bool) {
			lo, hi := scales(v, "v1")
			return fmt.Sprintf("%.1f to %.1f %%", 100*lo, 100*hi), hi-lo <= .005
		}},
		{Text: "without it an initial scale ends at chance", Check: func(v evidence.Values) (string, bool) {
			lo, hi := scales(v, "none")
			return fmt.Sprintf("%.1f to %.1f %%", 100*lo, 100*hi), lo <= .11
		}},
	},
}

// scales are the least and the largest mean accuracy over the initial scales.
func scales(v evidence.Values, scaler string) (lo, hi float64) {
	var x []float64
	for _, s0 := range []float64{.005, .05, .5} {
		x = append(x, v.Mean(fmt.Sprintf("s0 %v scaler %s", s0, scaler)))
	}
	return floats.Min(x), floats.Max(x)
}

// shareAt runs the arms of one budget.
func shareAt(ctx context.Context, b *bench, r model.Recipe, c float64, put func(string, float64)) error {
	at := fmt.Sprintf(" %.2f", c)
	s := rewrite.NewShare()
	s.Budget, s.Mapper = c, sharing.Hashed
	a, _, err := b.ended(ctx, s, r)
	if err != nil {
		return err
	}
	put("hashed"+at, a)
	small, name := []int{64, 100, 50, 10}, "dense"
	if c < 1 {
		small, name = scaledMLP(int(math.Round(11900*c))), "small-dense"
	}
	g, err := b.mlp(small...)
	if err != nil {
		return err
	}
	if a, err = b.trained(ctx, g, r); err != nil {
		return err
	}
	put(name+at, a)
	if c < 1 {
		if g, err = b.mlp(64, 100, 50, 10); err != nil {
			return err
		}
		a, _, err = b.masked(ctx, g, r, func(ws []*prune.Weight) (*prune.Masks, error) {
			k, err := allocate.ErdosRenyi(ws, 1-c, true)
			if err != nil {
				return nil, err
			}
			return allocate.Select(ws, score.Random(ws, b.seed), k, prune.CutFirst), nil
		})
		if err != nil {
			return err
		}
		put("random-sparse"+at, a)
	}
	return shareAndPrune(ctx, b, r, c, put)
}

// shareAndPrune runs sharing, and gradual pruning in as many bytes.
func shareAndPrune(ctx context.Context, b *bench, r model.Recipe, c float64, put func(string, float64)) error {
	at := fmt.Sprintf(" %.2f", c)
	if r.Epochs > 20 {
		at = fmt.Sprintf(", %d epochs%s", r.Epochs, at)
	}
	s := rewrite.NewShare()
	s.Budget = c
	a, bytes, err := b.ended(ctx, s, r)
	if err != nil {
		return err
	}
	put("share"+at, a)
	if c == 1 {
		return nil
	}
	g, err := b.mlp(64, 100, 50, 10)
	if err != nil {
		return err
	}
	p := gradual.NewGMP()
	p.Every = 20
	if p.Sparsity, err = sparsityOf(g, bytes, b.seed); err != nil {
		return err
	}
	if a, _, err = b.ended(ctx, p, r); err != nil {
		return err
	}
	put("gmp in as many bytes"+at, a)
	return nil
}
