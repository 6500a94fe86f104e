// Package reproduce puts the papers' claims to the test at small scale: an experiment a
// method. Every arm is a method that runs as a user's does, through model.Run. It stands
// above all methods.
package reproduce

import (
	"context"
	"fmt"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/model"
	"pare/model/oneshot"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
	"pare/train"
	"pare/zoo"
)

// bench is the small set-up that experiments share: samples, and methods that run on
// one thread, for seeds run side by side.
type bench struct {
	data *dataset.Data
	seed uint64
	put  func(name string, x float64)
}

// newBench has Glyph(4, 0.6), 2,000 samples to train on and 2,000 to test with.
func newBench(seed uint64, put func(string, float64)) *bench { return glyphs(4, .6, 2000, seed, put) }

func glyphs(prototypes int, noise float64, samples int, seed uint64, put func(string, float64)) *bench {
	tr, te := dataset.Glyph(prototypes, noise, samples, 2000, seed)
	return &bench{&dataset.Data{Train: tr, Test: te, Norm: dataset.Raw}, seed, put}
}

// digits has the handwritten digits, split by the seed.
func digits(seed uint64, put func(string, float64)) (*bench, error) {
	d, err := dataset.Open(fmt.Sprintf("digits?seed=%d", seed))
	return &bench{d, seed, put}, err
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

// glyphMLP is the network of most experiments.
func (b *bench) glyphMLP() (*graph.Graph, error) { return b.mlp(64, 100, 50, 10) }

// job works on a copy of a network with the bench's training set, and holds nothing out.
func (b *bench) job(g *graph.Graph, r model.Recipe) *model.Job {
	c, _ := g.Clone(true)
	return &model.Job{Graph: c, Data: &dataset.Data{Train: b.data.Train, Norm: b.data.Norm}, Recipe: r, Seed: b.seed, Engine: engine.Options{Threads: 1}}
}

// judged is such a job whose networks are judged, not chosen, by the test set.
func (b *bench) judged(g *graph.Graph, r model.Recipe) *model.Job {
	j := b.job(g, r)
	j.Data.Test = b.data.Test
	return j
}

func (b *bench) accuracy(ctx context.Context, g *graph.Graph) (float64, error) {
	m, err := train.NewEval(b.data.Test, b.data.Norm, 200, engine.Options{Threads: 1}).Run(ctx, g)
	return m.Value(), err
}

// trained trains a network by a recipe.
func (b *bench) trained(ctx context.Context, g *graph.Graph, r model.Recipe) error {
	j := b.job(g, r)
	j.Graph = g
	_, err := j.Fit(ctx, g)
	return err
}

// pretrained is the recipe of networks that methods begin with.
var pretrained = model.Recipe{Epochs: 15, Batch: 50, LR: .1, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}

// pretrainedMLP is the MLP 64-100-50-10 after 15 epochs.
func (b *bench) pretrainedMLP(ctx context.Context) (*graph.Graph, error) {
	g, err := b.glyphMLP()
	if err != nil {
		return nil, err
	}
	return g, b.trained(ctx, g, pretrained)
}

// arm is a method under a name.
type arm struct {
	name string
	m    model.Method
}

// arms runs methods on copies of a network and puts the test accuracies.
func (b *bench) arms(ctx context.Context, g *graph.Graph, r model.Recipe, arms ...arm) error {
	for _, a := range arms {
		res, err := model.Run(ctx, a.m, b.job(g, r))
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		x, err := b.accuracy(ctx, res.Graph)
		if err != nil {
			return err
		}
		b.put(a.name, x)
	}
	return nil
}

// dense puts the accuracy of a network as it is.
func (b *bench) dense(ctx context.Context, name string, g *graph.Graph) error {
	x, err := b.accuracy(ctx, g)
	if err == nil {
		b.put(name, x)
	}
	return err
}

// atRandom keeps weights at random places, as many of each layer as an allocation says.
func (b *bench) atRandom(sparsity float64, a allocate.Name) *oneshot.Ranked {
	return &oneshot.Ranked{Sparsity: sparsity, Allocate: a, Score: func(_ context.Context, _ *model.Job, ws []*prune.Weight) ([][]float32, error) {
		return score.Random(ws, b.seed), nil
	}}
}
