package method

import (
	"context"
	"fmt"

	"pare/dataset"
	"pare/engine"
	"pare/train"
)

// huntOn prepares a search with the bench's data, for seeds run side by side.
func (b *bench) huntOn(r Recipe, set Tickets, at int, sizes ...int) (*hunt, error) {
	g, err := b.mlp(sizes...)
	if err != nil {
		return nil, err
	}
	set.Controls = nil
	return newHunt(&Job{Graph: g, Data: &dataset.Data{Train: b.data.Train, Norm: b.data.Norm}, Recipe: r, Seed: b.seed, Engine: engine.Options{Threads: 1}}, &set, at)
}

var lotteryClaims = &Experiment{
	About: "Glyph(2, 0.6), MLP 64-100-50-10, Adam 1.2e-3, 15 epochs of 40 steps; 15 rounds of 20 % (output layer 10 %) of each layer: the ticket against its mask with weights drawn anew and against a random mask of the same layer counts, at the share of weights left.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		tr, te := dataset.Glyph(2, .6, 2000, 2000, seed)
		b := &bench{&dataset.Data{Train: tr, Test: te, Norm: dataset.Raw}, seed}
		recipe := Recipe{Epochs: 15, Batch: 50, LR: 1.2e-3, Schedule: "constant", Optimizer: "adam"}
		set := ticketDefaults()
		set.Rounds = 15
		h, err := b.huntOn(recipe, set, 0, 64, 100, 50, 10)
		if err != nil {
			return err
		}
		at := map[int]string{6: "27.3%", 10: "11.7%", 13: "6.3%", 15: "4.2%"}
		h.trained = func(round int, _ []train.Epoch) error {
			level := at[round]
			if round == 0 {
				a, err := b.accuracy(ctx, h.Graph)
				put("dense", a)
				return err
			}
			if level == "" {
				return nil
			}
			a, err := b.accuracy(ctx, h.Graph)
			if err != nil {
				return err
			}
			put("ticket "+level, a)
			for _, c := range []string{"reinit", "random"} {
				g, _, err := h.control(ctx, c)
				if err != nil {
					return err
				}
				if a, err = b.accuracy(ctx, g); err != nil {
					return err
				}
				put(fmt.Sprintf("%s %s", c, level), a)
			}
			return nil
		}
		return h.search(ctx)
	},
	Claims: []Claim{
		atLeast("at 27 % of the weights the ticket is within a point of the dense network", "ticket 27.3%", "dense", -1, false),
		atLeast("at 12 % it beats its mask with weights drawn anew by 6 points, in every seed", "ticket 11.7%", "reinit 11.7%", 6, true),
		atLeast("at 12 % it beats a random mask by 6 points, in every seed", "ticket 11.7%", "random 11.7%", 6, true),
	},
}
