package structure

import (
	"slices"

	"pare/graph"
	"pare/prune"
)

// Costs says what a network takes as a function of how many channels of each group are
// gone, which need be no whole number: a layer's multiply-accumulates and parameters go with
// the product of what it reads and what it makes, so that all is
//
//	cost(x) = whole + Σ_g a_g x_g + Σ_{g ≤ h} b_gh x_g x_h
//
// with as many channels x_g gone of group g. For whole numbers, and groups whose channels
// are all as wide as the first, it is what CostOf says of the cut network.
type Costs struct {
	Whole Cost
	first []costTerm // of a channel alone
	both  []costTerm // of products
}

// costTerm is what one term of a cost counts.
type costTerm struct {
	g, h         int
	macs, params float64
}

// NewCosts finds the terms by cutting one channel and two, of each group and of each two
// groups that a layer has.
func NewCosts(g *graph.Graph, groups []*Group) *Costs {
	m := newMeter(g)
	c := &Costs{Whole: m.whole}
	less := func(cut map[int]int) (macs, params float64) {
		gone := map[Axis]*prune.Mask{}
		for i, n := range cut {
			stay := prune.NewMask(len(groups[i].Channels), true)
			for k := range n {
				stay.Set(k, false)
			}
			groups[i].remove(stay, gone)
		}
		x := m.cost(gone)
		return float64(x.MACs - m.whole.MACs), float64(x.Params - m.whole.Params)
	}
	c.first = make([]costTerm, len(groups))
	for i := range groups {
		a, p := less(map[int]int{i: 1})
		aa, pp := less(map[int]int{i: 2}) // cost(2) - 2 cost(1) = 2 b: what is left whole has at least two
		sa, sp := (aa-2*a)/2, (pp-2*p)/2
		c.first[i] = costTerm{i, i, a - sa, p - sp}
		if sa != 0 || sp != 0 {
			c.both = append(c.both, costTerm{i, i, sa, sp})
		}
	}
	for _, n := range neighbours(m, g, groups) {
		a, p := less(map[int]int{n.g: 1, n.h: 1})
		x, xp := less(map[int]int{n.g: 1})
		y, yp := less(map[int]int{n.h: 1})
		if a -= x + y; a != 0 || p-xp-yp != 0 {
			c.both = append(c.both, costTerm{n.g, n.h, a, p - xp - yp})
		}
	}
	return c
}

// neighbours lists the pairs of groups that one layer, or one parameter, has.
func neighbours(m *meter, g *graph.Graph, groups []*Group) []costTerm {
	at := map[any][]int{} // by node or value
	put := func(k any, i int) {
		if s := at[k]; len(s) == 0 || s[len(s)-1] != i {
			at[k] = append(s, i)
		}
	}
	for i, grp := range groups {
		for _, a := range grp.Axes {
			put(a.Value, i)
			for _, n := range m.nodes[a.Value] {
				put(n, i)
			}
		}
	}
	seen := map[[2]int]bool{}
	var out []costTerm
	for _, s := range at {
		for k, i := range s {
			for _, j := range s[k+1:] {
				if i != j && !seen[[2]int{i, j}] {
					seen[[2]int{i, j}] = true
					out = append(out, costTerm{g: i, h: j})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b costTerm) int {
		if a.g != b.g {
			return a.g - b.g
		}
		return a.h - b.h
	})
	return out
}

// Groups is their number.
func (c *Costs) Groups() int { return len(c.first) }

// At is the cost with gone[g] channels of each group gone.
func (c *Costs) At(gone []float64) (macs, params float64) {
	macs, params = float64(c.Whole.MACs), float64(c.Whole.Params)
	for _, t := range c.first {
		macs += t.macs * gone[t.g]
		params += t.params * gone[t.g]
	}
	for _, t := range c.both {
		macs += t.macs * gone[t.g] * gone[t.h]
		params += t.params * gone[t.g] * gone[t.h]
	}
	return macs, params
}

// Shares are the shares of multiply-accumulates and parameters that are left.
func (c *Costs) Shares(gone []float64) [2]float64 {
	macs, params := c.At(gone)
	return [2]float64{macs / float64(max(1, c.Whole.MACs)), params / float64(max(1, c.Whole.Params))}
}

// Slopes writes to d the derivative of the shares, each times a weight, by what is gone.
func (c *Costs) Slopes(gone []float64, weight [2]float64, d []float64) {
	c.Gradient(gone, weight[0]/float64(max(1, c.Whole.MACs)), weight[1]/float64(max(1, c.Whole.Params)), d)
}

// Gradient writes to d the derivative, by what is gone of each group, of
// byMACs × MACs + byParams × parameters.
func (c *Costs) Gradient(gone []float64, byMACs, byParams float64, d []float64) {
	for _, t := range c.first {
		d[t.g] = byMACs*t.macs + byParams*t.params
	}
	for _, t := range c.both {
		x := byMACs*t.macs + byParams*t.params
		d[t.g] += x * gone[t.h]
		d[t.h] += x * gone[t.g]
	}
}
