package search

import (
	"cmp"
	"math"
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/prune/block"
)

// part is a sub-network: the nodes from one place to another. What it gives are features
// that later ones read, and outputs.
type part struct {
	lo, hi int            // of the network's nodes
	from   []*graph.Value // features that it reads, of the dense network; nil: the network's inputs
	to     []*graph.Value // features and outputs that it makes
	groups []int          // those whose channels a layer of it makes first
	macs   int64
	first  string // layers
	last   string

	reads, tuning *model.Features // what it reads, of the samples that judge and of those that tune
	makes         *model.Features // what it is to make
	front         []*solution
}

// boundary is where a network could be divided: before a node.
type boundary struct {
	at    int
	live  []*graph.Value // what is read behind it of what stands before
	size  int            // their numbers for a sample
	macs  int64          // of the nodes before
	stage bool           // the next layer works at a lower resolution
}

// most is how many sub-networks there are where nobody says.
const most = 4

// divide cuts the network into sub-networks that take about as much each.
func (e *emo) divide() error {
	ps, total := boundaries(e.dense)
	one := slices.DeleteFunc(slices.Clone(ps), func(p *boundary) bool { return len(p.live) > 1 })
	stages := slices.DeleteFunc(slices.Clone(one), func(p *boundary) bool { return !p.stage })
	k := e.Subnetworks
	if k == 0 {
		k = min(most, len(stages)+1)
		if k == 1 {
			k = min(most-1, cmp.Or(len(one), len(ps))+1)
		}
	}
	if k > len(ps)+1 {
		return catalog.Errorf("{Subnetworks} %d: the network has %d places between its layers where it could be divided, so that there are %d sub-networks at most: give fewer", k, len(ps), len(ps)+1)
	}
	from := ps
	for _, better := range [][]*boundary{stages, one} {
		if len(better) >= k-1 {
			from = better
			break
		}
	}
	lo, live := 0, []*graph.Value(nil)
	cuts := append(even(from, total, k-1), &boundary{at: len(e.dense.Nodes), macs: total})
	before := int64(0)
	for _, p := range cuts {
		e.parts = append(e.parts, &part{lo: lo, hi: p.at, from: live, macs: p.macs - before})
		lo, live, before = p.at, p.live, p.macs
	}
	e.describe()
	if i := slices.IndexFunc(e.parts, func(p *part) bool { return len(p.to) == 0 }); i >= 0 && (len(e.parts) > 1 || !e.labelled) {
		return catalog.Errorf("what the layers from %s to %s make are not numbers, sample by sample, that could be compared: give {Subnetworks} 1, and {Data} with labels", e.parts[i].first, e.parts[i].last)
	}
	return nil
}

// undivide makes one sub-network of all.
func (e *emo) undivide() {
	one := &part{hi: len(e.dense.Nodes), first: e.parts[0].first, last: e.parts[len(e.parts)-1].last}
	for _, p := range e.parts {
		one.groups, one.macs = append(one.groups, p.groups...), one.macs+p.macs
	}
	one.to = slices.DeleteFunc(slices.Clone(e.dense.Outputs), func(v *graph.Value) bool { return !block.BySample(e.dense, v) })
	e.parts = []*part{one}
}

// describe finds what sub-networks read and make, their layers and their groups.
func (e *emo) describe() {
	of := func(node int) *part {
		for _, p := range e.parts {
			if node < p.hi {
				return p
			}
		}
		return e.parts[len(e.parts)-1]
	}
	at, read := map[*graph.Value]*part{}, map[string]int{}
	for i, n := range e.dense.Nodes {
		p := of(i)
		for _, v := range n.Outputs {
			at[v] = p
		}
		for _, v := range append(slices.Clone(n.Inputs), n.Captures()...) {
			if v == nil || !v.IsConst() {
				continue
			}
			if _, ok := read[v.Name]; !ok {
				read[v.Name] = i
			}
			if len(v.Shape) > 1 && v.Role == graph.Param {
				p.first, p.last = cmp.Or(p.first, v.Name), v.Name
			}
		}
	}
	for i, p := range e.parts {
		var out []*graph.Value
		if i+1 < len(e.parts) {
			out = e.parts[i+1].from
		}
		for _, v := range append(slices.Clone(out), e.dense.Outputs...) {
			if at[v] == p && block.BySample(e.dense, v) && !slices.Contains(p.to, v) {
				p.to = append(p.to, v)
			}
		}
	}
	for i, g := range e.groups {
		if len(e.widths[i]) == 1 {
			continue
		}
		node := len(e.dense.Nodes) - 1
		for _, name := range g.Makers() {
			if n, ok := read[name]; ok {
				node = min(node, n)
			}
		}
		p := of(node)
		p.groups = append(p.groups, i)
	}
}

