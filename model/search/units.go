package search

import (
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/prune"
	"pare/prune/structure"
)

// units are the channels of a supernet that can go: those that a normalisation scales, which
// are in scope.
type units struct {
	groups []*structure.Group
	scales [][]int             // by group: axes of its scales; nil: it has no units
	alive  structure.Selection // by group
	floors []int               // by group: so many channels stay at least
	costs  *structure.Costs
	left   []string // groups without a scale, by the weight that makes them
}

// unitsOf lists them.
func unitsOf(g *graph.Graph, scope prune.Scope) *units {
	u := &units{}
	u.groups, _ = structure.Groups(g)
	u.alive, u.scales = structure.All(u.groups), structure.Scales(g, u.groups)
	u.floors, u.costs = slices.Repeat([]int{1}, len(u.groups)), structure.NewCosts(g, u.groups)
	for i, grp := range u.groups {
		if !grp.In(scope) {
			u.scales[i] = nil
		}
		if len(u.scales[i]) == 0 {
			u.left = append(u.left, grp.Name)
		}
	}
	return u
}

// gone is how many channels of each group are dead.
func (u *units) gone() []float64 {
	out := make([]float64, len(u.groups))
	for i, m := range u.alive {
		out[i] = float64(m.Len - m.Count())
	}
	return out
}

// prices are the weights of the units' penalties, by group: the multiply-accumulates that go
// with a channel, over their mean over all channels that are alive.
func (u *units) prices() []float64 {
	d := make([]float64, len(u.groups))
	u.costs.Gradient(u.gone(), 1, 0, d)
	var cost []float64
	var n []int
	for i := range u.groups {
		cost, n = append(cost, -d[i]), append(n, u.alive[i].Count())
		if len(u.scales[i]) == 0 {
			n[i] = 0
		}
	}
	return relative(cost, n)
}

// relative are costs over their mean, with n units of each.
func relative(cost []float64, n []int) []float64 {
	sum, all := 0.0, 0
	for i, c := range cost {
		sum += c * float64(n[i])
		all += n[i]
	}
	out := make([]float64, len(cost))
	for i, c := range cost {
		if sum > 0 {
			out[i] = c * float64(all) / sum
		}
	}
	return out
}

// pressure is the weight of the penalty at a step: 0 up to free, then it rises to rho at warm.
func pressure(rho float64, step, free, warm int) float64 {
	switch {
	case step < free:
		return 0
	case step >= warm:
		return rho
	}
	return rho * float64(step-free) / float64(warm-free)
}

// ladder is the share of weights that the k-th pruning cuts.
func ladder(k int, target float64) float64 { return math.Min(float64(k)/10, target) }

// rungs is the number of prunings after which the target is reached.
func rungs(target float64) int { return int(math.Ceil(10*target - 1e-9)) }

// lowest keeps all but exactly ⌊share n⌋ of n scores, those of the smallest size, of
// weights that are there: gone says of each which are not. Of every filter of a depthwise
// convolution one weight stays.
func lowest(ws []*prune.Weight, values [][]float32, gone []*prune.Mask, share float64) (*prune.Masks, error) {
	score, at := make([][]float32, len(ws)), make([][]int, len(ws))
	n := 0
	for l, w := range ws {
		per := w.Len()
		if w.Kind == prune.Depthwise {
			per = w.Len() / w.Outputs()
		}
		for from := 0; from < w.Len(); from += per {
			best := -1
			for i := from; i < from+per; i++ {
				if gone != nil && !gone[l].Kept(i) {
					continue
				}
				score[l], at[l] = append(score[l], abs(values[l][i])), append(at[l], i)
				if k := len(score[l]) - 1; best < 0 || score[l][k] > score[l][best] {
					best = k
				}
			}
			if w.Kind == prune.Depthwise && best >= 0 {
				score[l][best] = math.MaxFloat32
			}
		}
		n += len(score[l])
	}
	kept, err := prune.Global(score, n-int(math.Floor(share*float64(n)+1e-9)), nil)
	if err != nil {
		return nil, fmt.Errorf("pruning %v of the weights: %w", share, err)
	}
	out := prune.Dense(ws)
	for l, w := range ws {
		out.Mask[l] = prune.NewMask(w.Len(), false)
		for k, i := range at[l] {
			out.Mask[l].Set(i, kept[l].Kept(k))
		}
	}
	return out, nil
}

func abs(x float32) float32 { return float32(math.Abs(float64(x))) }
