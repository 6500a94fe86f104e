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
	if y == nil {
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

// runs tells whether samples of a class follow each other, as where a file, or each
// part of it, is in the order of its classes: the class changes from one sample to
// the next at most half as often as it would be expected to in a random order.
func (s *Set) runs() bool {
	if s.class() == nil {
		return false
	}
	count, changes := map[int32]int{}, 0
	n := s.Len()
	for i := range n {
		count[s.Label(i)]++
		if i > 0 && s.Label(i) != s.Label(i-1) {
			changes++
		}
	}
	same := 0.0 // pairs of one class
	for _, k := range count {
		same += float64(k) * float64(k-1)
	}
	expected := float64(n-1) - same/float64(n)
	return len(count) > 1 && float64(changes) <= expected/2
}
