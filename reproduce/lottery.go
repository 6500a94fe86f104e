package reproduce

import (
	"context"
	"fmt"

	"pare/dataset"
	"pare/evidence"
	"pare/model"
	"pare/model/tickets"
	"pare/train"
)

// imp prepares a search for tickets of the bench's MLP with the bench's data.
func (b *bench) imp(r model.Recipe, set tickets.Tickets, at int) (*tickets.IMP, error) {
	g, err := b.glyphMLP()
	if err != nil {
		return nil, err
	}
	set.Controls = nil
	return tickets.NewIMP(b.job(g, r), &set, at, 0)
}

var lottery = &evidence.Experiment{
	ID: "09", Name: "lottery",
	About: "Glyph(2, 0.6), MLP 64-100-50-10, Adam 1.2e-3, 15 epochs of 40 steps; 15 rounds of 20 % (output layer 10 %) of each layer: the ticket against its mask with weights drawn anew and against a random mask of the same layer counts, at the share of weights left.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		tr, te := dataset.Glyph(2, .6, 2000, 2000, seed)
		b := &bench{&dataset.Data{Train: tr, Test: te, Norm: dataset.Raw}, seed}
		recipe := model.Recipe{Epochs: 15, Batch: 50, LR: 1.2e-3, Schedule: "constant", Optimizer: "adam"}
		set := tickets.NewLottery().Tickets
		set.Rounds = 15
		p, err := b.imp(recipe, set, 0)
		if err != nil {
			return err
		}
		at := map[int]string{6: "27.3%", 10: "11.7%", 13: "6.3%", 15: "4.2%"}
		p.Trained = func(round int, _ []train.Epoch) error {
			level := at[round]
			if round == 0 {
				a, err := b.accuracy(ctx, p.Graph)
				put("dense", a)
				return err
			}
			if level == "" {
				return nil
			}
			a, err := b.accuracy(ctx, p.Graph)
			if err != nil {
				return err
			}
			put("ticket "+level, a)
			for _, c := range []string{"reinit", "random"} {
				g, _, err := p.Control(ctx, c)
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
		return p.Search(ctx)
	},
	Claims: []evidence.Claim{
		evidence.AtLeast("at 27 % of the weights the ticket is within a point of the dense network", "ticket 27.3%", "dense", -1, false),
		evidence.AtLeast("at 12 % it beats its mask with weights drawn anew by 6 points, in every seed", "ticket 11.7%", "reinit 11.7%", 6, true),
		evidence.AtLeast("at 12 % it beats a random mask by 6 points, in every seed", "ticket 11.7%", "random 11.7%", 6, true),
	},
}
