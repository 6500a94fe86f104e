package reproduce

import (
	"context"
	"fmt"
	"math"

	"pare/dataset"
	"pare/engine"
	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/language"
	"pare/model/oneshot"
	"pare/train"
	"pare/zoo"
)

var perp = &evidence.Experiment{
	ID: "24", Name: "perp",
	About: "A language model of bytes (two blocks of width 64, four heads, 64 bytes of context, 137 thousand parameters) trained on Shakespeare for 8 epochs, AdamW 0.003; 60 % of every weight but the last is cut by magnitude, and what follows is trained for 2 epochs at a peak rate of 0.002: all weights that stay (weights), biases, norms and a thin product beside the last layer (parts), with thin products of rank 16 under the mask (masklora), times the weight (scalelora), or cut in the end (lora-prune); or each block in turn on 512 samples, 20 times (reconstruct; and on what the dense network gives in front of it). Perplexity on the last tenth of the text.",
	Seeds: 4,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		d, err := dataset.Open("shakespeare?seq=64")
		if err != nil {
			return err
		}
		b := &bench{d, seed, put}
		g, err := zoo.New("gpt-2-64-4", zoo.Options{Seed: seed})
		if err != nil {
			return err
		}
		if err := b.trained(ctx, g, model.Recipe{Epochs: 8, Batch: 32, LR: .003, Schedule: "cosine", Optimizer: "adamw", Decay: 1e-4}); err != nil {
			return err
		}
		if err := b.perplexity(ctx, "dense", g); err != nil {
			return err
		}
		cut := oneshot.NewMagnitude()
		cut.Sparsity, cut.Exclude = .6, []string{"head.weight"}
		set := func(change func(*language.PERP)) *language.PERP {
			s := language.NewPERP()
			s.Sparsity, s.Rate = .6, .002
			change(s)
			return s
		}
		way := func(adapter string) *language.PERP {
			return set(func(s *language.PERP) { s.Adapter = adapter })
		}
		block := func(own bool) *language.PERP {
			return set(func(s *language.PERP) { s.Way, s.Samples, s.Passes, s.Dense = "reconstruct", 512, 20, own })
		}
		for _, a := range []arm{{"cut", cut}, {"weights", way("weights")}, {"masklora", way("masklora")}, {"scalelora", way("scalelora")}, {"lora-prune", way("lora-prune")}, {"parts", way("none")},
			{"reconstruct", block(false)}, {"reconstruct dense inputs", block(true)}} {
			r := model.Recipe{Epochs: 2, Batch: 32, LR: .002, Schedule: "cosine", Optimizer: "adamw"} // PERP has a rate and a schedule of its own
			if a.name == "cut" {
				r.Epochs = 0
			}
			res, err := model.Run(ctx, a.m, b.job(g, r))
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
		{Text: "masked thin products, biases, norms and the head come within 3 % of the perplexity of retraining all weights that stay", Method: "masklora", Without: []string{"lora-prune", "parts"}, Side: evidence.AtMost, Bound: 1.03, Figure: evidence.Ratio("(perplexity) ", "weights")},
		{Text: "and at least 5 % below biases, norms and the head alone", Method: "masklora", Without: []string{"parts", "lora-prune"}, Side: evidence.AtMost, Bound: .95, Figure: evidence.Ratio("(perplexity) ", "parts")},
		{Text: "a product that multiplies the weights is 2 % below these", Method: "scalelora", Without: []string{"parts", "lora-prune"}, Side: evidence.AtMost, Bound: .98, Figure: evidence.Ratio("(perplexity) ", "parts")},
		{Text: "reconstruction of blocks takes a fifth off the perplexity of the cut network", Method: "reconstruct", Without: []string{"cut"}, Side: evidence.AtMost, Bound: .8, Figure: evidence.Ratio("(perplexity) ", "cut")},
	},
	Asks: []evidence.Comparison{
		{Text: "blocks on what the blocks before them give now, not on the dense network's values (accuracy)", Method: "reconstruct", Without: "reconstruct dense inputs"},
	},
}

// perplexity puts exp of the mean loss of a language model on the test set, and the share
// of tokens that it foretells.
func (b *bench) perplexity(ctx context.Context, name string, g *graph.Graph) error {
	m, err := train.NewEval(b.data.Test, b.data.Norm, 100, engine.Options{Threads: 1}).Run(ctx, g)
	if err == nil {
		b.put("(perplexity) "+name, math.Exp(m.Loss))
		b.put(name, m.Value())
	}
	return err
}

// perplexities runs methods on copies of a network and puts what they make of the test set.
func (b *bench) perplexities(ctx context.Context, g *graph.Graph, r model.Recipe, arms ...arm) error {
	for _, a := range arms {
		res, err := model.Run(ctx, a.m, b.job(g, r))
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		if err := b.perplexity(ctx, a.name, res.Graph); err != nil {
			return err
		}
	}
	return nil
}
