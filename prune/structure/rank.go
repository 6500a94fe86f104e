package structure

import (
	"fmt"
	"math"
	"sort"

	"pare/graph"
)

// Score rates every channel of every group from the scores of the weights'
// entries (such as w*w or |w*g|): the entries that belong to the channel are
// summed over all weights of the group (the "sum" aggregation of Structurally
// Prune Anything) and divided by the group's mean, so that groups compare.
// entry returns nil for weights that have no say; it is called once a weight.
func Score(groups []*Group, entry func(v *graph.Value) []float32) [][]float64 {
	out := make([][]float64, len(groups))
	cache := map[*graph.Value][]float32{}
	for i, g := range groups {
		out[i] = make([]float64, len(g.Channels))
		for k, a := range g.Axes {
			if !a.Value.IsConst() || a.Value.Role == graph.Stat {
				continue
			}
			e, ok := cache[a.Value]
			if !ok {
				e = entry(a.Value)
				cache[a.Value] = e
			}
			if e != nil {
				g.addTo(out[i], k, e)
			}
		}
		relative(out[i])
	}
	return out
}

// addTo adds to every channel's score the entries that it has in axis k of the
// group, of those of the whole weight.
func (g *Group) addTo(score []float64, k int, entries []float32) {
	a := g.Axes[k]
	per := sums(entries, a.Value.Const.Shape, a.Dim)
	for c, ch := range g.Channels {
		for _, p := range ch.At[k] {
			score[c] += per[p]
		}
	}
}

// relative divides scores by their mean.
func relative(s []float64) {
	mean := 0.0
	for _, x := range s {
		mean += x / float64(len(s))
	}
	if mean > 0 {
		for c := range s {
			s[c] /= mean
		}
	}
}

// sums adds the entries of a tensor up by the position on one axis.
func sums(e []float32, shape []int, dim int) []float64 {
	n := shape[dim]
	outer, inner := around(shape, dim)
	out := make([]float64, n)
	for o := range outer {
		for i := range n {
			s := 0.0
			for _, x := range e[(o*n+i)*inner : (o*n+i+1)*inner] {
				s += float64(x)
			}
			out[i] += s
		}
	}
	return out
}

// Squares is w*w for the entry scores of Score: with it a channel's score is
// the squared L2 norm of all that goes with it.
func Squares(v *graph.Value) []float32 {
	x := v.Const.F32()
	if x == nil || len(v.Shape) < 2 {
		return nil
	}
	out := make([]float32, len(x))
	for i, w := range x {
		out[i] = w * w
	}
	return out
}

// Target says when to stop cutting.
type Target struct {
	MACs   float64 // share of the MACs that may stay, in (0,1]; 0: not asked
	Params float64 // share of the parameters that may stay, in (0,1]; 0: not asked
	Round  int     // channels kept of a group are rounded up to a multiple; 0 or 1: any number
	Least  float64 // share of each group's channels that stays at least
	Even   bool    // cut the same share of every group instead of ranking all together
}

// Select keeps the best channels so that the target is just met. Channels of
// all groups are ranked together by score (or by their rank within the group
// where Even is set). It returns an error that states the least reachable cost
// where no cut meets the target.
func Select(g *graph.Graph, groups []*Group, score [][]float64, t Target) (Selection, error) {
	for _, s := range []float64{t.MACs, t.Params} {
		if math.IsNaN(s) || s < 0 || s > 1 {
			return nil, fmt.Errorf("target %v is outside (0,1]", s)
		}
	}
	if len(groups) == 0 {
		return nil, fmt.Errorf("no channels can be cut from this network")
	}
	type cand struct {
		g, c int
		s    float64
	}
	var all []cand
	for i, s := range score {
		order := make([]int, len(s))
		for c := range order {
			order[c] = c
		}
		sort.SliceStable(order, func(a, b int) bool { return s[order[a]] < s[order[b]] })
		free := len(s) - max(1, int(math.Ceil(t.Least*float64(len(s))-1e-9)))
		for k, c := range order[:free] {
			x := cand{i, c, s[c]}
			if t.Even {
				x.s = float64(k+1) / float64(len(s))
			}
			all = append(all, x)
		}
	}
	sort.SliceStable(all, func(a, b int) bool { return all[a].s < all[b].s })
	m := newMeter(g)
	whole := m.cost(nil)
	// cutting the k worst candidates, rounded
	choose := func(k int) Selection {
		gone := make([]int, len(groups))
		for _, x := range all[:k] {
			gone[x.g]++
		}
		for i, grp := range groups {
			if r := t.Round; r > 1 {
				keep := len(grp.Channels) - gone[i]
				gone[i] = len(grp.Channels) - min(len(grp.Channels), (keep+r-1)/r*r)
			}
		}
		sel := All(groups)
		for _, x := range all[:k] {
			if gone[x.g] > 0 {
				sel[x.g].Set(x.c, false)
				gone[x.g]--
			}
		}
		return sel
	}
	met := func(s Selection) (Cost, bool) {
		c := m.cost(s.removed(groups))
		ok := t.MACs == 0 || float64(c.MACs) <= t.MACs*float64(whole.MACs)
		return c, ok && (t.Params == 0 || float64(c.Params) <= t.Params*float64(whole.Params))
	}
	k := sort.Search(len(all)+1, func(k int) bool { _, ok := met(choose(k)); return ok })
	if k > len(all) {
		c, _ := met(choose(len(all)))
		return nil, fmt.Errorf("no cut of channels reaches the target: the least is %.3g of the MACs and %.3g of the parameters",
			float64(c.MACs)/float64(whole.MACs), float64(c.Params)/float64(whole.Params))
	}
	return choose(k), nil
}
