package method

import (
	"context"

	"pare/dataset"
	"pare/engine"
	"pare/prune"
)

// arm trains the MLP 64-100-50-10 by a method's Run and gives its accuracy.
func (b *bench) arm(ctx context.Context, run func(context.Context, *Job) (*Result, error), r Recipe, settings any) (float64, error) {
	g, err := b.mlp(64, 100, 50, 10)
	if err != nil {
		return 0, err
	}
	j := &Job{Graph: g, Data: &dataset.Data{Train: b.data.Train, Norm: b.data.Norm}, Recipe: r, Settings: settings, Seed: b.seed, Engine: engine.Options{Threads: 1}}
	if _, err := run(ctx, j); err != nil {
		return 0, err
	}
	return b.accuracy(ctx, g)
}

var granetClaims = &Experiment{
	About: "MLP 64-100-50-10 on Glyph(4, 0.6) at 95 % sparsity, SGD 0.05. Long: 80 epochs of 40 steps, cosine, masks every 200 steps, exchange of a tenth (RigL: 0.3). Short: 20 epochs, rate falling in steps, masks every 20 steps, exchange of one half. GMP is GraNet without exchange, static keeps random masks.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed)
		long := Recipe{Epochs: 80, Batch: 50, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}
		short := long
		short.Epochs, short.Schedule = 20, "step:0.5,0.75:0.1"
		gn := func(initial, exchange float64, every int) *GraNet {
			s := granetDefaults()
			s.Sparsity, s.Initial, s.Exchange, s.Every = .95, initial, exchange, every
			return s
		}
		rg := func(drop float64, every int) *RigL {
			s := riglDefaults()
			s.Sparsity, s.Drop, s.Every = .95, drop, every
			return s
		}
		for _, a := range []struct {
			name     string
			run      func(context.Context, *Job) (*Result, error)
			r        Recipe
			settings any
		}{
			{"GMP long", runGraNet, long, gn(0, 0, 200)},
			{"GraNet long", runGraNet, long, gn(0, .1, 200)},
			{"half-sparse GraNet long", runGraNet, long, gn(.5, .1, 200)},
			{"GraNet-0.3 long", runGraNet, long, gn(0, .3, 200)},
			{"RigL long", runRigL, long, rg(.3, 200)},
			{"GMP short", runGraNet, short, gn(0, 0, 20)},
			{"GraNet short", runGraNet, short, gn(0, .5, 20)},
			{"half-sparse GraNet short", runGraNet, short, gn(.5, .5, 20)},
			{"RigL short", runRigL, short, rg(.5, 20)},
		} {
			x, err := b.arm(ctx, a.run, a.r, a.settings)
			if err != nil {
				return err
			}
			put(a.name, x)
		}
		for name, r := range map[string]Recipe{"static long": long, "static short": short} {
			g, err := b.mlp(64, 100, 50, 10)
			if err != nil {
				return err
			}
			x, _, err := b.masked(ctx, g, r, func(ws []*prune.Weight) (*prune.Masks, error) { return sparse(ws, .95, "erk", seed) })
			if err != nil {
				return err
			}
			put(name, x)
		}
		return nil
	},
	Claims: []Claim{
		atLeast("long: GraNet is within a point of GMP", "GraNet long", "GMP long", -1, false),
		atLeast("long: GraNet beats static random masks by 15 points", "GraNet long", "static long", 15, false),
		atLeast("short: GraNet from half sparse beats RigL by 3 points", "half-sparse GraNet short", "RigL short", 3, false),
	},
}
