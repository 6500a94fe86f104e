package neighbours

import (
	"context"
	"math"

	"pare/internal/kmeans"
)

// centroids are those of the lists, in groups, so that the nearest are found without
// looking at all of them.
type centroids struct {
	all    *rows   // those of group g are starts[g] to starts[g+1]
	starts []int32 // by group
	groups *rows   // the middle of each
}

// perCentroid is how many rows centroids are made of.
const perCentroid = 48

// train makes about n centroids from a sample of rows: first about sqrt(n) groups, then
// in each group centroids in proportion to its rows.
func train(ctx context.Context, w *workers, s Source, n int, o *Options) (*centroids, error) {
	var x rows
	sample := Some{s, drawn(s.Len(), min(s.Len(), n*perCentroid), o.Seed)}
	if err := x.read(sample, 0, sample.Len(), o.Metric); err != nil {
		return nil, err
	}
	groups, err := lloyd(ctx, w, &x, int(math.Sqrt(float64(n))), o.Seed)
	if err != nil {
		return nil, err
	}
	own, far := make([]int32, x.n), make([]float32, x.n)
	if err := w.assign(ctx, &x, groups, own, far); err != nil {
		return nil, err
	}
	starts, order := kmeans.ByOwner(own, groups.n)
	parts := make([]*rows, groups.n)
	err = w.each(ctx, groups.n, func(c *screen, g int) error {
		mine := order[starts[g]:starts[g+1]]
		part := &rows{}
		part.room(len(mine), x.dim)
		for i, k := range mine {
			copy(part.row(i), x.row(int(k)))
		}
		part.measure()
		share := int(math.Round(float64(n) * float64(len(mine)) / float64(x.n)))
		var err error
		parts[g], err = lloyd(ctx, &workers{[]*screen{c}}, part, max(min(1, len(mine)), share), o.Seed)
		return err
	})
	if err != nil {
		return nil, err
	}
	c := &centroids{groups: groups, starts: make([]int32, groups.n+1), all: &rows{}}
	for g, p := range parts {
		c.starts[g+1] = c.starts[g] + int32(p.n)
	}
	c.all.room(int(c.starts[groups.n]), x.dim)
	for g, p := range parts {
		copy(c.all.x[int(c.starts[g])*x.dim:], p.x)
	}
	c.all.measure()
	return c, nil
}

// looked is the number of groups in which the nearest so many centroids are looked for.
func (c *centroids) looked(probes int) int {
	if probes >= c.all.n {
		return c.groups.n
	}
	return min(c.groups.n, 6+2*probes*c.groups.n/c.all.n)
}

// seek finds the nearest centroids of rows, as many as t holds of each; near holds their
// groups meanwhile.
func (c *centroids) seek(s *screen, q *rows, t, near *nearest) {
	near.reset(q.n, c.looked(t.k))
	s.offer(q, nil, nil, &against{rows: c.groups}, near)
	for g, at := range byProbe(near, c.groups.n) {
		if lo, hi := int(c.starts[g]), int(c.starts[g+1]); hi > lo && len(at) > 0 {
			s.offer(q, at, nil, &against{rows: c.all.part(lo, hi), first: lo}, t)
		}
	}
}

// byProbe lists the rows that have each of n among their nearest.
func byProbe(t *nearest, n int) [][]int32 {
	counts := make([]int32, n+1)
	for _, g := range t.id {
		if g >= 0 {
			counts[g+1]++
		}
	}
	for g := range n {
		counts[g+1] += counts[g]
	}
	order := make([]int32, counts[n])
	out := make([][]int32, n)
	for g := range n {
		out[g] = order[counts[g]:counts[g]:counts[g+1]]
	}
	for i, g := range t.id {
		if g >= 0 {
			out[g] = append(out[g], int32(i/t.k))
		}
	}
	return out
}
