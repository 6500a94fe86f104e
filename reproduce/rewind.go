package reproduce

import (
	"context"
	"fmt"

	"pare/evidence"
	"pare/model"
	"pare/model/tickets"
)

var rewind = &evidence.Experiment{
	ID: "15", Name: "rewind",
	About: "Glyph(4, 0.6), MLP 64-100-50-10, SGD 0.1 with drops at 50 and 75 %, 15 epochs of 40 steps; 11 rounds of 20 % (output layer 10 %), weights rewound to step k: accuracy of the ticket and of a random mask of the same layer counts, and how far their weights end apart, between orders of the samples (D_O, the mean over the pairs of 3 orders) and from the dense network (D_P).",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := b.glyphMLP()
		if err != nil {
			return err
		}
		recipe := model.Recipe{Epochs: 15, Batch: 50, LR: .1, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 1e-4}
		for _, k := range []string{"0", "20", "100"} {
			s := tickets.NewRewind()
			if err := s.To.UnmarshalText([]byte(k + "it")); err != nil {
				return err
			}
			s.Rounds, s.Controls, s.Stability = 11, []string{"random"}, 3
			res, err := model.Run(ctx, s, b.judged(g, recipe))
			if err != nil {
				return err
			}
			f := res.Facts.(*tickets.Facts)
			if k == "0" {
				put("dense", f.Dense.Value)
			}
			put("ticket k="+k, f.Ticket.Value)
			put("random k="+k, f.Controls[0].Value)
			for i, name := range []string{"ticket", "random"} {
				put(fmt.Sprintf("D_O (L2) %s k=%s", name, k), f.Stability[i].Order.L2)
				put(fmt.Sprintf("D_P (L2) %s k=%s", name, k), f.Stability[i].Prune.L2)
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		atMost("at k = 0, between orders of the samples, the ticket moves at most 0.7 times as far as a random mask", "D_O (L2) ", "ticket k=0", "random k=0", .7, "random k=0"),
		atMost("at k = 20 too", "D_O (L2) ", "ticket k=20", "random k=20", .7, "random k=20"),
		atMost("at k = 100 too", "D_O (L2) ", "ticket k=100", "random k=100", .7, "random k=100"),
		atMost("at k = 100 it ends at most 0.95 times as far from the dense network as a random mask", "D_P (L2) ", "ticket k=100", "random k=100", .95, "random k=100"),
		atMost("rewound to k = 100 it ends at most 0.8 times as far from the dense network as rewound to the initial weights", "D_P (L2) ", "ticket k=100", "ticket k=0", .8, "ticket k=0"),
		evidence.Beats("at k = 0 the ticket beats a random mask by 15 points", "ticket k=0", "random k=0", 15, "random k=0"),
		evidence.Beats("at k = 20 too", "ticket k=20", "random k=20", 15, "random k=20"),
		evidence.Beats("at k = 100 too", "ticket k=100", "random k=100", 15, "random k=100"),
	},
	Asks: []evidence.Comparison{{Text: "rewinding to step 100, in accuracy", Method: "ticket k=100", Without: "ticket k=0"}},
}

// atMost claims that a value of an arm, named after a prefix, is at most a share of another's.
func atMost(text, prefix, method, other string, most float64, without ...string) evidence.Claim {
	return evidence.Claim{Text: text, Method: method, Without: without, Figure: evidence.Ratio(prefix, other), Side: evidence.AtMost, Bound: most}
}
