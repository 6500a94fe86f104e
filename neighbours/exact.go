package neighbours

import (
	"context"

	"pare/internal/kernel"
)

// Exact finds the K nearest rows of base for every row of queries; where queries is nil,
// for every row of base among the others. It takes a product of len(queries) x dim x
// len(base) multiplications, and memory for blocks of rows and the result.
//
// A row with a NaN or an infinity is an error, and under Cosine one of zeros.
func Exact(ctx context.Context, base, queries Source, o Options) (*Result, error) {
	if err := o.check(base, queries); err != nil {
		return nil, err
	}
	alone := queries == nil
	if alone {
		queries = base
	}
	n, d := queries.Len(), queries.Dim()
	out := newResult(n, o.K)
	w := newWorkers(o.Threads)
	together := int(max(tileRows, min(int64(n), o.Memory/int64(4*d+12))))
	columns := max(16, min(tileColumns, 1<<20/d))
	var q rows
	for lo := 0; lo < n; lo += together {
		hi := min(n, lo+together)
		if err := q.read(queries, lo, hi-lo, o.Metric); err != nil {
			return nil, err
		}
		t := &nearest{dist: out.Distance[lo*o.K : hi*o.K], id: out.Index[lo*o.K : hi*o.K]}
		t.reset(hi-lo, o.K)
		var own []int32
		if alone {
			own = counting(lo, hi)
		}
		if err := w.compare(ctx, &q, own, base, columns, t, o.Metric); err != nil {
			return nil, err
		}
	}
	return out.finish(o.Metric), nil
}

// compare offers rows all rows of a source, block by block.
func (w *workers) compare(ctx context.Context, q *rows, own []int32, base Source, columns int, t *nearest, m Metric) error {
	var block rows
	for lo := 0; lo < base.Len(); lo += columns {
		if err := block.read(base, lo, min(columns, base.Len()-lo), m); err != nil {
			return err
		}
		b := &against{rows: &block, first: lo, packed: kernel.PackB(true, block.n, block.dim, block.x, block.dim)}
		err := w.each(ctx, (q.n+tileRows-1)/tileRows, func(c *screen, i int) error {
			lo, hi := i*tileRows, min(q.n, (i+1)*tileRows)
			part := &nearest{k: t.k, dist: t.dist[lo*t.k : hi*t.k], id: t.id[lo*t.k : hi*t.k]}
			mine := own
			if own != nil {
				mine = own[lo:hi]
			}
			c.offer(q.part(lo, hi), nil, mine, b, part)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// counting is the numbers from lo to hi.
func counting(lo, hi int) []int32 {
	out := make([]int32, hi-lo)
	for i := range out {
		out[i] = int32(lo + i)
	}
	return out
}
