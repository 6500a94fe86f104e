package sweep

import (
	"fmt"
	"math"
	"slices"
)

// bracket are the combinations that are ranked with each other, and how far they have come
// in successive halving.
type bracket struct {
	cell  string
	all   [][]*member // of each combination the runs by seed
	left  []int       // those that are still in
	rungs []int       // epochs; the last is the end
	at    int         // the rung that is made
}

// brackets are the members by what they are ranked with. What does not halve is
// made to its end at once.
func (s *Sweep) brackets(ms []*member) (out []*bracket) {
	by := map[string]*bracket{}
	where := map[*Config]int{}
	for _, m := range ms {
		b := by[m.cell]
		if b == nil {
			b = &bracket{cell: m.cell, rungs: []int{s.Epochs}}
			if s.Search.Kind == Halving {
				b.rungs = Rungs(s.Search.MinEpochs, s.Search.Eta, s.Epochs)
			}
			by[m.cell] = b
			out = append(out, b)
		}
		i, known := where[m.Config]
		if !known {
			i = len(b.all)
			where[m.Config] = i
			b.all, b.left = append(b.all, nil), append(b.left, i)
		}
		b.all[i] = append(b.all[i], m)
	}
	return out
}

// until is where runs of the present rung pause, 0 where they go on to their end.
func (b *bracket) until() int {
	if b.at == len(b.rungs)-1 {
		return 0
	}
	return b.rungs[b.at]
}

// value is what a combination had come to at the present rung: the mean over its seeds.
func (b *bracket) value(i int, of func(*member) *Outcome) float64 {
	sum := 0.
	for _, m := range b.all[i] {
		o := of(m)
		if o == nil {
			return math.NaN()
		}
		sum += o.at(b.rungs[b.at])
	}
	return sum / float64(len(b.all[i]))
}

// drop is why a run goes no further.
type drop struct {
	m   *member
	why string
}

// advance gives the runs that the present rung still lacks; where it lacks none it goes on to
// the next, with those that are promoted, and gives the others. At the end both are empty.
func (b *bracket) advance(s *Sweep, higher bool, of func(*member) *Outcome) (lacks []*member, drops []drop) {
	for {
		for _, i := range b.left {
			for _, m := range b.all[i] {
				if !of(m).reaches(b.until()) {
					lacks = append(lacks, m)
				}
			}
		}
		if len(lacks) > 0 || b.at == len(b.rungs)-1 {
			return lacks, drops
		}
		values := make([]float64, len(b.left))
		for k, i := range b.left {
			values[k] = b.value(i, of)
		}
		stay := Promote(values, higher, s.Search.Eta)
		for k, i := range b.left {
			if slices.Contains(stay, k) {
				continue
			}
			rank := 1
			for _, v := range values {
				if order(v, values[k], higher) < 0 {
					rank++
				}
			}
			for _, m := range b.all[i] {
				if o := of(m); o.Status != Failed && o.Status != Done {
					drops = append(drops, drop{m, fmt.Sprintf("place %d of %d after %s; %d went on", rank, len(b.left), plural(b.rungs[b.at], "epoch"), len(stay))})
				}
			}
		}
		left := make([]int, len(stay))
		for k, at := range stay {
			left[k] = b.left[at]
		}
		b.left, b.at = left, b.at+1
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
