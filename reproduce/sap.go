package reproduce

import (
	"context"

	"pare/evidence"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/model/tickets"
)

// wholeIndex is the index of a network of n weights, of which those that are not in x are
// zero: not of what is left, as the method has it.
func wholeIndex(n int) func(x []float32) float64 {
	return func(x []float32) float64 { return measure.PQ(append(make([]float32, n-len(x)), x...), .5, 1) }
}

var sap = &evidence.Experiment{
	ID: "05", Name: "sap",
	About: "The digits, 10 epochs a round. MLP 64-24-12-10, 12 rounds of SAP (p 1/2, q 1, eta 0) over all weights: as it is, with a fixed 35 % of the rest in place of what the index says, and with the index of all weights in place of those that are left. MLP 64-100-50-10: 6 rounds (eta 0.2) against 12 rounds of 20 % (lottery ticket), which leave about as much.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b, err := digits(seed, put)
		if err != nil {
			return err
		}
		narrow, err := b.mlp(64, 24, 12, 10)
		if err != nil {
			return err
		}
		wide, err := b.glyphMLP()
		if err != nil {
			return err
		}
		recipe := model.Recipe{Epochs: 10, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "nesterov", Momentum: .9, Decay: 5e-4}
		for _, a := range []struct {
			name   string
			g      *graph.Graph
			rounds int
			eta    float64
			index  func([]float32) float64
		}{
			{"sap", narrow, 12, 0, nil}, {"fixed rate", narrow, 12, 0, func([]float32) float64 { return .35 }}, {"index of all", narrow, 12, 0, wholeIndex(1944)},
			{"sap wide", wide, 6, .2, nil}, {"index of all wide", wide, 6, .2, wholeIndex(11900)},
		} {
			s := tickets.NewSAP()
			s.Scope, s.Eta, s.Rounds, s.Index = "global", a.eta, a.rounds, a.index
			res, err := model.Run(ctx, s, b.judged(a.g, recipe))
			if err != nil {
				return err
			}
			left := res.Facts.(*tickets.SAPTrace).Left
			n := len(left) - 1
			put("dense "+a.name, res.Epochs[recipe.Epochs-1].Score.Value)
			put(a.name, res.Epochs[len(res.Epochs)-1].Score.Value)
			put("left "+a.name, left[n])
			put("cut first "+a.name, 1-left[1]/left[0])
			put("cut fourth "+a.name, 1-left[4]/left[3])
		}
		l := tickets.NewLottery()
		l.Rounds, l.Output, l.Global, l.Controls = 12, -1, true, []string{"none"}
		res, err := model.Run(ctx, l, b.judged(wide, recipe))
		if err != nil {
			return err
		}
		f := res.Facts.(*tickets.Facts)
		put("lottery", f.Ticket.Value)
		put("left lottery", f.Kept)
		return nil
	},
	Claims: []evidence.Claim{
		{Text: "it cuts less and less as less is left: the share of the first round is at least 1.5 times that of the fourth", Method: "sap", Without: []string{"fixed rate", "index of all"}, Side: evidence.AtLeast, Bound: 1.5,
			Figure: evidence.Figure{Of: func(v evidence.Values, arm string) []float64 {
				var out []float64
				for i, x := range v["cut first "+arm] {
					out = append(out, x/v["cut fourth "+arm][i])
				}
				return out
			}}},
		evidence.Beats("and it stops before the network breaks: after 12 rounds it is at most 2 points below the dense one", "sap", "dense sap", -2, "fixed rate", "index of all"),
		evidence.Near("over 6 rounds it is within 1.5 points of a lottery ticket of 12 rounds", "sap wide", "lottery", 1.5, "index of all wide"),
	},
}
