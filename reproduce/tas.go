package reproduce

import (
	"context"
	"math"
	"math/rand/v2"

	"pare/evidence"
	"pare/model"
	"pare/model/search"
	"pare/zoo"
)

// uniformShape is the widest network of a supernet, at its whole depth, that has the same
// share of all widths and costs at most a share of the multiply-accumulates.
func uniformShape(most float64) func(*search.Supernet) search.Arch {
	return func(net *search.Supernet) search.Arch {
		best := net.Least()
		for k := range 8 {
			a := net.Whole()
			for i := range a.Width {
				a.Width[i] = min(k, a.Width[i])
			}
			if net.At(a)[0] <= most {
				best = a
			}
		}
		return best
	}
}

// randomShape is a network of a supernet, drawn at random among those that cost from a share
// of the multiply-accumulates to another.
func randomShape(least, most float64, seed uint64) func(*search.Supernet) search.Arch {
	return func(net *search.Supernet) search.Arch {
		r := rand.New(rand.NewPCG(seed, 0x5aae))
		for {
			a := net.Whole()
			for _, of := range [][]int{a.Width, a.Depth} {
				for i := range of {
					of[i] = r.IntN(of[i] + 1)
				}
			}
			if x := net.At(a)[0]; x >= least && x <= most {
				return a
			}
		}
	}
}

var tas = &evidence.Experiment{
	ID: "16", Name: "tas",
	About: "ResNet-20 with projections at half of its width (8, 16 and 32 channels, 3 blocks a stage) on Glyph(4, 0.8), 1,500 samples, after 10 epochs; half of its multiply-accumulates: widths and depths by 20 epochs of search, the same share of all widths, three random shapes, all trained for 15 epochs from drawn weights with that network as their teacher; and the first without it. Beside them a search that nothing makes cheaper.",
	Seeds: 4,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := glyphs(4, .8, 1500, seed, put)
		g, err := zoo.New("resnet20-b", zoo.Options{In: []int{1, 8, 8}, Seed: seed, Width: .5})
		if err != nil {
			return err
		}
		r := model.Recipe{Epochs: 10, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "nesterov", Momentum: .9, Decay: 5e-4}
		if err := b.trained(ctx, g, r); err != nil {
			return err
		}
		if err := b.dense(ctx, "dense", g); err != nil {
			return err
		}
		r.Epochs = 15
		arm := func(name string, change func(*search.TAS)) (float64, *search.TASFacts, error) {
			m := search.NewTAS()
			m.Search, m.ArchLR, m.Fresh.Fresh = 20, .01, true
			change(m)
			res, err := model.Run(ctx, m, b.job(g, r))
			if err != nil {
				return 0, nil, err
			}
			x, err := b.accuracy(ctx, res.Graph)
			if name != "" {
				b.put(name, x)
			}
			return x, res.Facts.(*search.TASFacts), err
		}
		_, f, err := arm("tas", func(*search.TAS) {})
		if err != nil {
			return err
		}
		b.put("miss tas", math.Max(0, math.Max(f.Searched-.55, .45-f.Searched)))
		if _, f, err = arm("no cost", func(m *search.TAS) { m.Cost = 0 }); err != nil {
			return err
		}
		b.put("miss no cost", math.Max(0, math.Max(f.Searched-.55, .45-f.Searched)))
		if _, _, err := arm("no transfer", func(m *search.TAS) { m.Transfer = 0 }); err != nil {
			return err
		}
		if _, _, err := arm("uniform", func(m *search.TAS) { m.Shape = uniformShape(.5) }); err != nil {
			return err
		}
		sum := 0.0
		for k := range 3 {
			x, _, err := arm("", func(m *search.TAS) { m.Shape = randomShape(.45, .5, 3*seed+uint64(k)) })
			if err != nil {
				return err
			}
			sum += x / 3
		}
		b.put("random", sum)
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Beats("searched widths and depths beat the same share of all widths, at equal cost and with the same teacher, by 1.5 points", "tas", "uniform", 1.5, "random"),
		evidence.Beats("and random shapes by a point", "tas", "random", 1, "random", "uniform"),
		{Text: "the search alone, before anything is moved, ends within 5 points of the tolerance about the budget", Method: "tas", Without: []string{"no cost"}, Side: evidence.AtMost, Bound: 5,
			Figure: evidence.Figure{Unit: "pp", Of: func(v evidence.Values, arm string) (out []float64) {
				for _, x := range v["miss "+arm] {
					out = append(out, 100*x)
				}
				return out
			}}},
	},
	Asks: []evidence.Comparison{
		{Text: "a teacher", Method: "tas", Without: "no transfer"},
		{Text: "a price in the search, of networks that are moved within the budget after it", Method: "tas", Without: "no cost"},
	},
}
