package reproduce

import (
	"context"

	"pare/evidence"
	"pare/model"
	"pare/model/calibrated"
	"pare/model/oneshot"
)

var ria = &evidence.Experiment{
	Name:  "ria",
	About: "MLP 64-100-50-10 on the digits, trained 15 epochs, 80 % cut once, not fine-tuned: by relative importance and activations (ria), in each row of outputs alone (rows), by relative importance alone (shares), by weights and activations (wanda), and by magnitude in every layer.",
	Seeds: 24,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b, g, err := digitsMLP(ctx, seed, put)
		if err != nil {
			return err
		}
		m, rows, shares, w, size := calibrated.NewRIA(), calibrated.NewRIA(), calibrated.NewRIA(), calibrated.NewWanda(), oneshot.NewMagnitude()
		m.Sparsity, rows.Sparsity, shares.Sparsity, w.Sparsity, size.Sparsity = .8, .8, .8, .8, .8
		rows.Rank, shares.Power = "row", 0
		return b.arms(ctx, g, model.Recipe{}, arm{"ria", m}, arm{"rows", rows}, arm{"shares", shares}, arm{"wanda", w}, arm{"magnitude", size})
	},
	Claims: []evidence.Claim{
		evidence.Beats("it beats weights and activations by 8 points", "ria", "wanda", 8, "wanda"),
		evidence.Beats("row by row it does so by 6", "rows", "wanda", 6, "wanda"),
		evidence.Beats("activations are worth 4 points beside relative importance alone", "ria", "shares", 4, "shares"),
	},
	Asks: []evidence.Comparison{
		{Text: "relative importance and activations, beside magnitude", Method: "ria", Without: "magnitude"},
	},
}

var dsnot = &evidence.Experiment{
	Name:  "dsnot",
	About: "MLP 64-100-50-10 on the digits, trained 15 epochs, 80 % cut once by weights and activations, not fine-tuned: this first mask, and what exchanging makes of it where the sign of what an output misses is held (dsnot), where it may turn, as is the authors' default for single weights (turning), and where the variance of inputs does not count (no variance).",
	Seeds: 24,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b, g, err := digitsMLP(ctx, seed, put)
		if err != nil {
			return err
		}
		with := func(change func(*calibrated.DSnoT)) *calibrated.DSnoT {
			s := calibrated.NewDSnoT()
			s.Sparsity, s.SameSign = .8, true
			change(s)
			return s
		}
		return b.arms(ctx, g, model.Recipe{},
			arm{"dsnot", with(func(*calibrated.DSnoT) {})},
			arm{"first mask", with(func(s *calibrated.DSnoT) { s.Cycles = 0 })},
			arm{"turning", with(func(s *calibrated.DSnoT) { s.SameSign = false })},
			arm{"no variance", with(func(s *calibrated.DSnoT) { s.Power = 0 })})
	},
	Claims: []evidence.Claim{evidence.Beats("exchanging is worth 2 points", "dsnot", "first mask", 2, "first mask", "turning")},
	Asks:   []evidence.Comparison{{Text: "the variance of inputs, beside exchanging without it", Method: "dsnot", Without: "no variance"}},
}
