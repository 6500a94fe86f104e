package neighbours

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

// lloydRounds is how often centroids move: more hardly changes which lists are near.
const lloydRounds = 8

// lloyd gives k centroids of rows by Lloyd's algorithm (Lloyd 1982), begun at rows that
// are drawn by seed. One that no row is nearest to goes where a row is farthest from its
// own. There are fewer centroids than k only where there are fewer rows.
func lloyd(ctx context.Context, w *workers, x *rows, k int, seed uint64) (*rows, error) {
	k = min(k, x.n)
	c := &rows{}
	c.room(k, x.dim)
	for i, at := range drawn(x.n, k, seed) {
		copy(c.row(i), x.row(int(at)))
	}
	c.measure()
	own := make([]int32, x.n)
	far := make([]float32, x.n)
	for range lloydRounds {
		if err := w.assign(ctx, x, c, own, far); err != nil {
			return nil, err
		}
		if err := w.means(ctx, x, c, own, far); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// drawn is k of n numbers by seed, in their order.
func drawn(n, k int, seed uint64) []int32 {
	r := rand.New(rand.NewPCG(seed, 0x6b6d65616e73))
	out := make([]int32, 0, k)
	for i := range n { // each is taken by its chance, so that k are (Knuth: TAOCP 2, 3.4.2, algorithm S)
		if left := k - len(out); left > 0 && r.IntN(n-i) < left {
			out = append(out, int32(i))
		}
	}
	return out
}

// assign finds the nearest centroid of each row.
func (w *workers) assign(ctx context.Context, x, c *rows, own []int32, far []float32) error {
	b := &against{rows: c}
	return w.each(ctx, (x.n+tileRows-1)/tileRows, func(s *screen, i int) error {
		lo, hi := i*tileRows, min(x.n, (i+1)*tileRows)
		t := &nearest{dist: far[lo:hi], id: own[lo:hi]}
		t.reset(hi-lo, 1)
		s.offer(x.part(lo, hi), nil, nil, b, t)
		return nil
	})
}

// means moves each centroid to the mean of its rows.
func (w *workers) means(ctx context.Context, x, c *rows, own []int32, far []float32) error {
	starts, order := byOwner(own, c.n)
	var empty []int
	for k := range c.n {
		if starts[k] == starts[k+1] {
			empty = append(empty, k)
		}
	}
	err := w.each(ctx, c.n, func(s *screen, k int) error {
		mine := order[starts[k]:starts[k+1]]
		if len(mine) == 0 {
			return nil
		}
		sum := make([]float64, x.dim)
		for _, i := range mine {
			for j, v := range x.row(int(i)) {
				sum[j] += float64(v)
			}
		}
		for j, v := range sum {
			c.row(k)[j] = float32(v / float64(len(mine)))
		}
		return nil
	})
	for _, k := range empty {
		at, most := 0, float32(-1)
		for i, d := range far {
			if d > most {
				at, most = i, d
			}
		}
		far[at] = float32(math.Inf(-1))
		copy(c.row(k), x.row(at))
	}
	c.measure()
	return err
}

// byOwner lists what belongs to each of n owners: those of owner k are
// order[starts[k]:starts[k+1]], in their order.
func byOwner(own []int32, n int) (starts, order []int32) {
	starts = make([]int32, n+1)
	for _, k := range own {
		starts[k+1]++
	}
	for k := range n {
		starts[k+1] += starts[k]
	}
	order = make([]int32, len(own))
	next := slices.Clone(starts)
	for i, k := range own {
		order[next[k]] = int32(i)
		next[k]++
	}
	return starts, order
}
