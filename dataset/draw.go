package dataset

import (
	"math/rand/v2"
	"slices"
	"sort"
)

// Draw keeps n samples by seed, about the same share of every class where each has
// one, in their order; or all where there are fewer.
func (s *Set) Draw(n int, seed uint64) *Set {
	all := s.indices()
	if n >= len(all) {
		return s
	}
	if s.Ordered {
		return s.First(n)
	}
	r := rand.New(rand.NewPCG(seed, 0xd4a3))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	y := s.class()
	if y == nil || s.Stream != nil {
		all = all[:n]
		slices.Sort(all)
		return s.subset(s.Name, all)
	}
	count, seen := map[int32]int{}, map[int32]int{}
	for _, i := range all {
		count[y.Ints[i]]++
	}
	type key struct {
		at float64 // how much of its class is drawn with this sample
		i  int32
	}
	keys := make([]key, len(all))
	for k, i := range all {
		l := y.Ints[i]
		keys[k] = key{(float64(seen[l]) + .5) / float64(count[l]), i}
		seen[l]++
	}
	sort.SliceStable(keys, func(a, b int) bool { return keys[a].at < keys[b].at })
	out := make([]int32, n)
	for k := range out {
		out[k] = keys[k].i
	}
	slices.Sort(out)
	return s.subset(s.Name, out)
}

// runs tells whether the samples are in the order of their classes: those of a
// class follow each other, at least two on the average.
func (s *Set) runs() bool {
	if s.class() == nil || s.Stream != nil {
		return false
	}
	seen := map[int32]bool{}
	last := int32(-1)
	for i := range s.Len() {
		l := s.Label(i)
		if l == last && i > 0 {
			continue
		}
		if seen[l] {
			return false
		}
		seen[l], last = true, l
	}
	return len(seen) > 1 && s.Len() >= 2*len(seen)
}
