package reproduce

import (
	"context"
	"fmt"

	"pare/dataset"
	"pare/evidence"
	"pare/model"
	"pare/model/language"
)

var flap = &evidence.Experiment{
	Name:  "flap",
	About: "The small Llama of experiment adapt-pruner, after the same training; heads and neurons go at once until 30 % of the parameters of its layers are gone, by FLAP, by it without biases, with the same share of every layer, and at random. Perplexity on the last tenth of the text, without training.",
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
		set := func(change func(s *language.FLAP)) *language.FLAP {
			s := language.NewFLAP()
			s.Params = layersLess(g, .3)
			change(s)
			return s
		}
		random := language.NewAdaptPruner()
		random.Params, random.Amplitude, random.Score, random.Samples = layersLess(g, .3), 0, "random", 32
		for _, a := range []arm{{"flap", set(func(*language.FLAP) {})}, {"without biases", set(func(s *language.FLAP) { s.Bias = false })}, {"even", set(func(s *language.FLAP) { s.Even = true })}, {"random", random}} {
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
		{Text: "without training its heads and neurons are 15 % below the perplexity of random ones", Method: "flap", Without: []string{"random"}, Side: evidence.AtMost, Bound: .85, Figure: evidence.Ratio("(perplexity) ", "random")},
	},
	Asks: []evidence.Comparison{
		{Text: "biases of what goes (accuracy)", Method: "flap", Without: "without biases"},
		{Text: "one ranking of all layers, not the same share of each (accuracy)", Method: "flap", Without: "even"},
	},
}
