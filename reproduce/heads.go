package reproduce

import (
	"context"

	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/structured"
	"pare/prune/structure"
	"pare/zoo"
)

var heads = &evidence.Experiment{
	Name:  "heads",
	About: "vision transformer of 4 blocks with 3 heads on Glyph(2, 0.4), trained 10 epochs with AdamW at 0.001, half of the heads cut, not fine-tuned: those whose factors the loss feels least, the same with importances that are not normalised by layer, at random, and those that it feels most.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := glyphs(2, .4, 2000, seed, put)
		g, err := zoo.New("vit-tiny", zoo.Options{In: []int{1, 8, 8}, Seed: seed})
		if err != nil {
			return err
		}
		if err := b.trained(ctx, g, model.Recipe{Epochs: 10, Batch: 50, LR: .001, Schedule: "cosine", Optimizer: "adamw", Decay: .01}); err != nil {
			return err
		}
		if err := b.dense(ctx, "dense", g); err != nil {
			return err
		}
		m, raw, chance, most := structured.NewHeads(), structured.NewHeads(), structured.NewHeads(), structured.NewHeads()
		m.Share, raw.Share, chance.Share, most.Share = .5, .5, .5, .5
		raw.Raw = true
		chance.Rate = atChance(seed)
		res, err := model.Run(ctx, m, b.job(g, model.Recipe{}))
		if err != nil {
			return err
		}
		found := res.Facts.(*structured.HeadFacts)
		most.Rate = func(*graph.Graph, []*structure.Group) ([][]float64, bool, error) {
			var out [][]float64
			for _, l := range found.Layers {
				var row []float64
				for _, x := range l.Importance {
					row = append(row, 1/(1e-9+x))
				}
				out = append(out, row)
			}
			return out, false, nil
		}
		return b.arms(ctx, g, model.Recipe{}, arm{"heads", m}, arm{"raw", raw}, arm{"random", chance}, arm{"most important", most})
	},
	Claims: []evidence.Claim{evidence.Beats("without training, heads chosen by gradient beat heads at random by 3 points", "heads", "random", 3, "random", "most important")},
	Asks:   []evidence.Comparison{{Text: "importances over the norm of their layer", Method: "heads", Without: "raw"}},
}
