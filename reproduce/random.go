package reproduce

import (
	"context"
	"fmt"
	"math"

	"pare/evidence"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
)

// randomWidths are the widths of the experiment's networks.
var randomWidths = []int{32, 64, 128, 256}

var random = &evidence.Experiment{
	ID: "33", Name: "random",
	About: "Glyph(4, 0.6), MLP 64-w-w-10 of widths 32 to 256, 12 epochs, a fifth of the weights at random places before training, spread by ERK or uniformly, against the dense network.",
	Seeds: 3,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed)
		recipe := model.Recipe{Epochs: 12, Batch: 50, LR: .1, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}
		for _, width := range randomWidths {
			g, err := b.mlp(64, width, width, 10)
			if err != nil {
				return err
			}
			for _, arm := range []struct {
				name     string
				allocate func(ws []*prune.Weight) ([]int, error)
			}{
				{"dense", func(ws []*prune.Weight) ([]int, error) { return allocate.UniformExact(ws, 0) }},
				{"ERK", func(ws []*prune.Weight) ([]int, error) { return allocate.ErdosRenyi(ws, .8, true) }},
				{"uniform", func(ws []*prune.Weight) ([]int, error) { return allocate.UniformExact(ws, .8) }},
			} {
				a, _, err := b.masked(ctx, g, recipe, func(ws []*prune.Weight) (*prune.Masks, error) {
					keep, err := arm.allocate(ws)
					if err != nil {
						return nil, err
					}
					return allocate.Select(ws, score.Random(ws, seed), keep, prune.CutFirst), nil
				})
				if err != nil {
					return err
				}
				put(fmt.Sprintf("%s %03d", arm.name, width), a)
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		{Text: "the gap of ERK to dense falls with every doubling of the width", Check: func(v evidence.Values) (string, bool) {
			said, ok, last := "", true, math.Inf(1)
			for _, w := range randomWidths {
				g := randomGap(v, w)
				said += fmt.Sprintf(" %.1f", 100*g)
				ok = ok && g < last
				last = g
			}
			return said[1:] + " pp", ok
		}},
		{Text: "at width 256 the gap is at most 3 points", Check: func(v evidence.Values) (string, bool) {
			g := randomGap(v, 256)
			return fmt.Sprintf("%.1f pp", 100*g), g <= .03
		}},
		{Text: "and at most a fifth of the gap at width 32", Check: func(v evidence.Values) (string, bool) {
			r := randomGap(v, 256) / randomGap(v, 32)
			return fmt.Sprintf("%.2f of it", r), r <= .2
		}},
		{Text: "ERK beats uniform by 1 point over all widths", Check: func(v evidence.Values) (string, bool) {
			sum := 0.0
			for _, w := range randomWidths {
				sum += v.Mean(fmt.Sprintf("ERK %03d", w)) - v.Mean(fmt.Sprintf("uniform %03d", w))
			}
			sum /= float64(len(randomWidths))
			return fmt.Sprintf("%+.1f pp", 100*sum), sum >= .01
		}},
	},
}

// randomGap is how much the ERK network of a width lacks of the dense one.
func randomGap(v evidence.Values, width int) float64 {
	return v.Mean(fmt.Sprintf("dense %03d", width)) - v.Mean(fmt.Sprintf("ERK %03d", width))
}
