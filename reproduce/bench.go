// Package reproduce puts the papers' claims to the test at small scale: one file a
// paper, an experiment each. It stands above all methods.
package reproduce

import (
	"context"
	"fmt"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/hook"
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

// job trains a network on the bench's training set, and holds nothing out.
func (b *bench) job(g *graph.Graph, r model.Recipe) *model.Job {
	return &model.Job{Graph: g, Data: &dataset.Data{Train: b.data.Train, Norm: b.data.Norm}, Recipe: r, Seed: b.seed, Engine: engine.Options{Threads: 1}}
}

// fit trains by a recipe; hooks as for training.
func (b *bench) fit(ctx context.Context, g *graph.Graph, r model.Recipe, hooks ...train.Hook) error {
	_, err := b.job(g, r).Fit(ctx, g, hooks...)
	return err
}

func (b *bench) accuracy(ctx context.Context, g *graph.Graph) (float64, error) {
	m, err := train.NewEval(b.data.Test, b.data.Norm, 200, engine.Options{Threads: 1}).Run(ctx, g)
	return m.Value(), err
}

// masked fine-tunes a copy of a network with masks chosen by pick.
func (b *bench) masked(ctx context.Context, g *graph.Graph, r model.Recipe, pick func(ws []*prune.Weight) (*prune.Masks, error)) (float64, *prune.Masks, error) {
	c, _ := g.Clone(true)
	ws, err := prune.Weights(c, prune.Scope{})
	if err != nil {
		return 0, nil, err
	}
	m, err := pick(ws)
	if err != nil {
		return 0, nil, err
	}
	if err := b.fit(ctx, c, r, &hook.Hold{Masks: m}); err != nil {
		return 0, nil, err
	}
	a, err := b.accuracy(ctx, c)
	return a, m, err
}

// glyphMLP is the network of most experiments.
func (b *bench) glyphMLP() (*graph.Graph, error) { return b.mlp(64, 100, 50, 10) }

// pretrainedMLP is the network that experiments on pretrained weights begin
// with: the MLP 64-100-50-10 after 15 epochs on Glyph(4, 0.6).
func (b *bench) pretrainedMLP(ctx context.Context) (*graph.Graph, error) {
	g, err := b.glyphMLP()
	if err != nil {
		return nil, err
	}
	return g, b.fit(ctx, g, model.Recipe{Epochs: 15, Batch: 50, LR: .1, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 5e-4})
}

// prune runs a method on a copy of a network and gives the test accuracy.
func (b *bench) prune(ctx context.Context, m model.Method, g *graph.Graph, r model.Recipe) (float64, error) {
	c, _ := g.Clone(true)
	res, err := model.Run(ctx, m, b.job(c, r))
	if err != nil {
		return 0, err
	}
	return b.accuracy(ctx, res.Graph)
}

// train trains the MLP 64-100-50-10 by a method and gives its accuracy.
func (b *bench) train(ctx context.Context, m model.Method, r model.Recipe) (float64, error) {
	g, err := b.glyphMLP()
	if err != nil {
		return 0, err
	}
	if _, err := model.Run(ctx, m, b.job(g, r)); err != nil {
		return 0, err
	}
	return b.accuracy(ctx, g)
}

// trained trains a network as the recipe says and gives its accuracy.
func (b *bench) trained(ctx context.Context, g *graph.Graph, r model.Recipe) (float64, error) {
	if err := b.fit(ctx, g, r); err != nil {
		return 0, err
	}
	return b.accuracy(ctx, g)
}
