package reproduce

import (
	"context"
	"fmt"
	"math"
	"os"

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
const smallLlama = `{"model_type":"llama","vocab_size":256,"hidden_size":64,"num_hidden_layers":4,"num_attention_heads":8,"num_key_value_heads":8,"intermediate_size":128}`

var compresso = &evidence.Experiment{
	ID: "35", Name: "compresso",
	About: "A Llama of bytes",
	Seeds: 3,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		d, err := dataset.Open("shakespeare?seq=32")
		if err != nil {
			return err
		}
		b := &bench{d, seed, put}
		g, err := llamaOf(smallLlama, seed)
		if err != nil {
			return err
		}
		if err := b.trained(ctx, g, model.Recipe{Epochs: 3, Batch: 32, LR: .005, Schedule: "cosine", Optimizer: "adamw", Decay: 1e-4}); err != nil {
			return err
		}
		if err := b.perplexity(ctx, "dense", g); err != nil {
			return err
		}
		set := func(change func(*language.Compresso)) *language.Compresso {
			s := language.NewCompresso()
			s.LoraLR = .003
			change(s)
			return s
		}
		var facts []*language.CompressoFacts
		for _, a := range []arm{
			{"gates", set(func(*language.Compresso) {})},
			{"norm", set(func(s *language.Compresso) { s.Choose = "norm" })},
			{"random", set(func(s *language.Compresso) { s.Choose = "random" })},
			{"no warm-up", set(func(s *language.Compresso) { s.Warm = train.At{} })},
			{"heads and places", set(func(s *language.Compresso) { s.Parts = []string{"heads", "intermediate"} })},
		} {
			res, err := model.Run(ctx, a.m, b.job(g, model.Recipe{Epochs: 2, Batch: 32, LR: .01, Schedule: "cosine", Optimizer: "adamw"}))
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			f := res.Facts.(*language.CompressoFacts)
			fmt.Fprintln(os.Stderr, a.name, f.Expected, f.Hard, f.Adjusted, f.Sparsity, f.Multipliers)
			for _, v := range f.Vectors {
				fmt.Fprint(os.Stderr, len(v.Kept), "/", v.Of, " ")
			}
			fmt.Fprintln(os.Stderr)
			facts = append(facts, f)
			if err := b.perplexity(ctx, a.name, res.Graph); err != nil {
				return err
			}
			put("(sparsity) "+a.name, f.Sparsity)
		}
		return nil
	},
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
func gatesOf(f *language.CompressoFacts, kinds ...structure.Kind) (out []float64) {
	for _, v := range f.Vectors {
		for _, k := range kinds {
			if v.Kind == k {
				z := make([]float64, v.Of)
				for i, c := range v.Kept {
					z[c] = v.Gates[i]
				}
				out = append(out, z...)
			}
		}
	}
	return out
}

var (
	_ = stat.Correlation
	_ = math.Abs
)
