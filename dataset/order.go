package dataset

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// arrange puts the samples in the order of an epoch, a function of seed and epoch.
func (l *Loader) arrange(epoch int) {
	if l.order != nil && (l.epoch == epoch || !l.Shuffle) {
		return
	}
	n := l.Set.Len()
	if l.order == nil {
		l.order = make([]int32, n)
	}
	for i := range l.order {
		l.order[i] = int32(i)
	}
	l.epoch = epoch
	if !l.Shuffle {
		return
	}
	r := rand.New(rand.NewPCG(l.Seed, uint64(epoch)+1))
	if s := l.Set.Stream; s != nil && s.Window() < n {
		l.drift(r, epoch, s.Parts(), s.Window())
		return
	}
	r.Shuffle(n, func(i, j int) { l.order[i], l.order[j] = l.order[j], l.order[i] })
}

// drift shuffles samples of which only those of a window are at hand: the parts are
// put one behind the other in random order, in a circle, and each sample is then
// moved on by a random number of places below the window. A batch is so drawn from
// all parts of a window, one part comes in while another goes out, and a window of
// all samples is a shuffle of all. l.order counts the samples from 0.
func (l *Loader) drift(r *rand.Rand, epoch int, ends []int, window int) {
	n := len(l.order)
	if l.Set.Index != nil {
		slices.SortFunc(l.order, func(a, b int32) int { return cmp.Compare(l.Set.Index[a], l.Set.Index[b]) })
	}
	var runs [][2]int // of places in l.order
	if ends == nil {
		for i := range n {
			runs = append(runs, [2]int{i, i + 1})
		}
	}
	for at, k := 0, 0; k < len(ends) && at < n; k++ {
		end := at
		for end < n && l.Set.at(int(l.order[end])) < ends[k] {
			end++
		}
		if end > at {
			runs = append(runs, [2]int{at, end})
		}
		at = end
	}
	r.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
	if l.sequence == nil {
		l.sequence, l.counts = make([]int32, n), make([]int32, n+1)
	}
	at := 0
	for _, run := range runs {
		at += copy(l.sequence[at:], l.order[run[0]:run[1]])
	}
	window = max(1, min(window, n))
	key := func(place int) int {
		return (place + int(mix(l.Seed, uint64(epoch), uint64(place))%uint64(window))) % n
	}
	clear(l.counts) // a sort by counting
	for place := range n {
		l.counts[key(place)+1]++
	}
	for k := range n {
		l.counts[k+1] += l.counts[k]
	}
	for place, s := range l.sequence {
		k := key(place)
		l.order[l.counts[k]] = s
		l.counts[k]++
	}
}
