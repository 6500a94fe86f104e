package language

import (
	"context"
	"fmt"
	"math"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/score"
	"pare/prune/structure"
)

// rates say what every channel of some groups is worth, on the samples of a job: higher
// stays. Each sums over all matrices of the group, and over the positions that a channel
// has in each (equation 3 of LLM-Pruner, arXiv 2305.11627, by its single entries).
func (s *AdaptPruner) rates(ctx context.Context, j *model.Job, groups []*structure.Group) ([][]float64, error) {
	if s.Score == "random" {
		return score.RandomChannels(groups, j.Seed), nil
	}
	of, err := matrices(groups)
	if err != nil {
		return nil, err
	}
	entries, err := s.entries(ctx, j, of)
	if err != nil {
		return nil, err
	}
	if s.Score == "vector" {
		out := make([][]float64, len(groups))
		for i, g := range groups {
			out[i] = make([]float64, len(g.Channels))
			for k, a := range g.Axes {
				if e := entries[a.Value]; e != nil {
					g.SumAbs(out[i], k, e)
				}
			}
		}
		return out, nil
	}
	return score.Coupling{Normalise: "none"}.Rates(groups, entries)
}

// matrices are those that go with the channels of groups, each once.
func matrices(groups []*structure.Group) (of []*graph.Value, err error) {
	seen := map[*graph.Value]bool{}
	for _, g := range groups {
		if g.Integers() {
			return nil, catalog.Errorf("the weights of %s are integers, which have no gradients: give {Score} random, or a network of floating-point weights", g.Name)
		}
		n := len(of)
		for _, a := range g.Axes {
			if v := a.Value; v.IsConst() && v.Role == graph.Param && len(v.Shape) > 1 && v.Const.F32() != nil {
				if !seen[v] {
					of = append(of, v)
				}
				seen[v] = true
				n = -1
			}
		}
		if n >= 0 {
			return nil, catalog.Errorf("no trained matrix goes with %s, so that it has no score: leave it out by {Exclude}, or give {Score} random", g.Name)
		}
	}
	return of, nil
}

// entries are the scores of the entries of matrices; of vector they have signs.
func (s *AdaptPruner) entries(ctx context.Context, j *model.Job, of []*graph.Value) (map[*graph.Value][]float32, error) {
	ws := make([]*prune.Weight, len(of))
	for i, v := range of {
		ws[i] = &prune.Weight{Value: v}
	}
	var by [][]float32
	switch s.Score {
	case "l1":
		by = score.Magnitude(ws)
	case "l2":
		by = score.Squares(ws)
	case "second":
		f := score.NewFisher(of)
		if _, _, err := j.EachSampleGradient(ctx, of, s.Samples, f.Add); err != nil {
			return nil, err
		}
		return f.Saliency(), nil
	default:
		g, second, err := s.gradients(ctx, j, of)
		if err != nil {
			return nil, err
		}
		for i, v := range of {
			x := g[i]
			for k, w := range v.Const.F32() {
				if x[k] *= w; s.Score == "mixed" {
					x[k] -= second[v][k]
				}
				if s.Score != "vector" {
					x[k] = float32(math.Abs(float64(x[k])))
				}
			}
		}
		by = g
	}
	out := map[*graph.Value][]float32{}
	for i, v := range of {
		out[v] = by[i]
	}
	return out, nil
}

// gradients are the mean gradients of the loss, and for the score mixed w² E[g²]/2 of every
// entry, over single samples.
func (s *AdaptPruner) gradients(ctx context.Context, j *model.Job, of []*graph.Value) (mean [][]float32, second map[*graph.Value][]float32, err error) {
	mean = make([][]float32, len(of))
	for i, v := range of {
		mean[i] = make([]float32, v.Const.Len())
	}
	n := 0
	add := func(grads [][]float32) error {
		n++
		for i, g := range grads {
			if err := score.Finite(of[i].Name, g); err != nil {
				return fmt.Errorf("the loss on batch %d of the samples is not finite: %w", n, err)
			}
			for k, x := range g {
				mean[i][k] += x
			}
		}
		return nil
	}
	if s.Score == "mixed" {
		f := score.NewFisher(of)
		_, _, err = j.EachSampleGradient(ctx, of, s.Samples, func(grads [][]float32) error {
			if err := f.Add(grads); err != nil {
				return err
			}
			return add(grads)
		})
		second = f.Saliency()
	} else {
		_, _, err = j.EachGradient(ctx, of, s.Samples, add)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, g := range mean {
		for k := range g {
			g[k] /= float32(n)
		}
	}
	return mean, second, nil
}
