package structure

import (
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
			e, ok := cache[a.Value]
			if !ok {
				if w := a.Value; w.IsConst() && w.Role != graph.Stat {
					e = entry(w)
				} else if w = unquantised(w); w != nil {
					e = entry(w)
				}
				cache[a.Value] = e
			}
			if e != nil {
				g.addTo(out[i], k, e)
			}
		}
		Relative(out[i])
	}
	return out
}

// addTo adds to every channel's score the entries that it has in axis k of the
// group, of those of the whole weight.
func (g *Group) addTo(score []float64, k int, entries []float32) {
	a := g.Axes[k]
	shape, _ := a.Value.Shape.Ints()
	per := sums(entries, shape, a.Dim)
	for c, ch := range g.Channels {
		for _, p := range ch.At[k] {
			score[c] += per[p]
		}
	}
}

// Sum adds to every channel's score f times the entries that it has in axis k of the
// group, of those of the axis' whole weight.
func (g *Group) Sum(score []float64, k int, entries []float32, f float64) {
	more := make([]float64, len(score))
	g.addTo(more, k, entries)
	for c, x := range more {
		score[c] += f * x
	}
}

// SumAbs adds to every channel's score the absolute value of the sum of the entries at each
// position that it has in axis k of the group.
func (g *Group) SumAbs(score []float64, k int, entries []float32) {
	a := g.Axes[k]
	shape, _ := a.Value.Shape.Ints()
	per := sums(entries, shape, a.Dim)
	for c, ch := range g.Channels {
		for _, p := range ch.At[k] {
			score[c] += math.Abs(per[p])
		}
	}
}

// Relative divides the scores of a group's channels by their mean.
func Relative(s []float64) {
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

// channel is one that may be cut: of a group, with what it is worth.
type channel struct {
	g, c int
	s    float64
}

// ranked lists the channels that may be cut, those worth least in front.
func (t Target) ranked(groups []*Group, score [][]float64) []channel {
	var all []channel
	for i, s := range score {
		order, free := t.order(i, groups[i], s)
		for k, c := range order[:free] {
			x := channel{i, c, s[c]}
			if t.Even {
				x.s = float64(k+1) / float64(len(s))
			}
			all = append(all, x)
		}
	}
	sort.SliceStable(all, func(a, b int) bool { return all[a].s < all[b].s })
	return all
}

// order lists the channels of a group, those worth least in front, and how many of them may
// be cut; none where the group stays as it is.
func (t Target) order(i int, g *Group, score []float64) (order []int, free int) {
	if t.left(g) || t.widths(i).Exactly > 0 {
		return nil, 0
	}
	order = make([]int, len(score))
	for c := range order {
		order[c] = c
	}
	sort.SliceStable(order, func(a, b int) bool { return score[order[a]] < score[order[b]] })
	return order, len(score) - t.least(i, len(score))
}

// least is how many of a group's n channels stay at least.
func (t Target) least(i, n int) int {
	return min(n, max(1, t.widths(i).Least, int(math.Ceil(t.Least*float64(n)-1e-9))))
}

// choose cuts channels, rounded.
func (t Target) choose(groups []*Group, worst []channel) (Selection, []Rounded) {
	gone := make([]int, len(groups))
	for _, x := range worst {
		gone[x.g]++
	}
	var rounded []Rounded
	for i, grp := range groups {
		n := len(grp.Channels)
		asked := n - gone[i]
		if kept, r := t.up(i, grp, asked); kept > asked {
			rounded = append(rounded, Rounded{i, asked, kept, r})
			gone[i] = n - kept
		}
	}
	sel := t.begin(groups)
	for _, x := range worst {
		if gone[x.g] > 0 {
			sel[x.g].Set(x.c, false)
			gone[x.g]--
		}
	}
	return sel, rounded
}
