package dataset

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// arrange puts the samples of an epoch in their order, a function of seed and epoch.
func (l *Loader) arrange(epoch int) {
	if l.order != nil && (l.epoch == epoch || !l.Shuffle) {
		return
	}
	l.epoch = epoch
	if l.Sampler.Share == 0 {
		l.permute(epoch)
		l.order = l.all
		return
	}
	n, m := l.Set.Len(), l.Sampler.Len(l.Set)
	if l.Sampler.Stratified {
		l.order = l.Sampler.strata(l.Set, rand.New(rand.NewPCG(l.Seed, uint64(epoch)+1)))
	} else {
		number, part := l.Sampler.cut(epoch, n, m)
		l.permute(number)
		l.order = part(l.all)
	}
	for i := 0; l.Sampler.Fill && len(l.order)%l.Size > 0; i++ {
		l.order = append(l.order, l.order[i%m])
	}
}

// permute puts all samples in the order of a number.
func (l *Loader) permute(number int) {
	if l.all != nil && (l.permutation == number || !l.Shuffle) {
		return
	}
	n := l.Set.Len()
	if l.all == nil {
		l.all = make([]int32, n)
	}
	for i := range l.all {
		l.all[i] = int32(i)
	}
	l.permutation = number
	if !l.Shuffle {
		return
	}
	r := rand.New(rand.NewPCG(l.Seed, uint64(number)+1))
	if s := l.Set.Stream; s != nil && s.Window() < n {
		l.drift(r, number, s.Parts(), s.Window())
		return
	}
	r.Shuffle(n, func(i, j int) { l.all[i], l.all[j] = l.all[j], l.all[i] })
}

// drift shuffles samples of which only those of a window are at hand: the parts are
// put one behind the other in random order, in a circle, and each sample is then
// moved on by a random number of places below the window. A batch is so drawn from
// all parts of a window, one part comes in while another goes out, and a window of
// all samples is a shuffle of all. l.all counts the samples from 0.
func (l *Loader) drift(r *rand.Rand, epoch int, ends []int, window int) {
	n := len(l.all)
	if l.Set.Index != nil {
		slices.SortFunc(l.all, func(a, b int32) int { return cmp.Compare(l.Set.Index[a], l.Set.Index[b]) })
	}
	var runs [][2]int // of places in l.all
	if ends == nil {
		for i := range n {
			runs = append(runs, [2]int{i, i + 1})
		}
	}
	for at, k := 0, 0; k < len(ends) && at < n; k++ {
		end := at
		for end < n && l.Set.at(int(l.all[end])) < ends[k] {
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
		at += copy(l.sequence[at:], l.all[run[0]:run[1]])
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
		l.all[l.counts[k]] = s
		l.counts[k]++
	}
}
