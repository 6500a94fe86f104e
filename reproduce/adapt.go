package reproduce

import (
	"context"

	"pare/dataset"
	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/language"
)

// groupedLlama is a Llama of bytes with 4 layers of width 48, 8 heads of queries on 4 of keys
// and values, and 128 neurons.
const groupedLlama = `{"model_type":"llama","vocab_size":256,"hidden_size":48,"num_hidden_layers":4,"num_attention_heads":8,"num_key_value_heads":4,"intermediate_size":128}`

// pretrainedLlama is that network trained on a text.
func (b *bench) pretrainedLlama(ctx context.Context) (*graph.Graph, error) {
	g, err := llamaOf(groupedLlama, b.seed)
	if err != nil {
		return nil, err
	}
	if _, err := model.Fits(g, b.data, b.job(g, model.Recipe{}).Judge()); err != nil {
		return nil, err
	}
	return g, b.trained(ctx, g, model.Recipe{Epochs: 3, Batch: 32, LR: .004, Schedule: "wsd:0.3+warmup:50", Optimizer: "adamw", Decay: 1e-4})
}

// onLlama is an experiment's run on that network, whose perplexity is put as that of dense.
func onLlama(run func(ctx context.Context, b *bench, g *graph.Graph) error) func(ctx context.Context, seed uint64, put func(string, float64)) error {
	return func(ctx context.Context, seed uint64, put func(string, float64)) error {
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
		return run(ctx, b, g)
	}
}

// layersLess is the number of parameters of the small Llama without a share of those in its
// layers.
func layersLess(g *graph.Graph, share float64) model.Count {
	all, layers := 0, 0
	for _, v := range g.Params() {
		n := v.Const.Len()
		if all += n; n < 256*48 {
			layers += n
		}
	}
	return model.Count(all - int(share*float64(layers)))
}

var adaptPruner = &evidence.Experiment{
	ID: "21", Name: "adapt-pruner",
	About: "A Llama of bytes (4 layers of width 48, 8 heads of queries on 4 of keys and values, 128 neurons, 32 bytes of context, 127 thousand parameters, of which 102 thousand are in the layers), trained on Shakespeare for 3 epochs, AdamW 0.004. 20 or 40 % of the parameters of its layers are cut, a fiftieth of the layers at a time on 128 samples each: at rates by layer (amplitude 0.02), the same share of every layer, and so, but heads and neurons at random; without training. And 40 % with an epoch of training (AdamW 0.001, warm-up, stable, decay): in 8 stages, in stages with the same share of every layer, and all cuts first. Perplexity on the last tenth of the text.",
	Seeds: 3,
	Run: onLlama(func(ctx context.Context, b *bench, g *graph.Graph) error {
		set := func(share float64, change func(s *language.AdaptPruner)) *language.AdaptPruner {
			s := language.NewAdaptPruner()
			s.Params, s.Samples, s.Stages = layersLess(g, share), 128, 1
			change(s)
			return s
		}
		adaptive := func(*language.AdaptPruner) {}
		uniform := func(s *language.AdaptPruner) { s.Amplitude = 0 }
		random := func(s *language.AdaptPruner) { s.Amplitude, s.Score = 0, "random" }
		staged := func(s *language.AdaptPruner) { s.Stages = 8 }
		r := model.Recipe{Batch: 32, LR: .001, Schedule: "wsd:0.1:0.0001+warmup:5%", Optimizer: "adamw"}
		if err := b.perplexities(ctx, g, r, arm{"adaptive 20", set(.2, adaptive)}, arm{"uniform 20", set(.2, uniform)}, arm{"random 20", set(.2, random)},
			arm{"adaptive 40", set(.4, adaptive)}, arm{"uniform 40", set(.4, uniform)}, arm{"random 40", set(.4, random)}); err != nil {
			return err
		}
		r.Epochs = 1
		return b.perplexities(ctx, g, r, arm{"stages", set(.4, staged)}, arm{"stages uniform", set(.4, func(s *language.AdaptPruner) { s.Stages, s.Amplitude = 8, 0 })}, arm{"once", set(.4, adaptive)})
	}),
	Claims: []evidence.Claim{
		{Text: "without training, at 40 % rates by layer are 15 % below the perplexity of the same share of every layer", Method: "adaptive 40", Without: []string{"uniform 40", "random 40"}, Side: evidence.AtMost, Bound: .85, Figure: evidence.Ratio("(perplexity) ", "uniform 40")},
		{Text: "and at 20 % at least 4 % below it", Method: "adaptive 20", Without: []string{"uniform 20", "random 20"}, Side: evidence.AtMost, Bound: .96, Figure: evidence.Ratio("(perplexity) ", "uniform 20")},
		{Text: "heads and neurons by the loss's gradient are a fifth below those at random, at the same share of every layer", Method: "uniform 40", Without: []string{"random 40"}, Side: evidence.AtMost, Bound: .8, Figure: evidence.Ratio("(perplexity) ", "random 40")},
	},
	Asks: []evidence.Comparison{
		{Text: "cuts in turn with training, not all first (accuracy)", Method: "stages", Without: "once"},
		{Text: "rates by layer in these stages (accuracy)", Method: "stages", Without: "stages uniform"},
	},
}
