package hygiene

import (
	"cmp"
	"slices"
)

// Pair is two samples that are alike, A the first of them.
type Pair struct {
	A, B     int32
	Distance float32 // 0: the same
}

// Group is samples of which each is like another.
type Group struct {
	Samples  []int   `json:"samples"`  // in their order
	Distance float32 `json:"distance"` // the largest between two that are alike
}

// Groups joins n samples that pairs connect (union by the lower number, with halving of
// paths: Tarjan, JACM 1975). They come in the order of their first samples.
func Groups(n int, pairs []Pair) []Group {
	parent := make([]int32, n)
	for i := range parent {
		parent[i] = int32(i)
	}
	root := func(i int32) int32 {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for _, p := range pairs {
		if a, b := root(p.A), root(p.B); a != b {
			parent[max(a, b)] = min(a, b)
		}
	}
	far := map[int32]float32{}
	for _, p := range pairs {
		r := root(p.A)
		far[r] = max(far[r], p.Distance)
	}
	at := map[int32]int{}
	var out []Group
	for i := range n {
		r := root(int32(i))
		if _, ok := far[r]; !ok {
			continue
		}
		k, ok := at[r]
		if !ok {
			k, at[r] = len(out), len(out)
			out = append(out, Group{Distance: far[r]})
		}
		out[k].Samples = append(out[k].Samples, i)
	}
	return out
}

// sorted orders pairs, each named once, the least distance of those that are named twice.
func sorted(ps []Pair) []Pair {
	slices.SortFunc(ps, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B), cmp.Compare(a.Distance, b.Distance))
	})
	return slices.CompactFunc(ps, func(a, b Pair) bool { return a.A == b.A && a.B == b.B })
}

// Leak is a sample of one set that is like one of an earlier set, such as of the test
// and the training set.
type Leak struct {
	Sample   int     `json:"sample"` // of the later set
	Like     int     `json:"like"`   // the nearest of an earlier set
	Distance float32 `json:"distance"`
}

// Leaks are the samples that pairs connect with an earlier set, each with its nearest, in
// their order.
func (c Corpus) Leaks(pairs []Pair) []Leak {
	best := map[int]Leak{}
	for _, p := range pairs {
		a, b := int(p.A), int(p.B)
		if a > b {
			a, b = b, a
		}
		x, _ := c.Find(a)
		y, _ := c.Find(b)
		if x == y {
			continue
		}
		if l, ok := best[b]; !ok || p.Distance < l.Distance || p.Distance == l.Distance && a < l.Like {
			best[b] = Leak{b, a, p.Distance}
		}
	}
	var out []Leak
	for _, l := range best {
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Leak) int { return a.Sample - b.Sample })
	return out
}
