package reproduce

import (
	"context"
	"fmt"
	"math"

	"pare/evidence"
	"pare/model"
	"pare/model/tickets"
	"pare/train"
)

var rewind = &evidence.Experiment{
	ID: "15", Name: "rewind",
	About: "Glyph(4, 0.6), MLP 64-100-50-10, SGD 0.1 with drops at 50 and 75 %, 15 epochs of 40 steps; 11 rounds of 20 % (output layer 10 %), weights rewound to step k: accuracy of the ticket (IMP) and of a random mask of the same layer counts, and how far their weights end apart, between orders of the samples (D_O, the mean over the pairs of 4 orders, as in the paper) and from the dense network (D_P).",
	Seeds: 8,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed)
		recipe := model.Recipe{Epochs: 15, Batch: 50, LR: .1, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 1e-4}
		set := tickets.NewRewind().Tickets
		set.Rounds = 11
		for i, k := range rewindSteps {
			p, err := b.imp(recipe, set, k)
			if err != nil {
				return err
			}
			p.Trained = func(round int, _ []train.Epoch) error {
				if round > 0 || i > 0 {
					return nil
				}
				a, err := b.accuracy(ctx, p.Graph)
				put("dense", a)
				return err
			}
			if err := p.Search(ctx); err != nil {
				return err
			}
			ticket, random, err := p.Stabilities(ctx, 4)
			if err != nil {
				return err
			}
			for name, s := range map[string]*tickets.Stability{"IMP": ticket, "random": random} {
				a, err := b.accuracy(ctx, s.Result)
				if err != nil {
					return err
				}
				at := fmt.Sprintf("%s k=%d", name, k)
				put(at, a)
				put("D_O (L2) "+at, s.Order.L2)
				put("D_P (L2) "+at, s.Prune.L2)
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		ratioBelow("between orders of the samples the ticket moves at most 0.7 times as far as a random mask, for every k and seed", "D_O (L2)", .7, true),
		ratioBelow("it ends nearer to the dense network than a random mask, for every k and seed", "D_P (L2)", 1, false),
		{Text: "the later the weights are rewound to, the nearer: at k = 100 nearer to the dense network than at k = 0, in every seed", Check: func(v evidence.Values) (string, bool) {
			a, b := v["D_P (L2) IMP k=100"], v["D_P (L2) IMP k=0"]
			r := largestRatio(a, b)
			return fmt.Sprintf("%.2f against %.2f; ratio at most %.2f", v.Mean("D_P (L2) IMP k=100"), v.Mean("D_P (L2) IMP k=0"), r), r < 1
		}},
		evidence.AtLeast("at k = 0 the ticket beats a random mask by 15 points", "IMP k=0", "random k=0", 15, false),
		evidence.AtLeast("at k = 20 too", "IMP k=20", "random k=20", 15, false),
		evidence.AtLeast("at k = 100 too", "IMP k=100", "random k=100", 15, false),
	},
}

var rewindSteps = []int{0, 20, 100}

// largestRatio is the largest of a over b, seed by seed; NaN, which is below nothing,
// where there is none.
func largestRatio(a, b []float64) float64 {
	if len(a) == 0 {
		return math.NaN()
	}
	out := math.Inf(-1)
	for i := range a {
		out = max(out, a[i]/b[i])
	}
	return out
}

// ratioBelow claims that a distance of the ticket is at most (or less than) a share of
// that of a random mask, for every k and seed.
func ratioBelow(text, what string, most float64, equal bool) evidence.Claim {
	return evidence.Claim{Text: text, Check: func(v evidence.Values) (string, bool) {
		s, worst := "", 0.0
		for _, k := range rewindSteps {
			at := fmt.Sprintf("k=%d", k)
			s += fmt.Sprintf("%s %.2f against %.2f; ", at, v.Mean(what+" IMP "+at), v.Mean(what+" random "+at))
			worst = max(worst, largestRatio(v[what+" IMP "+at], v[what+" random "+at]))
		}
		return fmt.Sprintf("%sratio at most %.2f", s, worst), worst < most || equal && worst == most
	}}
}
