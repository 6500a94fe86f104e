package structure

import (
	"math"
	"slices"
	"sort"

	"pare/graph"
)

// block is channels of a group that go at once: from one width to the next smaller one.
type block struct {
	group    int
	channels []int
	rate     float64 // cost for each multiply-accumulate: no less than that of those before it
	cost     float64
}

// cheapest looks for the cut that meets the target at the least sum of costs. Blocks go
// in the order of their rates until it is met, and come back where it is met without
// them. Where the last one goes far beyond it, there may be a better cut without that
// block: then its group keeps it, and the others go on. nil: the target is not met so.
func (t Target) cheapest(g *graph.Graph, groups []*Group, score [][]float64, met func(Selection) bool) Selection {
	blocks := t.blocks(g, groups, score)
	sel := t.begin(groups)
	set := func(b *block, keep bool) {
		for _, c := range b.channels {
			sel[b.group].Set(c, keep)
		}
	}
	var best Selection
	least := math.Inf(1)
	var gone []*block
	held := make([]bool, len(groups))
	for _, b := range blocks {
		if held[b.group] {
			continue
		}
		set(b, false)
		if !met(sel) {
			gone = append(gone, b)
			continue
		}
		sum := b.cost
		var back []*block
		last := map[int]bool{b.group: true} // groups of which a later block stays gone
		for _, a := range slices.Backward(gone) {
			if !last[a.group] {
				if set(a, true); met(sel) {
					back = append(back, a)
					continue
				}
				set(a, false)
			}
			last[a.group] = true
			sum += a.cost
		}
		if sum < least {
			best, least = nil, sum
			for _, m := range sel {
				best = append(best, m.Clone())
			}
		}
		for _, a := range back {
			set(a, false)
		}
		set(b, true)
		held[b.group] = true
	}
	return best
}

// blocks lists what may go, cheapest first.
func (t Target) blocks(g *graph.Graph, groups []*Group, score [][]float64) []*block {
	worth := Worth(g, groups)
	var out []*block
	for i, s := range score {
		order, free := t.order(i, groups[i], s)
		_, multiple := t.up(i, groups[i], 1)
		rate := math.Inf(-1)
		for lo := 0; lo < len(order); {
			n := (len(order) - lo) % multiple
			if n == 0 {
				n = multiple
			}
			if lo+n > free {
				break
			}
			sum := 0.0
			for _, c := range order[lo : lo+n] {
				sum += s[c]
			}
			rate = max(rate, sum/float64(n))
			out = append(out, &block{i, order[lo : lo+n], rate, sum * float64(worth[i].MACs)})
			lo += n
		}
	}
	sort.SliceStable(out, func(a, b int) bool { return out[a].rate < out[b].rate })
	return out
}
