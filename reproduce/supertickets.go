package reproduce

import (
	"context"
	"math/rand/v2"

	"pare/dataset"
	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/oneshot"
	"pare/model/search"
	"pare/zoo"
)

// someClasses are the samples of n classes of a set, from one on, which are numbered anew.
func someClasses(s *dataset.Set, from, n int) *dataset.Set {
	x, y := s.X(), s.Fields[1]
	size := x.Size()
	a := &dataset.Field{Name: x.Name, Shape: x.Shape}
	b := &dataset.Field{Name: y.Name, Classes: n}
	for i, c := range y.Ints {
		if k := int(c) - from; k >= 0 && k < n {
			a.Floats = append(a.Floats, x.Floats[i*size:(i+1)*size]...)
			b.Ints = append(b.Ints, int32(k))
		}
	}
	return dataset.New(s.Name, a, b)
}

// shuffled is a copy of a network in which the numbers of every weight, zeros too, stand in
// another order.
func shuffled(g *graph.Graph, seed uint64) *graph.Graph {
	c, _ := g.Clone(true)
	r := rand.New(rand.NewPCG(seed, 0x5f))
	for _, v := range c.Params() {
		if x := v.Const.F32(); len(v.Shape) > 1 {
			r.Shuffle(len(x), func(i, j int) { x[i], x[j] = x[j], x[i] })
		}
	}
	return c
}

// ticket are the settings of the experiment.
func ticket(change func(*search.SuperTickets)) *search.SuperTickets {
	m := search.NewSuperTickets()
	m.Sparsity, m.Rho, m.Tau = .9, .005, .01
	change(m)
	return m
}

// moved draws tickets on the classes 0 to 4 and 5 to 9, and trains them, and a shuffled one, on
// the latter with a new head.
func (b *bench) moved(ctx context.Context, r model.Recipe) error {
	var at [2]*bench
	var tickets [2]*graph.Graph
	for k := range at {
		at[k] = &bench{&dataset.Data{Train: someClasses(b.data.Train, 5*k, 5), Test: someClasses(b.data.Test, 5*k, 5), Norm: dataset.Raw}, b.seed, b.put}
		g, err := zoo.New("supernet-8", zoo.Options{In: []int{1, 8, 8}, Seed: b.seed, Classes: 5})
		if err != nil {
			return err
		}
		res, err := model.Run(ctx, ticket(func(*search.SuperTickets) {}), at[k].job(g, r))
		if err != nil {
			return err
		}
		tickets[k] = res.Graph
	}
	r.Epochs, r.LR = 10, .05
	for _, a := range []struct {
		name string
		g    *graph.Graph
	}{{"moved ticket", tickets[0]}, {"own ticket", tickets[1]}, {"shuffled ticket", shuffled(tickets[0], b.seed)}} {
		if err := at[1].arms(ctx, a.g, r, arm{a.name, ticket(func(m *search.SuperTickets) { m.Head = []string{"head.weight"} })}); err != nil {
			return err
		}
	}
	return nil
}

var superTickets = &evidence.Experiment{
	ID: "60", Name: "supertickets",
	About: "A supernet of five blocks of three branches (8 to 32 channels) on Glyph(4, 0.6), 1,500 samples, 30 epochs of batch 50 at 0.1 cosine: nine tenths of the weights are cut while it shrinks, masked weights frozen, reactivated, or released, so that the last pruning alone counts; and a search for 15 epochs, then a cut by size and 15 epochs more. None but the last is trained after its last pruning. Then tickets drawn on classes 0 to 4 are trained with a new head on 5 to 9 for 10 epochs, beside those drawn there, and the same with the numbers of every weight shuffled.",
	Seeds: 6,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := glyphs(4, .6, 1500, seed, put)
		g, err := zoo.New("supernet-8", zoo.Options{In: []int{1, 8, 8}, Seed: seed})
		if err != nil {
			return err
		}
		r := model.Recipe{Epochs: 30, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "nesterov", Momentum: .9, Decay: 1e-4}
		if err := b.arms(ctx, g, r, arm{"supertickets", ticket(func(*search.SuperTickets) {})},
			arm{"reactivated", ticket(func(m *search.SuperTickets) { m.Masked = "reactivated" })},
			arm{"pruned once at the end", ticket(func(m *search.SuperTickets) { m.Masked = "released" })}); err != nil {
			return err
		}
		half := r
		half.Epochs = 15
		res, err := model.Run(ctx, ticket(func(m *search.SuperTickets) { m.Sparsity = 0 }), b.job(g, half))
		if err != nil {
			return err
		}
		cut := oneshot.NewGlobalMP()
		cut.Sparsity = .9
		if err := b.arms(ctx, res.Graph, half, arm{"search, then prune", cut}); err != nil {
			return err
		}
		return b.moved(ctx, r)
	},
	Claims: []evidence.Claim{
		evidence.Beats("without retraining, a ticket drawn while it is pruned is not half a point worse than one searched, then pruned and retrained in as many epochs", "supertickets", "search, then prune", -.5, "pruned once at the end"),
		evidence.Beats("and 20 points better than the supernet pruned once at the end", "supertickets", "pruned once at the end", 20, "pruned once at the end"),
		evidence.Beats("a ticket of other classes beats one of equal counts in another order by a point", "moved ticket", "shuffled ticket", 1, "shuffled ticket"),
	},
	Asks: []evidence.Comparison{
		{Text: "masked weights that begin again at zero, not frozen ones", Method: "reactivated", Without: "supertickets"},
		{Text: "a ticket of other classes, not of these", Method: "moved ticket", Without: "own ticket"},
	},
}
