package reproduce

import (
	"context"
	"fmt"

	"pare/evidence"
	"pare/measure"
	"pare/model"
	"pare/model/tickets"
)

var sap = &evidence.Experiment{
	ID: "05", Name: "sap",
	About: "x",
	Seeds: 4,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b, err := digits(seed, put)
		if err != nil {
			return err
		}
		recipe := model.Recipe{Epochs: 10, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "nesterov", Momentum: .9, Decay: 5e-4}
		for _, net := range [][]int{{64, 100, 50, 10}, {64, 400, 200, 10}, {64, 24, 12, 10}} {
			g, err := b.mlp(net...)
			if err != nil {
				return err
			}
			n := net[0]*net[1] + net[1]*net[2] + net[2]*net[3]
			for _, scope := range []string{"layer", "global"} {
				set := func(index func([]float32) float64) *tickets.SAP {
					s := tickets.NewSAP()
					s.Scope, s.Eta, s.Rounds, s.Index = scope, 0, 12, index
					return s
				}
				whole := func(x []float32) float64 { return measure.PQ(append(append([]float32{}, x...), make([]float32, n-len(x))...), .5, 1) }
				for _, a := range []struct {
					name string
					s    *tickets.SAP
				}{{"sap", set(nil)}, {"fixed", set(func([]float32) float64 { return .35 })}, {"all", set(whole)}} {
					if a.name == "all" && scope == "layer" {
						continue
					}
					res, err := model.Run(ctx, a.s, b.judged(g, recipe))
					if err != nil {
						return err
					}
					f := res.Facts.(*tickets.SAPTrace)
					for t := range f.Left {
						at := fmt.Sprintf(" %s %d %s %d", a.name, net[1], scope, t)
						put(fmt.Sprintf("t%02d left (%%)%s", t, at), 100*f.Left[t])
						put(fmt.Sprintf("t%02d pq ()%s", t, at), f.Index[t])
						put(fmt.Sprintf("t%02d acc%s", t, at), res.Epochs[10*t+9].Score.Value)
					}
				}
			}
		}
		return nil
	},
}
