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
	About: "",
	Seeds: 3,
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
		evaluated, err := b.fronts(ctx, "emo", g, r, parts)
		if err != nil {
			return err
		}
		for _, c := range []struct {
			name string
			set  func(*search.EMO)
		}{
			{"whole", func(s *search.EMO) {
				s.Whole = true
				s.Generations = evaluated/s.Population - 1
			}},
			{"same work", func(s *search.EMO) {
				s.Whole = true
				s.Generations = evaluated*3/5/s.Population - 1
			}},
			{"ranking", func(s *search.EMO) { s.Join = "ranking" }},
			{"shuffled", func(s *search.EMO) { s.Join, s.Shuffle = "ranking", true }},
		} {
			s := *parts
			c.set(&s)
			if _, err := b.fronts(ctx, c.name, g, r, &s); err != nil {
				return err
			}
		}
		return b.uniform(ctx, g)
	},
}

// fronts runs a search and puts the hypervolume of its front, and its work.
func (b *bench) fronts(ctx context.Context, name string, g *graph.Graph, r model.Recipe, s *search.EMO) (evaluated int, err error) {
	j := b.job(g, r)
	res, err := model.Run(ctx, s, j)
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
	b.put("(evaluated) "+name, float64(evaluated))
	x, err := b.accuracy(ctx, res.Graph)
	b.put("(chosen) "+name, x)
	return evaluated, err
}

// uniform puts the hypervolume of cuts of the same share of every group.
func (b *bench) uniform(ctx context.Context, g *graph.Graph) error {
	var costs [][]float64
	for share := .1; share < .95; share += .1 {
		s := structured.NewChannels()
		s.Even, s.MACs, s.Round, s.Score, s.Samples = true, model.Count(share), 1, "taylor", 300
		j := b.job(g, model.Recipe{Batch: 50})
		res, err := model.Run(ctx, s, j)
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
