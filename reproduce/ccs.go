package reproduce

import (
	"context"
	"fmt"

	"pare/data"
	"pare/data/coreset"
	"pare/data/score"
	"pare/engine"
	"pare/evidence"
	"pare/train/dynamics"
)

var ccs = &evidence.Experiment{
	ID: "31", Name: "ccs",
	About: "MLP 64-100-10 on Glyph(4, 0.6), 2,000 samples, without and with 10 % wrong labels: AUM from a training of 20 epochs on all, then a new network on a tenth of the samples for 600 steps of 25: CCS (cut-off 0.3, 50 strata), without its cut-off, without its strata, the hardest, the easiest, and random samples; and seven tenths (cut-off 0). The distance is that of test samples to the nearest sample kept, before the last layer of the network that was trained on all. That strata cover better than random samples is not shown at this scale.",
	Seeds: 24,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		for _, flips := range []float64{0, .1} {
			if err := ccsAt(ctx, seed, flips, put); err != nil {
				return err
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Beats("at a tenth CCS beats the hardest samples by 9 points", "ccs, 0 % flipped", "hardest, 0 % flipped", 9, "no cut-off, 0 % flipped", "hardest, 0 % flipped"),
		evidence.Beats("with wrong labels it does so by 30 points", "ccs, 10 % flipped", "hardest, 10 % flipped", 30, "no cut-off, 10 % flipped", "hardest, 10 % flipped"),
		evidence.Beats("at a tenth CCS is no more than a point below random samples", "ccs, 0 % flipped", "random, 0 % flipped", -1, "no cut-off, 0 % flipped", "hardest, 0 % flipped"),
		evidence.Beats("with wrong labels it beats random samples by 2 points", "ccs, 10 % flipped", "random, 10 % flipped", 2, "no cut-off, 10 % flipped", "hardest, 10 % flipped"),
		{Text: "of what CCS keeps at most 3 % has a wrong label", Method: "ccs, 10 % flipped", Without: []string{"no cut-off, 10 % flipped", "hardest, 10 % flipped", "random, 10 % flipped"}, Figure: named("wrong labels "), Side: evidence.AtMost, Bound: .03},
		{Text: "with wrong labels test samples are nearer to what CCS keeps than to the hardest, by a twentieth of a unit", Method: "ccs, 10 % flipped", Without: []string{"easiest, 10 % flipped", "hardest, 10 % flipped"}, Figure: nearer("hardest, 10 % flipped"), Side: evidence.AtLeast, Bound: .05},
		evidence.Near("seven tenths of the samples by CCS are within one and a half points of all", "ccs 0.7, 0 % flipped", "all, 0 % flipped", 1.5, "random 0.7, 0 % flipped"),
	},
	Asks: []evidence.Comparison{
		{Text: "strata", Method: "ccs, 0 % flipped", Without: "no strata, 0 % flipped"},
		{Text: "strata, with wrong labels", Method: "ccs, 10 % flipped", Without: "no strata, 10 % flipped"},
	},
}

// nearer is by how much test samples are nearer to what an arm keeps than to what another
// does.
func nearer(other string) evidence.Figure {
	return evidence.Figure{Of: func(v evidence.Values, arm string) []float64 { return v.Diff("distance "+other, "distance "+arm) }}
}

// ccsAt prunes a set with a share of wrong labels.
func ccsAt(ctx context.Context, seed uint64, flips float64, put func(string, float64)) error {
	b := newBench(seed, put)
	wrong := b.flipped(flips)
	log, g, err := b.logged(ctx, 20)
	if err != nil {
		return err
	}
	aum, err := b.scored(ctx, score.NewAUM(), &data.Job{Dynamics: []*dynamics.Log{log}})
	if err != nil {
		return err
	}
	o := engine.Options{Threads: 1}
	of, _, err := data.Embed(ctx, g, "", b.data.Train, b.data.Norm, o)
	if err != nil {
		return err
	}
	test, _, err := data.Embed(ctx, g, "", b.data.Test, b.data.Norm, o)
	if err != nil {
		return err
	}
	const steps = 600
	at := fmt.Sprintf(", %.0f %% flipped", 100*flips)
	_, epochs, err := b.learn(ctx, b.data.Train, steps, "all")
	if err != nil {
		return err
	}
	put("all"+at, last(epochs))
	choose := func(keep, cutoff float64, strata int) *coreset.CCS {
		return &coreset.CCS{Amount: data.Amount{Keep: keep}, Cutoff: cutoff, Strata: strata}
	}
	for _, a := range []struct {
		name string
		m    data.Method
	}{
		{"ccs", choose(.1, .3, 50)}, {"no cut-off", choose(.1, 0, 50)}, {"no strata", choose(.1, .3, 1)}, {"hardest", rank(.1, "hard")}, {"easiest", rank(.1, "easy")}, {"random", fixed(.1)},
		{"ccs 0.7", choose(.7, 0, 50)}, {"random 0.7", fixed(.7)},
	} {
		s, err := b.chosen(ctx, a.name+at, a.m, &data.Job{Score: aum}, steps)
		if err != nil {
			return err
		}
		n, in := 0, map[int32]bool{}
		for _, k := range s.Numbers {
			in[k] = true
			if wrong[k] {
				n++
			}
		}
		put("wrong labels "+a.name+at, float64(n)/float64(len(s.Numbers)))
		var places []int
		for i := range of.N {
			if in[int32(b.data.Train.Number(i))] {
				places = append(places, i)
			}
		}
		c, err := data.Coverage(test, of.Only(places))
		if err != nil {
			return err
		}
		put("distance "+a.name+at, c)
	}
	return nil
}
