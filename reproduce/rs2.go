package reproduce

import (
	"context"
	"fmt"
	"math"

	"pare/data"
	"pare/data/score"
	"pare/evidence"
	"pare/train"
	"pare/train/dynamics"
)

var rs2 = &evidence.Experiment{
	ID: "13", Name: "rs2",
	About: "MLP 64-100-10 on Glyph(4, 0.6), 2,000 samples, SGD with Nesterov's momentum along a cosine over all steps, batches of 25, rounds of 5 % (60 of them) and of 10 % (40): a new random subset each round, without and with replacement, beside one random subset, the hardest by EL2N (of a training of 10 epochs), and all samples for as many steps. A clock is the steps, as a share of the static run's, by which its best accuracy is reached; accuracies are those after the last round. That with and without replacement are within a point of each other is not so here, where all rounds together are three or four passes over the data: with replacement some samples are never seen.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		log, _, err := b.logged(ctx, 10)
		if err != nil {
			return err
		}
		el2n, err := b.scored(ctx, score.NewEL2N(), &data.Job{Dynamics: []*dynamics.Log{log}})
		if err != nil {
			return err
		}
		for _, x := range []struct {
			share  float64
			rounds int
		}{{.05, 60}, {.1, 40}} {
			at := fmt.Sprintf(" %.2f", x.share)
			steps := x.rounds * int(x.share*2000) / fromScratch.Batch
			runs := map[string][]train.Epoch{}
			// In the order of the seed the rounds without replacement would be the very batches
			// of an epoch of all samples.
			for _, a := range []struct {
				name, sampler string
				order         uint64
			}{{"rs2", fmt.Sprintf("rs2:%v", x.share), seed}, {"replace", fmt.Sprintf("rs2:%v:replace", x.share), seed}, {"all", "all", seed + 1<<32}} {
				if _, runs[a.name], err = b.learnIn(ctx, b.data.Train, steps, a.sampler, a.order); err != nil {
					return err
				}
				put(a.name+at, last(runs[a.name]))
			}
			s, err := data.Run(ctx, fixed(x.share), &data.Job{Set: b.data.Train, Seed: seed})
			if err != nil {
				return err
			}
			set, err := s.Subset.Select(b.data.Train)
			if err != nil {
				return err
			}
			if _, runs["static"], err = b.learn(ctx, set, steps, "all"); err != nil {
				return err
			}
			put("static"+at, last(runs["static"]))
			if _, err := b.chosen(ctx, "el2n hardest"+at, rank(x.share, "hard"), &data.Job{Score: el2n}, steps); err != nil {
				return err
			}
			best := 0.0
			for _, e := range runs["static"] {
				best = max(best, e.Score.Value)
			}
			for _, name := range []string{"rs2", "static"} {
				put("clock "+name+at, reached(runs[name], best)/reached(runs["static"], best))
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Beats("at 5 % new subsets beat one subset by 3 points", "rs2 0.05", "static 0.05", 3, "static 0.05", "el2n hardest 0.05"),
		{Text: "they do so in every seed", Method: "rs2 0.05", Without: []string{"static 0.05", "el2n hardest 0.05"}, Figure: everySeed("static 0.05"), Side: evidence.AtLeast, Bound: 1},
		evidence.Beats("at 5 % they beat the hardest samples by EL2N by 5 points", "rs2 0.05", "el2n hardest 0.05", 5, "el2n hardest 0.05"),
		evidence.Near("at 5 % they are within 1.5 points of all samples for as many steps", "rs2 0.05", "all 0.05", 1.5, "static 0.05"),
		{Text: "at 5 % they reach the static subset's best accuracy in half of its steps", Method: "rs2 0.05", Without: []string{"static 0.05"}, Figure: named("clock "), Side: evidence.AtMost, Bound: .5},
		evidence.Beats("at 10 % new subsets beat one subset by a point", "rs2 0.10", "static 0.10", 1, "static 0.10", "el2n hardest 0.10"),
	},
	Asks: []evidence.Comparison{
		{Text: "no replacement, at 5 %", Method: "rs2 0.05", Without: "replace 0.05"},
		{Text: "no replacement, at 10 %", Method: "rs2 0.10", Without: "replace 0.10"},
	},
}

// reached is the step after which a training has first come to an accuracy; infinite
// where it never has.
func reached(epochs []train.Epoch, accuracy float64) float64 {
	for _, e := range epochs {
		if e.Score.Value >= accuracy {
			return float64(e.Step)
		}
	}
	return math.Inf(1)
}
