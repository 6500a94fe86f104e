package reproduce

import (
	"context"
	"fmt"

	"pare/evidence"
	"pare/model"
	"pare/model/tickets"
)

var lottery = &evidence.Experiment{
	ID: "09", Name: "lottery",
	About: "Glyph(2, 0.6), MLP 64-100-50-10, Adam 1.2e-3, 15 epochs of 40 steps; 6 and 10 rounds of 20 % (output layer 10 %) of each layer, which leave 27 and 12 % of the weights: the ticket against its mask with weights drawn anew and against a random mask of the same layer counts.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := glyphs(2, .6, 2000, seed, put)
		g, err := b.glyphMLP()
		if err != nil {
			return err
		}
		for _, c := range []struct{ rounds, percent int }{{6, 27}, {10, 12}} {
			s := tickets.NewLottery()
			s.Rounds = c.rounds
			res, err := model.Run(ctx, s, b.judged(g, model.Recipe{Epochs: 15, Batch: 50, LR: 1.2e-3, Schedule: "constant", Optimizer: "adam"}))
			if err != nil {
				return err
			}
			f := res.Facts.(*tickets.Facts)
			put(fmt.Sprintf("ticket %d%%", c.percent), f.Ticket.Value)
			for _, x := range f.Controls {
				put(fmt.Sprintf("%s %d%%", x.Control, c.percent), x.Value)
			}
			if c.rounds == 6 {
				put("dense", f.Dense.Value)
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Beats("at 27 % of the weights the ticket is at most a point and a half below the dense network", "ticket 27%", "dense", -1.5, "reinit 27%", "random 27%"),
		evidence.Beats("at 12 % it beats its mask with weights drawn anew by 6 points", "ticket 12%", "reinit 12%", 6, "reinit 12%", "random 12%"),
		evidence.Beats("at 12 % it beats a random mask by 6 points", "ticket 12%", "random 12%", 6, "random 12%", "reinit 12%"),
	},
}
