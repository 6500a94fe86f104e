package method

import (
	"context"
	"fmt"
	"math"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
	"pare/train"
	"pare/zoo"
)

// bench is the small set-up that experiments share: Glyph(4, 0.6) and an MLP.
type bench struct {
	data *dataset.Data
	seed uint64
}

func newBench(seed uint64) *bench {
	tr, te := dataset.Glyph(4, .6, 2000, 2000, seed)
	return &bench{&dataset.Data{Train: tr, Test: te, Norm: dataset.Raw}, seed}
}

func (b *bench) mlp(sizes ...int) (*graph.Graph, error) {
	name := "mlp:"
	for i, s := range sizes {
		if i > 0 {
			name += "-"
		}
		name += fmt.Sprint(s)
	}
	return zoo.New(name, zoo.Options{In: []int{1, 8, 8}, Seed: b.seed})
}

// fit trains by a recipe; hooks as for training.
func (b *bench) fit(ctx context.Context, g *graph.Graph, r Recipe, hooks ...train.Hook) error {
	j := &Job{Data: &dataset.Data{Train: b.data.Train, Norm: b.data.Norm}, Recipe: r, Seed: b.seed, Engine: engine.Options{Threads: 1}}
	_, err := j.Fit(ctx, g, hooks...)
	return err
}

func (b *bench) accuracy(ctx context.Context, g *graph.Graph) (float64, error) {
	m, err := train.NewEval(b.data.Test, b.data.Norm, 200, engine.Options{Threads: 1}).Run(ctx, g)
	return m.Accuracy, err
}

// masked fine-tunes a copy of a network with masks chosen by pick.
func (b *bench) masked(ctx context.Context, g *graph.Graph, r Recipe, pick func(ws []*prune.Weight) (*prune.Masks, error)) (float64, *prune.Masks, error) {
	c, _ := g.Clone(true)
	ws, err := prune.Weights(c, prune.Scope{})
	if err != nil {
		return 0, nil, err
	}
	m, err := pick(ws)
	if err != nil {
		return 0, nil, err
	}
	if err := b.fit(ctx, c, r, &prune.Hold{Masks: m}); err != nil {
		return 0, nil, err
	}
	a, err := b.accuracy(ctx, c)
	return a, m, err
}

// shuffled keeps as many weights of each layer as m, at random places.
func shuffled(m *prune.Masks, ws []*prune.Weight, seed uint64) *prune.Masks {
	keep := make([]int, len(ws))
	for l := range ws {
		keep[l] = m.Mask[l].Count()
	}
	return allocate.Select(ws, score.Random(ws, seed), keep, prune.CutFirst)
}

var globalMPClaims = &Experiment{
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), trained 15 epochs, pruned once, fine-tuned 10 epochs: global ranking against the same sparsity in every layer, and against random masks with the layer counts of the global ranking.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed)
		g, err := b.mlp(64, 100, 50, 10)
		if err != nil {
			return err
		}
		dense := Recipe{Epochs: 15, Batch: 50, LR: .1, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}
		tune := Recipe{Epochs: 10, Batch: 50, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}
		if err := b.fit(ctx, g, dense); err != nil {
			return err
		}
		a, err := b.accuracy(ctx, g)
		if err != nil {
			return err
		}
		put("dense", a)
		for _, s := range []float64{.8, .9, .95, .98} {
			var global *prune.Masks
			arms := []struct {
				name string
				pick func(ws []*prune.Weight) (*prune.Masks, error)
			}{
				{"global", func(ws []*prune.Weight) (*prune.Masks, error) {
					return allocate.Global(ws, score.Magnitude(ws), s, nil)
				}},
				{"uniform", func(ws []*prune.Weight) (*prune.Masks, error) {
					k, err := allocate.Uniform(ws, s)
					if err != nil {
						return nil, err
					}
					return allocate.Select(ws, score.Magnitude(ws), k, prune.CutFirst), nil
				}},
				{"random", func(ws []*prune.Weight) (*prune.Masks, error) { return shuffled(global, ws, seed), nil }},
			}
			for _, arm := range arms {
				a, m, err := b.masked(ctx, g, tune, arm.pick)
				if err != nil {
					return err
				}
				if arm.name == "global" {
					global = m
				}
				put(fmt.Sprintf("%s %.2f", arm.name, s), a)
			}
		}
		return nil
	},
	Claims: []Claim{
		atLeast("at 90 % global beats uniform by 2 points", "global 0.90", "uniform 0.90", 2, false),
		atLeast("at 95 % global beats uniform by 2 points", "global 0.95", "uniform 0.95", 2, false),
		atLeast("at 80 % global beats random by 15 points", "global 0.80", "random 0.80", 15, false),
		atLeast("at 90 % global beats random by 15 points", "global 0.90", "random 0.90", 15, false),
		atLeast("at 95 % global beats random by 15 points", "global 0.95", "random 0.95", 15, false),
	},
}

