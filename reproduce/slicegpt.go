package reproduce

import (
	"context"
	"fmt"

	"pare/dataset"
	"pare/evidence"
	"pare/model"
	"pare/model/language"
)

var sliceGPT = &evidence.Experiment{
	Name:  "slicegpt",
	About: "The small Llama of experiment adapt-pruner, after the same training; a quarter of the 48 channels of its stream goes, in front of every half of a block: the last principal axes (slicegpt), axes at random (random), or the quietest channels without a rotation (channels). 512 samples show the stream. Perplexity on the last tenth of the text, without training; and with all axes turned and none deleted (turned).",
	Seeds: 3,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		d, err := dataset.Open("shakespeare?seq=32")
		if err != nil {
			return err
		}
		b := &bench{d, seed, put}
		g, err := b.pretrainedLlama(ctx)
		if err != nil {
			return err
		}
		if err := b.perplexity(ctx, "dense", g); err != nil {
			return err
		}
		set := func(basis string, share float64) *language.SliceGPT {
			s := language.NewSliceGPT()
			s.Basis, s.Sparsity, s.Round, s.Samples = basis, share, 1, 512
			return s
		}
		for _, a := range []arm{{"turned", set("pca", 0)}, {"slicegpt", set("pca", .25)}, {"random", set("random", .25)}, {"channels", set("channels", .25)}} {
			res, err := model.Run(ctx, a.m, b.job(g, model.Recipe{}))
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			if err := b.perplexity(ctx, a.name, res.Graph); err != nil {
				return err
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		{Text: "without training the last principal axes cost less than a twentieth of the dense network's perplexity", Method: "slicegpt", Without: []string{"random", "channels"}, Side: evidence.AtMost, Bound: 1.05, Figure: evidence.Ratio("(perplexity) ", "dense")},
		{Text: "and are a fifth below the quietest channels, without a rotation", Method: "slicegpt", Without: []string{"channels", "random"}, Side: evidence.AtMost, Bound: .8, Figure: evidence.Ratio("(perplexity) ", "channels")},
	},
}
