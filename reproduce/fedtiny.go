package reproduce

import (
	"context"
	"fmt"
	"slices"

	"pare/evidence"
	"pare/model"
	"pare/model/federated"
	"pare/train"
	"pare/zoo"
)

var fedtiny = &evidence.Experiment{
	ID: "23", Name: "fedtiny",
	About: "ResNet-8 (75,002 parameters)",
	Seeds: 3,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b, err := digits(seed, put)
		if err != nil {
			return err
		}
		g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: seed})
		if err != nil {
			return err
		}
		put("(operations) dense", 1)
		put("(memory) dense", 1)
		for _, d := range []struct {
			name    string
			density float64
		}{{"0.02", .02}} {
			for _, a := range []struct {
				name, mask string
				rate       float64
			}{{"fedtiny", "adaptive", .3}, {"at the server", "magnitude", 0}, {"at random", "random", 0}, {"at one client", "local", 0}, {"without choice", "magnitude", .3}, {"without adjustment", "adaptive", 0}} {
				s := federated.NewFedTiny()
				s.Sparsity, s.Mask, s.Rate = 1-d.density, a.mask, a.rate
				s.Rounds, s.Every, s.Blocks, s.Until, s.Proxy, s.Pool = 30, 1, 3, train.Share(.75), .1, 5
				j := b.judged(g, model.Recipe{Epochs: 1, Batch: 20, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4})
				res, err := model.Run(ctx, s, j)
				if err != nil {
					return fmt.Errorf("%s: %w", a.name, err)
				}
				put(a.name+" "+d.name, res.Epochs[len(res.Epochs)-1].Score.Value)
				f := res.Facts.(*federated.Facts)
				if a.name == "fedtiny" {
					chosen(f, put, d.name)
				}
				put("(operations) "+a.name+" "+d.name, operations(f))
				put("(memory) "+a.name+" "+d.name, float64(f.Device.Bytes)/float64(f.Device.DenseBytes))
			}
		}
		return nil
	},
}

// operations are the multiply-accumulates of the clients as a share of those of training the
// whole network.
func operations(f *federated.Facts) float64 {
	sum, whole := 0.0, 0.0
	for _, c := range f.Of {
		sum, whole = sum+float64(c.MACs), whole+float64(c.Whole)
	}
	return sum / whole
}

// chosen puts whether the loss on what is held out of the candidate that was chosen, and of
// the first one, is no worse than the pool's median.
func chosen(f *federated.Facts, put func(string, float64), density string) {
	var all []float64
	for _, c := range f.Pool {
		all = append(all, c.Held)
	}
	slices.Sort(all)
	median := all[len(all)/2]
	for name, c := range map[string]federated.Candidate{"fedtiny": f.Pool[f.Chosen], "first": f.Pool[0]} {
		x := 0.0
		if c.Held <= median {
			x = 1
		}
		put("(no worse than the median) "+name+" "+density, x)
	}
}
