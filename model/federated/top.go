package federated

import (
	"math"
	"slices"

	"pare/prune"
)

// Top keeps the entries of the largest magnitude of what it is shown piece by piece, in
// memory for as many as it keeps. Of equal ones the lowest index stays. NaN counts as
// zero.
type Top struct {
	n    int
	heap []entry // the least wanted first
}

type entry struct {
	index int
	value float32
}

// NewTop keeps n entries.
func NewTop(n int) *Top { return &Top{n: n, heap: make([]entry, 0, n)} }

// before says whether a is wanted less than b.
func (a entry) before(b entry) bool {
	x, y := abs(a.value), abs(b.value)
	return x < y || x == y && a.index > b.index
}

func abs(x float32) float32 { return float32(math.Abs(float64(x))) }

// Push shows the entries from index first on, of which those that a mask keeps do not
// count.
func (t *Top) Push(first int, x []float32, kept *prune.Mask) {
	for i, v := range x {
		if kept.Kept(first + i) {
			continue
		}
		if v != v {
			v = 0
		}
		e := entry{first + i, v}
		switch {
		case len(t.heap) < t.n:
			t.heap = append(t.heap, e)
			t.up(len(t.heap) - 1)
		case t.n > 0 && t.heap[0].before(e):
			t.heap[0] = e
			t.down()
		}
	}
}

func (t *Top) up(i int) {
	for i > 0 {
		p := (i - 1) / 2
		if !t.heap[i].before(t.heap[p]) {
			return
		}
		t.heap[i], t.heap[p] = t.heap[p], t.heap[i]
		i = p
	}
}

func (t *Top) down() {
	for i := 0; ; {
		c := 2*i + 1
		if c+1 < len(t.heap) && t.heap[c+1].before(t.heap[c]) {
			c++
		}
		if c >= len(t.heap) || !t.heap[c].before(t.heap[i]) {
			return
		}
		t.heap[i], t.heap[c] = t.heap[c], t.heap[i]
		i = c
	}
}

// Pairs are the entries that were kept, by index.
func (t *Top) Pairs() (index []int, value []float32) {
	es := slices.Clone(t.heap)
	slices.SortFunc(es, func(a, b entry) int { return a.index - b.index })
	for _, e := range es {
		index, value = append(index, e.index), append(value, e.value)
	}
	return index, value
}
