package reproduce

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"pare/data"
	"pare/data/coreset"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/model"
	"pare/train"
	"pare/train/dynamics"
)

// fromScratch is the recipe of networks that learn from a subset; its epochs follow from
// the steps.
var fromScratch = model.Recipe{Batch: 25, LR: .05, Schedule: "cosine", Optimizer: "nesterov", Momentum: .9, Decay: 5e-4}

// learn trains the network of these experiments on a set for a number of steps, by a
// sampler, and gives it with its epochs, judged by the test set after each.
func (b *bench) learn(ctx context.Context, set *dataset.Set, steps int, sampler string, watch ...train.Hook) (*graph.Graph, []train.Epoch, error) {
	return b.learnIn(ctx, set, steps, sampler, b.seed, watch...)
}

// learnIn is learn with the samples in another order.
func (b *bench) learnIn(ctx context.Context, set *dataset.Set, steps int, sampler string, order uint64, watch ...train.Hook) (*graph.Graph, []train.Epoch, error) {
	g, err := b.mlp(64, 100, 10)
	if err != nil {
		return nil, nil, err
	}
	r := fromScratch
	r.Sampler, r.Batch = sampler, min(r.Batch, set.Len())
	s, err := dataset.ParseSampler(sampler)
	if err != nil {
		return nil, nil, err
	}
	r.Epochs = steps / (&dataset.Loader{Set: set, Size: r.Batch, Sampler: s}).Steps()
	j := &model.Job{Graph: g, Data: &dataset.Data{Train: set, Test: b.data.Test, Norm: b.data.Norm}, Recipe: r, Seed: b.seed, Order: order, Engine: engine.Options{Threads: 1}}
	epochs, err := j.Fit(ctx, g, watch...)
	return g, epochs, err
}

// logged trains on all samples for a number of epochs, and gives what it made of each of
// them, beside the network.
func (b *bench) logged(ctx context.Context, epochs int) (*dynamics.Log, *graph.Graph, error) {
	dir, err := os.MkdirTemp("", "pare")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	r := dynamics.NewRecorder(filepath.Join(dir, "log"), dynamics.About{})
	defer r.Close()
	set := b.data.Train
	g, _, err := b.learn(ctx, set, epochs*(set.Len()/fromScratch.Batch), "all", r)
	if err != nil {
		return nil, nil, err
	}
	l, err := dynamics.Read(r.Path)
	return l, g, err
}

// last is the accuracy after the last epoch.
func last(epochs []train.Epoch) float64 { return epochs[len(epochs)-1].Score.Value }

// chosen puts the accuracy of a network that learns from what a method keeps, for a number
// of steps.
func (b *bench) chosen(ctx context.Context, name string, m data.Method, j *data.Job, steps int) (*data.Subset, error) {
	k := *j
	k.Set, k.Norm, k.Seed, k.Engine = b.data.Train, b.data.Norm, b.seed, engine.Options{Threads: 1}
	res, err := data.Run(ctx, m, &k)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	set, err := res.Subset.Select(b.data.Train)
	if err != nil {
		return nil, err
	}
	_, epochs, err := b.learn(ctx, set, steps, "all")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	b.put(name, last(epochs))
	return res.Subset, nil
}

// flipped gives a share of the samples another label, and says which.
func (b *bench) flipped(share float64) map[int32]bool {
	out := map[int32]bool{}
	if share == 0 {
		return out
	}
	r := rand.New(rand.NewPCG(b.seed, 0xf11b))
	set := b.data.Train.Stored()
	y := *set.Class()
	y.Ints = slices.Clone(y.Ints)
	for _, i := range r.Perm(b.data.Train.Len())[:int(share*float64(b.data.Train.Len()))] {
		k := b.data.Train.Number(i)
		y.Ints[k] = (y.Ints[k] + 1 + int32(r.IntN(y.Classes-1))) % int32(y.Classes)
		out[int32(k)] = true
	}
	c := *b.data.Train
	c.Fields = slices.Clone(c.Fields)
	for i, f := range c.Fields {
		if f == set.Class() {
			c.Fields[i] = &y
		}
	}
	d := *b.data
	d.Train = &c
	b.data = &d
	return out
}

// scored runs a method that scores.
func (b *bench) scored(ctx context.Context, m data.Method, j *data.Job) (*data.Score, error) {
	j.Set, j.Norm, j.Seed, j.Engine = b.data.Train, b.data.Norm, b.seed, engine.Options{Threads: 1}
	res, err := data.Run(ctx, m, j)
	if err != nil {
		return nil, err
	}
	return res.Score, nil
}

// rank keeps the hard or the easy end.
func rank(keep float64, end string) *coreset.Rank {
	r := coreset.NewRank()
	r.Keep, r.End = keep, end
	return r
}

// fixed keeps samples at random, once.
func fixed(keep float64) *coreset.Random {
	r := coreset.NewRandom()
	r.Keep = keep
	return r
}
