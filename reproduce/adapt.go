package reproduce

import (
	"context"
	"fmt"

	"pare/dataset"
	"pare/evidence"
	"pare/graph"
	"pare/lm/family"
	"pare/model"
	"pare/model/language"
)

// smallLlama is a Llama of bytes with 4 layers of width 64, 8 heads of queries on 4 of keys
// and values, and 176 neurons: 217,000 parameters, 184,000 of them in the layers.
func smallLlama(seed uint64) (*graph.Graph, error) {
	c, err := family.Read([]byte(`{"model_type":"llama","vocab_size":256,"hidden_size":48,"num_hidden_layers":4,"num_attention_heads":8,"num_key_value_heads":4,"intermediate_size":128}`))
	if err != nil {
		return nil, err
	}
	f, err := family.Draw(c, seed, 0)
	if err != nil {
		return nil, err
	}
	return f.Graph()
}

// pretrainedLlama is that network trained on a text.
func (b *bench) pretrainedLlama(ctx context.Context) (*graph.Graph, error) {
	g, err := smallLlama(b.seed)
	if err != nil {
		return nil, err
	}
	if _, err := model.Fits(g, b.data, b.job(g, model.Recipe{}).Judge()); err != nil {
		return nil, err
	}
	return g, b.trained(ctx, g, model.Recipe{Epochs: 3, Batch: 32, LR: .004, Schedule: "wsd:0.3+warmup:50", Optimizer: "adamw", Decay: 1e-4})
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
	About: "",
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
		for _, a := range []struct {
			arm
			epochs int
		}{{arm{"adaptive 20", set(.2, adaptive)}, 0}, {arm{"uniform 20", set(.2, uniform)}, 0}, {arm{"random 20", set(.2, random)}, 0},
			{arm{"adaptive 40", set(.4, adaptive)}, 0}, {arm{"uniform 40", set(.4, uniform)}, 0}, {arm{"random 40", set(.4, random)}, 0},
			{arm{"stages", set(.4, staged)}, 2}, {arm{"once", set(.4, adaptive)}, 2},
			{arm{"ten 40", set(.4, func(s *language.AdaptPruner) { s.Amplitude = .01 })}, 0}, {arm{"five 40", set(.4, func(s *language.AdaptPruner) { s.Amplitude = .005 })}, 0}, {arm{"ten 20", set(.2, func(s *language.AdaptPruner) { s.Amplitude = .01 })}, 0},
			{arm{"stages uniform", set(.4, func(s *language.AdaptPruner) { s.Amplitude, s.Stages = 0, 8 })}, 2}, {arm{"once uniform", set(.4, uniform)}, 2}} {
			res, err := model.Run(ctx, a.m, b.job(g, model.Recipe{Epochs: a.epochs, Batch: 32, LR: .001, Schedule: "wsd:0.1:0.0001+warmup:5%", Optimizer: "adamw", Clip: 1}))
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			if err := b.perplexity(ctx, a.name, res.Graph); err != nil {
				return err
			}
		}
		return nil
	},
}