// scaledMLP is the MLP 64-a-b-10 of the proportions of 64-100-50-10 whose
// number of weights is nearest to n.
func scaledMLP(n int) []int {
	best, at := math.MaxInt, []int{64, 1, 1, 10}
	for a := 1; a <= 100; a++ {
		b := max(1, (a+1)/2)
		if d := max(64*a+a*b+10*b-n, n-64*a-a*b-10*b); d < best {
			best, at = d, []int{64, a, b, 10}
		}
	}
	return at
}

var gmpClaims = &Experiment{
	About: "Glyph(4, 0.6), Adam 1.2e-3 cosine, 20 epochs of 40 steps, window 10-70 %, masks every 10 steps, the same sparsity in every layer: a large sparse MLP against a small dense one of as many weights, and against a random sparse one.",
	Seeds: 4,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed)
		recipe := Recipe{Epochs: 20, Batch: 50, LR: 1.2e-3, Schedule: "cosine", Optimizer: "adam"}
		for _, s := range []float64{0, .5, .75, .875, .95} {
			name := fmt.Sprintf("%.3f", s)
			g, err := b.mlp(64, 100, 50, 10)
			if err != nil {
				return err
			}
			nnz := int(math.Round(11900 * (1 - s)))
			if s == 0 {
				if err := b.fit(ctx, g, recipe); err != nil {
					return err
				}
				a, err := b.accuracy(ctx, g)
				if err != nil {
					return err
				}
				put("dense", a)
				continue
			}
			set := gmpDefaults()
			set.Sparsity, set.Every = s, 10
			j := &Job{Graph: g, Data: &dataset.Data{Train: b.data.Train, Norm: b.data.Norm}, Recipe: recipe, Settings: set, Seed: seed, Engine: engine.Options{Threads: 1}}
			if _, err := runGMP(ctx, j); err != nil {
				return err
			}
			a, err := b.accuracy(ctx, g)
			if err != nil {
				return err
			}
			put("large-sparse "+name, a)

			small, err := b.mlp(scaledMLP(nnz)...)
			if err != nil {
				return err
			}
			if err := b.fit(ctx, small, recipe); err != nil {
				return err
			}
			if a, err = b.accuracy(ctx, small); err != nil {
				return err
			}
			put("small-dense "+name, a)

			fresh, err := b.mlp(64, 100, 50, 10)
			if err != nil {
				return err
			}
			a, _, err = b.masked(ctx, fresh, recipe, func(ws []*prune.Weight) (*prune.Masks, error) {
				k, err := allocate.Uniform(ws, s)
				if err != nil {
					return nil, err
				}
				return allocate.Select(ws, score.Random(ws, seed), k, prune.CutFirst), nil
			})
			if err != nil {
				return err
			}
			put("random-sparse "+name, a)
		}
		return nil
	},
	Claims: []Claim{
		atLeast("at 50 % large-sparse beats small-dense by 4 points, in every seed", "large-sparse 0.500", "small-dense 0.500", 4, true),
		atLeast("at 75 % large-sparse beats small-dense by 8 points, in every seed", "large-sparse 0.750", "small-dense 0.750", 8, true),
		atLeast("at 87.5 % large-sparse beats small-dense by 6 points", "large-sparse 0.875", "small-dense 0.875", 6, false),
	},
}
