package neighbours

import (
	"context"
	"math/rand/v2"

	"pare/internal/kmeans"
)

// lloydRounds is how often centroids move: more hardly changes which lists are near.
const lloydRounds = 8

// lloyd gives k centroids of rows by Lloyd's algorithm, begun at rows that
// are drawn by seed. One that no row is nearest to goes where a row is farthest from its
// own. There are fewer centroids than k only where there are fewer rows.
func lloyd(ctx context.Context, w *workers, x *rows, k int, seed uint64) (*rows, error) {
	k = min(k, x.n)
	c := &rows{}
	c.room(k, x.dim)
	for i, at := range drawn(x.n, k, seed) {
		copy(c.row(i), x.row(int(at)))
	}
	l := &kmeans.Lloyd[float32]{X: x.x, D: x.dim, C: c.x[:k*x.dim], Label: make([]int32, x.n), Far: make([]float32, x.n)}
	l.Assign = func(ctx context.Context) (float64, error) {
		c.measure()
		return 0, w.assign(ctx, x, c, l.Label, l.Far)
	}
	l.Each = func(ctx context.Context, n int, do func(i int)) error {
		return w.each(ctx, n, func(_ *screen, i int) error { do(i); return nil })
	}
	if _, err := l.Run(ctx, lloydRounds); err != nil {
		return nil, err
	}
	if err := l.Move(ctx); err != nil {
		return nil, err
	}
	c.measure()
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
