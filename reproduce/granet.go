package reproduce

import (
	"context"

	"pare/evidence"
	"pare/model"
	"pare/model/gradual"
	"pare/prune"
)

var granet = &evidence.Experiment{
	ID: "14", Name: "granet",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6) at 95 % sparsity, SGD 0.05. Long: 80 epochs of 40 steps, cosine, masks every 200 steps, exchange of a tenth (RigL: 0.3). Short: 20 epochs, rate falling in steps, masks every 20 steps, exchange of one half. GMP is GraNet without exchange, static keeps random masks.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed)
		long := model.Recipe{Epochs: 80, Batch: 50, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}
		short := long
		short.Epochs, short.Schedule = 20, "step:0.5,0.75:0.1"
		gn := func(initial, exchange float64, every int) *gradual.GraNet {
			s := gradual.NewGraNet()
			s.Sparsity, s.Initial, s.Exchange, s.Every = .95, initial, exchange, every
			return s
		}
		rg := func(drop float64, every int) *gradual.RigL {
			s := gradual.NewRigL()
			s.Sparsity, s.Drop, s.Every = .95, drop, every
			return s
		}
		for _, a := range []struct {
			name string
			r    model.Recipe
			m    model.Method
		}{
			{"GMP long", long, gn(0, 0, 200)},
			{"GraNet long", long, gn(0, .1, 200)},
			{"half-sparse GraNet long", long, gn(.5, .1, 200)},
			{"GraNet-0.3 long", long, gn(0, .3, 200)},
			{"RigL long", long, rg(.3, 200)},
			{"GMP short", short, gn(0, 0, 20)},
			{"GraNet short", short, gn(0, .5, 20)},
			{"half-sparse GraNet short", short, gn(.5, .5, 20)},
			{"RigL short", short, rg(.5, 20)},
		} {
			x, err := b.train(ctx, a.m, a.r)
			if err != nil {
				return err
			}
			put(a.name, x)
		}
		for name, r := range map[string]model.Recipe{"static long": long, "static short": short} {
			g, err := b.mlp(64, 100, 50, 10)
			if err != nil {
				return err
			}
			x, _, err := b.masked(ctx, g, r, func(ws []*prune.Weight) (*prune.Masks, error) { return gradual.Random(ws, .95, "erk", seed) })
			if err != nil {
				return err
			}
			put(name, x)
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.AtLeast("long: GraNet is within a point of GMP", "GraNet long", "GMP long", -1, false),
		evidence.AtLeast("long: GraNet beats static random masks by 15 points", "GraNet long", "static long", 15, false),
		evidence.AtLeast("short: GraNet from half sparse beats RigL by 3 points", "half-sparse GraNet short", "RigL short", 3, false),
	},
}
