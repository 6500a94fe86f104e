package reproduce

import (
	"context"

	"pare/evidence"
	"pare/model"
	"pare/model/structured"
	"pare/prune/expert"
	"pare/zoo"
)

var experts = &evidence.Experiment{
	Name:  "experts",
	About: "residual MLP 64-32 with three mixtures of eight experts, two for each sample, on Glyph(2, 0.4), trained 10 epochs with AdamW at 0.003, half of the experts cut, not fine-tuned: those of the least weight times norm of what they make, those that are chosen least, those of the smallest weights, at random, and those of the most weight times norm.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := glyphs(2, .4, 2000, seed, put)
		g, err := zoo.New("experts-3-32-8", zoo.Options{In: []int{1, 8, 8}, Seed: seed})
		if err != nil {
			return err
		}
		if err := b.trained(ctx, g, model.Recipe{Epochs: 10, Batch: 50, LR: .003, Schedule: "cosine", Optimizer: "adamw", Decay: .01}); err != nil {
			return err
		}
		if err := b.dense(ctx, "dense", g); err != nil {
			return err
		}
		by := func(score string, even bool) *structured.Experts {
			s := structured.NewExperts()
			s.Score, s.Even = score, even
			return s
		}
		reap, most := by("reap", false), by("reap", false)
		res, err := model.Run(ctx, reap, b.job(g, model.Recipe{}))
		if err != nil {
			return err
		}
		found := res.Facts.(*structured.ExpertFacts)
		most.Rate = func([]*expert.Mixture) [][]float64 {
			var out [][]float64
			for _, m := range found.Mixtures {
				var row []float64
				for _, x := range m.Worth {
					row = append(row, 1/(1e-9+x))
				}
				out = append(out, row)
			}
			return out
		}
		return b.arms(ctx, g, model.Recipe{}, arm{"reap", reap}, arm{"even", by("reap", true)}, arm{"frequency", by("frequency", false)}, arm{"norm", by("norm", false)},
			arm{"random", by("random", false)}, arm{"most", most})
	},
	Claims: []evidence.Claim{evidence.Beats("without training, experts chosen by router-weighted activation beat experts at random by 3 points", "reap", "random", 3, "random", "most")},
	Asks: []evidence.Comparison{{Text: "ranked together, and not the same share of every mixture", Method: "reap", Without: "even"},
		{Text: "weight times norm, and not how often experts are chosen", Method: "reap", Without: "frequency"},
		{Text: "what samples make, and not the norm of the weights", Method: "reap", Without: "norm"}},
}
