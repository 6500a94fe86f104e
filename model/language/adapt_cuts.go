package language

import (
	"context"
	"slices"
	"sort"

	"pare/catalog"
	"pare/dataset"
	"pare/model"
	"pare/prune/structure"
)

// cuts makes the cuts of a stage, from the network that a job begins it with, on samples that
// are drawn anew for each, until the target is met.
func (a *adapting) cuts(ctx context.Context, j *model.Job, target Size) (pruned, error) {
	g := j.Graph
	first := make([]int, len(a.roots)) // channels at the beginning of the stage
	ratio := make([]float64, len(a.roots))
	p := pruned{Draws: a.draws}
	for i, grp := range a.in(g) {
		if first[i] = 1; grp != nil {
			first[i] = len(grp.Channels)
		}
		p.Stays = append(p.Stays, counted(first[i]))
	}
	for left := sizeOf(structure.CostOf(g)); !target.met(left); {
		if len(p.Cuts) == a.Cuts {
			return p, catalog.Errorf("after {Cuts} %d that take {Ratio} %v of the layers together, %d parameters and %d multiply-accumulates are left, more than asked for: of the most important layer each cut takes {Ratio}/{Cuts} less {Amplitude}, here %.3g: raise {Ratio}, or lower {Amplitude} or {Cuts}", a.Cuts, a.Ratio, left.Params, left.MACs, max(0, a.Ratio/float64(a.Cuts)-a.Amplitude))
		}
		p.Draws++
		k := a.drawn(j.On(g), p.Draws)
		importance, err := a.importances(ctx, k)
		if err != nil {
			return p, err
		}
		of := make([]float64, len(a.roots))
		for i, r := range a.roots {
			of[i] = importance[r.layer]
		}
		for i, x := range standing(of) {
			ratio[i] = advance(ratio[i], a.Ratio/float64(a.Cuts), a.Amplitude, x)
		}
		var groups []*structure.Group
		var which, stay []int
		for i, grp := range a.in(g) {
			if grp == nil {
				continue
			}
			if n := stays(first[i], len(grp.Channels), a.roots[i].unit, ratio[i]); n < len(grp.Channels) {
				groups, which, stay = append(groups, grp), append(which, i), append(stay, n)
			}
		}
		if len(groups) > 0 {
			rates, err := a.rates(ctx, k, groups)
			if err != nil {
				return p, err
			}
			sel := structure.All(groups)
			for i, r := range rates {
				kept := best(r, stay[i])
				for c := range r {
					sel[i].Set(c, slices.Contains(kept, c))
				}
				p.Stays[which[i]] = those(p.Stays[which[i]], kept)
			}
			if g, err = structure.Cut(g, groups, sel); err != nil {
				return p, err
			}
		}
		left = sizeOf(structure.CostOf(g))
		p.Cuts = append(p.Cuts, AdaptCut{Importance: importance, Ratio: slices.Clone(ratio), Params: left.Params, MACs: left.MACs})
		a.job.Logf("cut %d: %d parameters are left; layers by importance %.4g", len(p.Cuts), left.Params, importance)
	}
	return p, nil
}

// drawn is a job on samples that are drawn for a cut.
func (a *adapting) drawn(j *model.Job, draw int) *model.Job {
	k := *j
	k.Seed = j.OtherSeed(draw)
	if j.Data != nil && j.Data.Train != nil {
		k.Data = &dataset.Data{Train: j.Data.Train.Draw(a.Samples, k.Seed), Norm: j.Data.Norm}
	}
	return &k
}

// best are the n highest of some rates, in order; of equal ones the later ones.
func best(rates []float64, n int) []int {
	order := counted(len(rates))
	sort.SliceStable(order, func(a, b int) bool { return rates[order[a]] < rates[order[b]] })
	order = order[len(order)-n:]
	slices.Sort(order)
	return order
}

func counted(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// those are the entries of some places.
func those(list, places []int) []int {
	out := make([]int, len(places))
	for i, p := range places {
		out[i] = list[p]
	}
	return out
}
