package method

import (
	"context"
	"fmt"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
	"pare/train"
	"pare/zoo"
)

// bench is the small set-up that experiments share: Glyph and an MLP, on one
// thread, for seeds run side by side.
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
