package reproduce

import (
	"context"

	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/language"
)

var sliceGPT = &evidence.Experiment{
	Name:  "slicegpt",
	About: "The small Llama of experiment adapt-pruner, after the same training; a quarter of the 48 channels of its stream goes, in front of every half of a block: the last principal axes (slicegpt), axes at random (random), or the quietest channels without a rotation (channels). 512 samples show the stream. Perplexity on the last tenth of the text, without training; and with all axes turned and none deleted (turned).",
	Seeds: 3,
	Run: onLlama(func(ctx context.Context, b *bench, g *graph.Graph) error {
		set := func(basis string, share float64) *language.SliceGPT {
			s := language.NewSliceGPT()
			s.Basis, s.Sparsity, s.Round, s.Samples = basis, share, 1, 512
			return s
		}
		return b.perplexities(ctx, g, model.Recipe{}, arm{"turned", set("pca", 0)}, arm{"slicegpt", set("pca", .25)}, arm{"random", set("random", .25)}, arm{"channels", set("channels", .25)})
	}),
	Claims: []evidence.Claim{
		{Text: "without training the last principal axes cost less than a twentieth of the dense network's perplexity", Method: "slicegpt", Without: []string{"random", "channels"}, Side: evidence.AtMost, Bound: 1.05, Figure: evidence.Ratio("(perplexity) ", "dense")},
		{Text: "and are a fifth below the quietest channels, without a rotation", Method: "slicegpt", Without: []string{"channels", "random"}, Side: evidence.AtMost, Bound: .8, Figure: evidence.Ratio("(perplexity) ", "channels")},
	},
}