// boundaries lists where a network can be divided, one between any two layers that multiply:
// where what is read behind it are numbers of samples, of the places between two layers
// the one with the fewest. total are the multiply-accumulates of all nodes.
func boundaries(g *graph.Graph) (out []*boundary, total int64) {
	one, m := op.OneSample(g)
	born, last, varies := lives(g)
	layer, before := -1, int64(0)
	for i, n := range one.Nodes {
		macs, ok := op.MACs(n)
		if !ok || macs == 0 {
			continue
		}
		if layer >= 0 {
			var best *boundary
			for at := layer + 1; at <= i; at++ {
				p := &boundary{at: at, macs: before}
				for v, d := range born {
					if d < at && last[v] >= at && varies[v] {
						p.live = append(p.live, v)
					}
				}
				if p.carries(g, m) && (best == nil || cmp.Or(cmp.Compare(len(p.live), len(best.live)), cmp.Compare(p.size, best.size)) <= 0) {
					best = p
				}
			}
			if best != nil {
				best.stage = falls(one.Nodes[layer].Out(0), n.Out(0))
				slices.SortFunc(best.live, func(a, b *graph.Value) int { return cmp.Or(born[a]-born[b], cmp.Compare(a.Name, b.Name)) })
				out = append(out, best)
			}
		}
		layer, before = i, before+macs
	}
	return out, before
}

// lives says where values are made (-1: they are inputs), where they are read last, and
// whether they depend on the inputs.
func lives(g *graph.Graph) (born, last map[*graph.Value]int, varies map[*graph.Value]bool) {
	born, last, varies = map[*graph.Value]int{}, map[*graph.Value]int{}, map[*graph.Value]bool{}
	for _, v := range g.Inputs {
		born[v], last[v], varies[v] = -1, -1, true
	}
	for i, n := range g.Nodes {
		from := false
		for _, v := range append(slices.Clone(n.Inputs), n.Captures()...) {
			from = from || varies[v]
			last[v] = i
		}
		for _, v := range n.Outputs {
			if v != nil {
				born[v], varies[v] = i, from
			}
		}
	}
	return born, last, varies
}

// carries says whether all that is read behind a place are numbers, sample by sample, and
// counts them.
func (p *boundary) carries(g *graph.Graph, one map[*graph.Value]*graph.Value) bool {
	for _, v := range p.live {
		if !block.BySample(g, v) {
			return false
		}
		n := one[v].Shape.Size(1, len(v.Shape))
		if !n.Known() {
			return false
		}
		p.size += n.Mul
	}
	return len(p.live) > 0
}

// falls says whether a layer's output has fewer places than that of the one before.
func falls(a, b *graph.Value) bool {
	if a == nil || b == nil || len(a.Shape) < 3 || len(a.Shape) != len(b.Shape) {
		return false
	}
	return b.Shape.Size(2, len(b.Shape)).Mul < a.Shape.Size(2, len(a.Shape)).Mul
}

// even chooses n of the places so that the sum of the squares of what lies between them is
// least: about as much each.
func even(ps []*boundary, total int64, n int) []*boundary {
	if n == 0 {
		return nil
	}
	square := func(from, to int64) float64 { x := float64(to - from); return x * x }
	cost := make([][]float64, n) // of the first places up to i, the last of them
	came := make([][]int, n)
	for k := range n {
		cost[k], came[k] = make([]float64, len(ps)), make([]int, len(ps))
		for i, p := range ps {
			cost[k][i], came[k][i] = math.Inf(1), -1
			if k == 0 {
				cost[k][i] = square(0, p.macs)
				continue
			}
			for h := range i {
				if c := cost[k-1][h] + square(ps[h].macs, p.macs); c < cost[k][i] {
					cost[k][i], came[k][i] = c, h
				}
			}
		}
	}
	end, least := -1, math.Inf(1)
	for i, p := range ps {
		if c := cost[n-1][i] + square(p.macs, total); c < least {
			end, least = i, c
		}
	}
	out := make([]*boundary, n)
	for k := n - 1; k >= 0; k-- {
		out[k] = ps[end]
		end = came[k][end]
	}
	return out
}
