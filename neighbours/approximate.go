package neighbours

import (
	"context"
	"math"
)

// perList is about how many rows a list has where their number is not given.
const perList = 250

// Approximate finds most of the K nearest rows of base for every row of queries, or of
// base where queries is nil, as Exact does, at a cost that grows little more than in
// proportion to the rows: base is divided into lists by the nearest of as many centroids
// (an inverted file; Sivic and Zisserman, ICCV 2003; Jégou, Douze and Schmid, TPAMI 2011,
// section IV), and a row looks only at the lists whose centroids are nearest to it.
// How many those are is chosen on a sample of rows, whose exact neighbours are found: the
// fewest with which the wanted share of them is seen. The result says which share it was.
//
// Rows that Memory does not hold go to a file, in the order of the lists.
func Approximate(ctx context.Context, base, queries Source, o Options) (*Result, error) {
	if err := o.check(base, queries); err != nil {
		return nil, err
	}
	n := o.Lists
	if n == 0 {
		n = max(1, base.Len()/perList)
	}
	w := newWorkers(o.Threads)
	c, err := train(ctx, w, base, min(n, base.Len()), &o)
	if err != nil {
		return nil, err
	}
	b, err := c.list(ctx, w, base, &o, o.Memory/2)
	if err != nil {
		return nil, err
	}
	defer b.close()
	q := b
	if queries != nil {
		if q, err = c.list(ctx, w, queries, &o, o.Memory/4); err != nil {
			return nil, err
		}
		defer q.close()
	}
	out := newResult(len(q.ids), o.K)
	out.Lists = b.n()
	if err := c.choose(ctx, w, base, queries, b, &o, out); err != nil {
		return nil, err
	}
	s := &search{c: c, base: b, queries: q, alone: queries == nil, probes: out.Probes, out: out, room: map[*screen]*searching{}}
	for _, sc := range w.of {
		s.room[sc] = &searching{}
	}
	if err := w.each(ctx, s.pieces(), s.list); err != nil {
		return nil, err
	}
	return out.finish(o.Metric), nil
}

// sampled is how many rows Probes is chosen on.
const sampled = 500

// choose says how many lists are looked at: as many as are given, or as the wanted
// share of the neighbours of a sample of rows needs.
func (c *centroids) choose(ctx context.Context, w *workers, base, queries Source, b *lists, o *Options, out *Result) error {
	of := queries
	if of == nil {
		of = base
	}
	some := Some{of, drawn(of.Len(), min(of.Len(), sampled), o.Seed+1)}
	var x rows
	if err := x.read(some, 0, some.Len(), o.Metric); err != nil {
		return err
	}
	t := &nearest{}
	t.reset(x.n, o.K)
	var own []int32
	if queries == nil {
		own = some.At
	}
	if err := w.compare(ctx, &x, own, base, tileColumns, t, o.Metric); err != nil {
		return err
	}
	in := make([]int32, base.Len()) // the list of each row
	for l := range b.n() {
		for _, i := range b.ids[b.starts[l]:b.starts[l+1]] {
			in[i] = int32(l)
		}
	}
	out.Sample = x.n
	for p := 1; ; p = min(b.n(), p+max(1, p/4)) {
		if o.Probes > 0 {
			p = min(o.Probes, b.n())
		}
		probed := &nearest{}
		probed.reset(x.n, p)
		c.seek(w.of[0], &x, probed, &nearest{})
		out.Probes, out.Recall = p, seen(t, probed, in)
		if out.Recall >= o.Recall || o.Probes > 0 || p == b.n() {
			return stopped(ctx)
		}
	}
}

// seen is the share of the nearest rows that lie in the lists which are looked at.
func seen(t, probed *nearest, in []int32) float64 {
	there, found := 0, 0
	for i := range len(t.id) / t.k {
		lists := map[int32]bool{}
		for _, l := range probed.id[i*probed.k : (i+1)*probed.k] {
			lists[l] = true
		}
		for _, id := range t.id[i*t.k : (i+1)*t.k] {
			if id < 0 {
				continue
			}
			there++
			if lists[in[id]] {
				found++
			}
		}
	}
	if there == 0 {
		return math.NaN()
	}
	return float64(found) / float64(there)
}
