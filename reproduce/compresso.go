package reproduce

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"

	"pare/dataset"
	"pare/evidence"
	"pare/graph"
	"pare/lm/family"
	"pare/model"
	"pare/model/language"
	"pare/prune/structure"
	"pare/train"

	"gonum.org/v1/gonum/stat"
)

// smallLlama is the config of the decoder that is pruned.
const smallLlama = `{"model_type":"llama","vocab_size":256,"hidden_size":48,"num_hidden_layers":4,"num_attention_heads":6,"num_key_value_heads":6,"intermediate_size":96}`

// shortPrompt is as long as a sample.
const shortPrompt = "Shrink, and write on as before.\n"

var compresso = &evidence.Experiment{
	ID: "35", Name: "compresso",
	About: "A Llama of bytes (four blocks of width 48, six heads, 96 places, 32 bytes of context) trained on 192 kB of Shakespeare for 3 epochs, AdamW 0.005; 30 % of attention and feed-forward layers go, while products of rank 8 beside queries and values are trained for 2 epochs (750 steps) at a peak rate of 0.003: by gates (again: with another seed; no warm-up: the whole sparsity is asked for from the first step; no constraint: the multipliers stay 0, and logits decide in the end; prompt: a short text stands before every sample, in training and test), by L2 norm of heads and places, or at random. Perplexity on the last tenth of the text. Agreement: the rank correlation of an arm's gates of heads and of places, 0 where they are gone, with those of again, the mean of both.",
	Seeds: 3,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		d, err := dataset.Open("shakespeare?seq=32&n=6000")
		if err != nil {
			return err
		}
		b := &bench{d, seed, put}
		g, err := llamaOf(smallLlama, seed)
		if err != nil {
			return err
		}
		if err := b.trained(ctx, g, model.Recipe{Epochs: 3, Batch: 16, LR: .005, Schedule: "cosine", Optimizer: "adamw", Decay: 1e-4}); err != nil {
			return err
		}
		if err := b.perplexity(ctx, "dense", g); err != nil {
			return err
		}
		file, err := os.CreateTemp("", "prompt")
		if err != nil {
			return err
		}
		defer os.Remove(file.Name())
		if _, err := file.WriteString(shortPrompt); err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
		set := func(change func(*language.Compresso)) *language.Compresso {
			s := language.NewCompresso()
			s.LoraLR = .003
			change(s)
			return s
		}
		facts := map[string]*language.CompressoFacts{}
		arms := []arm{
			{"gates", set(func(*language.Compresso) {})},
			{"again", set(func(*language.Compresso) {})},
			{"norm", set(func(s *language.Compresso) { s.Choose = "norm" })},
			{"random", set(func(s *language.Compresso) { s.Choose = "random" })},
			{"no warm-up", set(func(s *language.Compresso) { s.Warm = train.At{} })},
			{"no constraint", set(func(s *language.Compresso) { s.Multiplier = 0 })},
			{"prompt", set(func(s *language.Compresso) { s.PromptFile = file.Name() })},
		}
		for _, a := range arms {
			j := b.job(g, model.Recipe{Epochs: 2, Batch: 16, LR: .003, Schedule: "linear", Optimizer: "adamw"}) // the method has rates of its own
			j.Data = &dataset.Data{}
			*j.Data = *d
			j.Data.Test = nil
			if a.name == "again" {
				j.Seed = j.OtherSeed(1)
			}
			res, err := model.Run(ctx, a.m, j)
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			f := res.Facts.(*language.CompressoFacts)
			facts[a.name] = f
			put("(sparsity) "+a.name, f.Sparsity)
			put("(lacking) "+a.name, math.Abs(f.Target-f.Hard))
			judge := b
			if a.name == "prompt" {
				if err := b.perplexity(ctx, "prompt left out", res.Graph); err != nil {
					return err
				}
				with, _, err := d.Before(shortPrompt)
				if err != nil {
					return err
				}
				judge = &bench{with, seed, put}
				res.Graph.Usage.Sizes = nil // samples are longer now
			}
			if err := judge.perplexity(ctx, a.name, res.Graph); err != nil {
				return err
			}
		}
		for _, a := range arms {
			heads, places := 0., 0.
			for _, v := range []struct {
				kind structure.Kind
				x    *float64
			}{{structure.Heads, &heads}, {structure.FeedForward, &places}} {
				*v.x = rankCorrelation(gatesOf(facts[a.name], v.kind), gatesOf(facts["again"], v.kind))
			}
			put("(agreement) "+a.name, (heads+places)/2)
		}
		return nil
	},
	Claims: []evidence.Claim{
		{Text: "the perplexity is 2 % below that of heads and places of the smallest norm, of the same size and with products that are trained alike", Method: "gates", Without: []string{"norm", "random"}, Side: evidence.AtMost, Bound: .98, Figure: evidence.Ratio("(perplexity) ", "norm")},
		{Text: "and 8 % below that of random ones", Method: "gates", Without: []string{"random"}, Side: evidence.AtMost, Bound: .92, Figure: evidence.Ratio("(perplexity) ", "random")},
		{Text: "hard gates are within a point of the sparsity that is asked for, before any is adjusted", Method: "gates", Without: []string{"no constraint"}, Side: evidence.AtMost, Bound: .01, Figure: named("(lacking) ")},
		{Text: "gates of two runs agree: their rank correlation is above 0.5", Method: "gates", Without: []string{"random"}, Side: evidence.AtLeast, Bound: .5, Figure: named("(agreement) ")},
	},
	Asks: []evidence.Comparison{
		{Text: "a constraint that rises from 0 (accuracy)", Method: "gates", Without: "no warm-up"},
		{Text: "a constraint at all, where the logits decide what goes (accuracy)", Method: "gates", Without: "no constraint"},
		{Text: "a prompt before every sample, in training and in use (accuracy)", Method: "prompt", Without: "gates"},
		{Text: "the prompt in use, after training with it (accuracy)", Method: "prompt", Without: "prompt left out"},
	},
}

// named is what was put for an arm behind a prefix.
func named(prefix string) evidence.Figure {
	return evidence.Figure{Of: func(v evidence.Values, arm string) []float64 { return v[prefix+arm] }}
}

// llamaOf draws a language model by its config.
func llamaOf(config string, seed uint64) (*graph.Graph, error) {
	c, err := family.Read([]byte(config))
	if err != nil {
		return nil, err
	}
	m, err := family.Draw(c, seed, 0)
	if err != nil {
		return nil, err
	}
	g, err := m.Graph()
	if err != nil {
		return nil, err
	}
	_, err = model.Prepare(g)
	return g, err
}

// gatesOf are the gates of one kind, 0 where they are gone.
func gatesOf(f *language.CompressoFacts, kind structure.Kind) (out []float64) {
	for _, v := range f.Vectors {
		if v.Kind != kind {
			continue
		}
		z := make([]float64, v.Of)
		for i, c := range v.Kept {
			z[c] = v.Gates[i]
		}
		out = append(out, z...)
	}
	return out
}

// rankCorrelation is Spearman's: the correlation of ranks, the mean of them where numbers
// are equal.
func rankCorrelation(x, y []float64) float64 {
	ranks := func(x []float64) []float64 {
		sorted := slices.Sorted(slices.Values(x))
		out := make([]float64, len(x))
		for i, v := range x {
			lo, _ := slices.BinarySearch(sorted, v)
			hi := lo
			for hi < len(sorted) && sorted[hi] == v {
				hi++
			}
			out[i] = float64(lo+hi) / 2
		}
		return out
	}
	return stat.Correlation(ranks(x), ranks(y), nil)
}
