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
	About: "ResNet-8 (75,002 parameters) on Glyph(4, 0.6): 100 samples are the server's, which trains on them for 5 epochs, 900 those of 10 clients, divided by Dirichlet(0.5). 2 % of the parameters stay (fedtiny also: 5 %); 24 rounds of one local epoch, the mask chosen of 5, and a third of the layers adjusted after each of the first 18. Beside it the mask is fixed: by magnitude at the server, at random, by magnitude at one client; and either ingredient is left out. Operations and memory are the clients' as shares of those of the whole network; below the median: by how much the loss on the test set of the candidate that was chosen, and of the one that clients liked least, is below the median of the pool's. That it beats random masks by 3 points, and that the choice is no worse than the median in every seed, is not shown at this scale.",
	Seeds: 3,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := glyphs(4, .6, 1000, seed, put)
		g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: seed})
		if err != nil {
			return err
		}
		put("(operations) dense", 1)
		put("(memory) dense", 1)
		for _, a := range []struct {
			name, mask    string
			rate, density float64
		}{
			{"fedtiny", "adaptive", .3, .02}, {"at the server", "magnitude", 0, .02}, {"at random", "random", 0, .02}, {"at one client", "local", 0, .02},
			{"without choice", "magnitude", .3, .02}, {"without adjustment", "adaptive", 0, .02}, {"fedtiny at 5 %", "adaptive", .3, .05},
		} {
			s := federated.NewFedTiny()
			s.Sparsity, s.Mask, s.Rate = 1-a.density, a.mask, a.rate
			s.Rounds, s.Every, s.Blocks, s.Until, s.Proxy, s.Pool = 24, 1, 3, train.Share(.75), .1, 5
			res, err := model.Run(ctx, s, b.judged(g, model.Recipe{Epochs: 1, Batch: 20, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}))
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			f := res.Facts.(*federated.Facts)
			put(a.name, res.Epochs[len(res.Epochs)-1].Score.Value)
			put("(operations) "+a.name, operations(f))
			put("(memory) "+a.name, float64(f.Device.Bytes)/float64(f.Device.DenseBytes))
			if a.name == "fedtiny" {
				chosen(f, put)
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Beats("it beats a mask by magnitude at the server by 3 points", "fedtiny", "at the server", 3, "at the server", "without adjustment"),
		evidence.Beats("it beats a mask by magnitude at one client by 3 points", "fedtiny", "at one client", 3, "at one client", "without adjustment"),
		{Text: "the loss of the candidate that is chosen is below the pool's median by 0.01", Method: "fedtiny", Without: []string{"least liked"}, Side: evidence.AtLeast, Bound: .01, Figure: valueOf("(below the median) ")},
		{Text: "at 5 % clients compute at most 15 % of what the whole network takes", Method: "fedtiny at 5 %", Without: []string{"dense"}, Side: evidence.AtMost, Bound: .15, Figure: valueOf("(operations) ")},
		{Text: "and hold at most 15 % of its bytes", Method: "fedtiny at 5 %", Without: []string{"dense"}, Side: evidence.AtMost, Bound: .15, Figure: valueOf("(memory) ")},
	},
	Asks: []evidence.Comparison{
		{Text: "the mask's choice and adjustment, beside random masks", Method: "fedtiny", Without: "at random"},
		{Text: "the choice of the mask, where it is adjusted", Method: "fedtiny", Without: "without choice"},
		{Text: "the choice of the mask, where it stays", Method: "without adjustment", Without: "at the server"},
	},
}

// valueOf is the value of an arm that is named after a prefix.
func valueOf(prefix string) evidence.Figure {
	return evidence.Figure{Of: func(v evidence.Values, arm string) []float64 { return v[prefix+arm] }}
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

// chosen puts by how much the loss on what is held out of the candidate that was chosen, and
// of the one that clients liked least, is below the pool's median.
func chosen(f *federated.Facts, put func(string, float64)) {
	var all []float64
	least := 0
	for i, c := range f.Pool {
		if all = append(all, c.Held); c.Loss > f.Pool[least].Loss {
			least = i
		}
	}
	slices.Sort(all)
	median := all[len(all)/2]
	put("(below the median) fedtiny", median-f.Pool[f.Chosen].Held)
	put("(below the median) least liked", median-f.Pool[least].Held)
}
