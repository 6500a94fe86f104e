package reproduce

import (
	"context"
	"fmt"

	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/search"
	"pare/model/structured"
	"pare/prune/evolve"
	"pare/prune/structure"
	"pare/zoo"
)

var emo = &evidence.Experiment{
	ID: "07", Name: "emo",
	About: "ResNet-14 of 8, 16 and 32 channels on Glyph(4, 0.6), trained 10 epochs, divided into three sub-networks, each trained 2 epochs at widths by chance; NSGA-II of populations of 12 over 6 generations, judged on 300 held-out samples. Against the same with all widths searched together in as many evaluations, without the training at widths by chance, joined by the ranking alone, by a ranking of chance, and with the same share cut of every group. Area: what a front dominates of error and multiply-accumulates left, on the test set, without fine-tuning. Work: multiply-accumulates of all evaluations, of a pass of 1,000 samples through the whole network. That the network which is chosen is better after its fine-tuning is not shown at this scale.",
	Seeds: 4,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := glyphs(4, .6, 2000, seed, put)
		g, err := zoo.New("resnet14-b", zoo.Options{In: []int{1, 8, 8}, Width: .5, Seed: seed})
		if err != nil {
			return err
		}
		r := model.Recipe{Epochs: 10, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}
		if err := b.trained(ctx, g, r); err != nil {
			return err
		}
		r.LR, r.Epochs = .02, 1
		parts := search.NewEMO()
		parts.Round, parts.Samples, parts.Population, parts.Generations, parts.Constrain = 1, 300, 12, 6, 2
		evaluated, err := b.front(ctx, "emo", g, r, parts)
		if err != nil {
			return err
		}
		for _, c := range []struct {
			name string
			set  func(*search.EMO)
		}{
			{"whole", func(s *search.EMO) { s.Whole, s.Generations = true, evaluated/s.Population-1 }},
			{"untrained", func(s *search.EMO) { s.Constrain = 0 }},
			{"ranking", func(s *search.EMO) { s.Join = "ranking" }},
			{"by chance", func(s *search.EMO) { s.Join, s.Shuffle = "ranking", true }},
		} {
			s := *parts
			c.set(&s)
			if _, err := b.front(ctx, c.name, g, r, &s); err != nil {
				return err
			}
		}
		return b.uniform(ctx, g, r)
	},
	Claims: []evidence.Claim{
		evidence.Beats("the joined front covers half a point more than that of all widths searched together in as many evaluations", "(area) emo", "(area) whole", .5, "(area) whole", "(area) by chance"),
		{Text: "which take at most 80 % of the computing", Method: "emo", Without: []string{"whole"}, Side: evidence.AtMost, Bound: .8, Figure: evidence.Ratio("(work) ", "whole")},
		evidence.Beats("it covers 10 points more than the same share of every group", "(area) emo", "(area) uniform", 10, "(area) uniform"),
		evidence.Beats("training at widths by chance is worth 2 points", "(area) emo", "(area) untrained", 2, "(area) untrained"),
		evidence.Beats("joined by impairment for what is saved it covers 2 points more than joined by chance", "(area) ranking", "(area) by chance", 2, "(area) by chance"),
	},
	Asks: []evidence.Comparison{
		{Text: "an evolution of combinations after the ranking", Method: "(area) emo", Without: "(area) ranking"},
		{Text: "division, after one epoch of fine-tuning at half of the multiply-accumulates", Method: "(chosen) emo", Without: "(chosen) whole"},
		{Text: "training at widths by chance, after that epoch", Method: "(chosen) emo", Without: "(chosen) untrained"},
	},
}

// front runs a search and puts the hypervolume of its front, its work, and the accuracy of
// the network that was chosen. It gives the number of evaluations.
func (b *bench) front(ctx context.Context, name string, g *graph.Graph, r model.Recipe, s *search.EMO) (evaluated int, err error) {
	res, err := model.Run(ctx, s, b.job(g, r))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	var costs [][]float64
	for i, m := range res.Front.Members {
		c, err := res.Front.Make(ctx, i)
		if err != nil {
			return 0, err
		}
		x, err := b.accuracy(ctx, c)
		if err != nil {
			return 0, err
		}
		costs = append(costs, []float64{1 - x, m.MACs})
	}
	b.put("(area) "+name, evolve.Hypervolume(costs, [2]float64{1, 1}))
	f := res.Facts.(*search.EMOFacts)
	whole := float64(structure.CostOf(g).MACs)
	b.put("(work) "+name, f.Work/whole/1000)
	if evaluated = f.Evaluated; !s.Whole {
		for _, p := range f.Subnetworks {
			evaluated += p.Evaluated
		}
	}
	x, err := b.accuracy(ctx, res.Graph)
	b.put("(chosen) "+name, x)
	return evaluated, err
}

// uniform puts the hypervolume of cuts of the same share of every group.
func (b *bench) uniform(ctx context.Context, g *graph.Graph, r model.Recipe) error {
	r.Epochs = 0
	var costs [][]float64
	for share := .1; share < .95; share += .1 {
		s := structured.NewChannels()
		s.Even, s.MACs, s.Round, s.Score, s.Samples = true, model.Count(share), 1, "taylor", 300
		res, err := model.Run(ctx, s, b.job(g, r))
		if err != nil {
			return err
		}
		x, err := b.accuracy(ctx, res.Graph)
		if err != nil {
			return err
		}
		costs = append(costs, []float64{1 - x, float64(structure.CostOf(res.Graph).MACs) / float64(structure.CostOf(g).MACs)})
	}
	x, err := b.accuracy(ctx, g)
	b.put("(area) uniform", evolve.Hypervolume(append(costs, []float64{1 - x, 1}), [2]float64{1, 1}))
	b.put("dense", x)
	return err
}
