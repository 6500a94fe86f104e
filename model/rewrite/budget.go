package rewrite

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"pare/graph"
	"pare/prune/lowrank"
	"pare/prune/structure"
)

// budget chooses the ranks of all layers together.
type budget struct {
	Ranks
	whole lowrank.Cost // of the network
	of    []*choice
}

// choice is a layer while its rank is chosen.
type choice struct {
	layer *lowrank.Layer
	ways  []*lowrank.Spectrum
	most  []int   // by way: the highest rank that is allowed and saves something; 0: none
	at    factors // chosen
}

// factors are what a layer may become: of a rank, or as it is.
type factors struct {
	way  *lowrank.Spectrum // nil: the layer as it is
	rank int
	lost float64
}

func (f factors) cost(whole lowrank.Cost) lowrank.Cost {
	if f.way == nil {
		return whole
	}
	return f.way.At(f.rank)
}

// begin takes the cheapest way at the highest ranks that are allowed, where they are
// lower than the full ones and save something; of equal ones the first.
func (c *choice) begin(s Ranks) {
	for _, d := range c.ways {
		rank, capped := s.cap(d)
		saves := capped && d.Saves(rank)
		for rank > 0 && !d.Saves(rank) {
			rank--
		}
		c.most = append(c.most, rank)
		if saves && (c.at.way == nil || d.At(rank).MACs < c.at.way.At(c.at.rank).MACs) {
			c.at = factors{d, rank, d.Lost(rank)}
		}
	}
}

// cost of all layers as they are chosen.
func (b *budget) cost() lowrank.Cost {
	sum := b.whole
	for _, c := range b.of {
		whole := c.ways[0].Whole
		is := c.at.cost(whole)
		sum.MACs += is.MACs - whole.MACs
		sum.Params += is.Params - whole.Params
	}
	return sum
}

// room is what the targets leave of a cost; negative where they are not met.
func (b *budget) room(c lowrank.Cost) (macs, params int64) {
	macs, params = math.MaxInt64, math.MaxInt64
	if b.MACs > 0 {
		macs = int64(b.MACs.Share(b.whole.MACs)*float64(b.whole.MACs)+1e-9) - c.MACs
	}
	if b.Params > 0 {
		params = int64(b.Params.Share(b.whole.Params)*float64(b.whole.Params)+1e-9) - c.Params
	}
	return macs, params
}

func (b *budget) met(c lowrank.Cost) bool { m, p := b.room(c); return m >= 0 && p >= 0 }

// weigh is a cost as a share of the network's, in what the targets are of.
func (b *budget) weigh(c lowrank.Cost) (x float64) {
	if b.MACs > 0 {
		x += float64(c.MACs) / float64(max(1, b.whole.MACs))
	}
	if b.Params > 0 {
		x += float64(c.Params) / float64(max(1, b.whole.Params))
	}
	return x
}

// step is a choice that costs less than the one before it.
type step struct {
	of    *choice
	to    factors
	slope float64 // of what is lost for what it saves
}

// meet lowers ranks until the targets are met: always where it loses least, of the
// squares of singular values relative to the layer's, for what it saves; and gives what
// is left over to the layers that gain most by it. It returns an error where no ranks
// meet the targets.
func (b *budget) meet() error {
	if b.met(b.cost()) {
		return nil
	}
	var all []step
	for _, c := range b.of {
		all = append(all, b.steps(c)...)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].slope < all[j].slope })
	for _, s := range all {
		if s.of.at = s.to; b.met(b.cost()) {
			b.fill()
			return nil
		}
	}
	return b.missed(b.cost())
}

// missed says that even the cheapest ranks cost more than the targets leave.
func (b *budget) missed(c lowrank.Cost) error {
	return fmt.Errorf("no ranks meet the target: with rank 1 in every layer that it saves something in, %.3g of the multiply-accumulates and %.3g of the parameters are left",
		float64(c.MACs)/float64(max(1, b.whole.MACs)), float64(c.Params)/float64(max(1, b.whole.Params)))
}

// reach returns an error where no ranks of these layers meet the targets, whatever their
// weights become.
func (s Ranks) reach(g *graph.Graph, of []*lowrank.Unfolding) error {
	whole := structure.CostOf(g)
	b := &budget{Ranks: s, whole: lowrank.Cost{MACs: whole.MACs, Params: whole.Params}}
	least := b.whole
	for _, u := range of {
		if c := u.At(1); u.Saves(1) {
			least.MACs += c.MACs - u.Whole.MACs
			least.Params += c.Params - u.Whole.Params
		}
	}
	if !b.met(least) {
		return b.missed(least)
	}
	return nil
}

// steps are the corners of the lower convex hull of what a layer loses over what it costs,
// from where it stands to the cheapest.
func (b *budget) steps(c *choice) []step {
	whole := c.ways[0].Whole
	type point struct {
		x float64
		f factors
	}
	from := point{b.weigh(c.at.cost(whole)), c.at}
	var ps []point
	for i, d := range c.ways {
		left, sum := losses(d)
		for e := 1; e <= c.most[i]; e++ {
			if x := b.weigh(d.At(e)); x < from.x {
				ps = append(ps, point{x, factors{d, e, left[e] / sum}})
			}
		}
	}
	sort.SliceStable(ps, func(i, j int) bool { return ps[i].x > ps[j].x })
	slope := func(a, b point) float64 { return (b.f.lost - a.f.lost) / (a.x - b.x) }
	hull := []point{from}
	for _, p := range ps {
		if last := hull[len(hull)-1]; p.x == last.x { // another way of the same cost
			if p.f.lost >= last.f.lost || len(hull) == 1 {
				continue
			}
			hull = hull[:len(hull)-1]
		}
		for k := len(hull); k > 1 && slope(hull[k-2], p) <= slope(hull[k-2], hull[k-1]); k = len(hull) {
			hull = hull[:k-1]
		}
		hull = append(hull, p)
	}
	var out []step
	for k := 1; k < len(hull); k++ {
		out = append(out, step{c, hull[k].f, slope(hull[k-1], hull[k])})
	}
	return out
}

// losses are the sums of squares that are lost at each rank, and of all.
func losses(d *lowrank.Spectrum) (left []float64, sum float64) {
	left = make([]float64, d.Full()+1)
	for _, v := range d.Values {
		for e, x := range v {
			left[e] += x * x
		}
	}
	for e := d.Full() - 1; e >= 0; e-- {
		left[e] += left[e+1]
	}
	return left, max(left[0], math.SmallestNonzeroFloat64)
}

// fill raises ranks for as long as the targets have room for it, each time where least
// is lost then.
func (b *budget) fill() {
	for {
		macs, params := b.room(b.cost())
		gain, best, to := 0., -1, factors{}
		for i, c := range b.of {
			whole := c.ways[0].Whole
			is := c.at.cost(whole)
			fits := func(k lowrank.Cost) bool { return k.MACs-is.MACs <= macs && k.Params-is.Params <= params }
			if g := c.at.lost; c.at.way != nil && g > gain && fits(whole) && !slices.ContainsFunc(c.ways, func(d *lowrank.Spectrum) bool { _, capped := b.cap(d); return capped }) {
				gain, best, to = g, i, factors{}
			}
			for k, d := range c.ways {
				e := sort.Search(c.most[k], func(e int) bool { return !fits(d.At(e + 1)) })
				if e == 0 {
					continue
				}
				if lost := d.Lost(e); c.at.lost-lost > gain {
					gain, best, to = c.at.lost-lost, i, factors{d, e, lost}
				}
			}
		}
		if best < 0 || gain < 1e-12 {
			return
		}
		b.of[best].at = to
	}
}
