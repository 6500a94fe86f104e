package reproduce

import (
	"context"

	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/language"
)

var flap = &evidence.Experiment{
	Name:  "flap",
	About: "The small Llama of experiment adapt-pruner, after the same training; heads and neurons go at once until 30 % of the parameters of its layers are gone, by FLAP, by it without biases, with the same share of every layer, and at random. Perplexity on the last tenth of the text, without training.",
	Seeds: 3,
	Run: onLlama(func(ctx context.Context, b *bench, g *graph.Graph) error {
		set := func(change func(s *language.FLAP)) *language.FLAP {
			s := language.NewFLAP()
			s.Params = layersLess(g, .3)
			change(s)
			return s
		}
		random := language.NewAdaptPruner()
		random.Params, random.Amplitude, random.Score, random.Samples = layersLess(g, .3), 0, "random", 32
		return b.perplexities(ctx, g, model.Recipe{}, arm{"flap", set(func(*language.FLAP) {})}, arm{"without biases", set(func(s *language.FLAP) { s.Bias = false })}, arm{"even", set(func(s *language.FLAP) { s.Even = true })}, arm{"random", random})
	}),
	Claims: []evidence.Claim{
		{Text: "without training its heads and neurons are 15 % below the perplexity of random ones", Method: "flap", Without: []string{"random"}, Side: evidence.AtMost, Bound: .85, Figure: evidence.Ratio("(perplexity) ", "random")},
	},
	Asks: []evidence.Comparison{
		{Text: "biases of what goes (accuracy)", Method: "flap", Without: "without biases"},
		{Text: "one ranking of all layers, not the same share of each (accuracy)", Method: "flap", Without: "even"},
	},
}
