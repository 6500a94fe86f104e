package neighbours

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"

	"pare/internal/kmeans"
)

// lists are rows in the order of the lists that they belong to.
type lists struct {
	starts []int32 // list l is places starts[l] to starts[l+1]
	ids    []int32 // the number of the row at each place
	dim    int
	square []float64 // as rows have it
	bias   []float32
	x      []float32 // the rows, or nil: a file holds them
	file   *os.File
}

// readTogether is the rows that are read from a source at a time.
const readTogether = 1 << 13

// list puts each row of a source into the list of its nearest centroid.
func (c *centroids) list(ctx context.Context, w *workers, s Source, o *Options, most int64) (*lists, error) {
	n, d := s.Len(), s.Dim()
	own := make([]int32, n)
	err := w.blocks(ctx, s, o.Metric, func(q *rows, first int) error {
		return w.each(ctx, (q.n+tileRows-1)/tileRows, func(sc *screen, i int) error {
			lo, hi := i*tileRows, min(q.n, (i+1)*tileRows)
			t := &nearest{dist: make([]float32, hi-lo), id: own[first+lo : first+hi]}
			t.reset(hi-lo, 1)
			c.seek(sc, q.part(lo, hi), t, &nearest{})
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	l := &lists{dim: d, square: make([]float64, n), bias: make([]float32, n)}
	l.starts, l.ids = kmeans.ByOwner(own, c.all.n)
	place := own // where each row goes: its own list is known by then
	for at, i := range l.ids {
		place[i] = int32(at)
	}
	if int64(n)*int64(d)*4 <= most {
		l.x = make([]float32, n*d)
	} else if l.file, err = os.CreateTemp(o.Dir, "pare-neighbours-*"); err != nil {
		return nil, err
	}
	err = w.blocks(ctx, s, o.Metric, func(q *rows, first int) error { return l.put(q, place[first:first+q.n]) })
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// blocks reads the rows of a source, some at a time.
func (w *workers) blocks(ctx context.Context, s Source, m Metric, do func(q *rows, first int) error) error {
	var q rows
	for lo := 0; lo < s.Len(); lo += readTogether {
		if err := stopped(ctx); err != nil {
			return err
		}
		if err := q.read(s, lo, min(readTogether, s.Len()-lo), m); err != nil {
			return err
		}
		if err := do(&q, lo); err != nil {
			return err
		}
	}
	return nil
}

// put writes rows to their places.
func (l *lists) put(q *rows, place []int32) error {
	var b []byte
	for i, at := range place {
		l.square[at], l.bias[at] = q.square[i], q.bias[i]
		if l.x != nil {
			copy(l.x[int(at)*l.dim:], q.row(i))
			continue
		}
		b = b[:0]
		for _, v := range q.row(i) {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		if _, err := l.file.WriteAt(b, int64(at)*int64(len(b))); err != nil {
			return fmt.Errorf("rows that memory does not hold: %w", err)
		}
	}
	return nil
}

// rows are those of places lo to hi, in room that is used again.
func (l *lists) rows(lo, hi int, r *rows) error {
	if l.file == nil {
		r.x = l.x[lo*l.dim : hi*l.dim]
	} else {
		r.room(hi-lo, l.dim)
		if err := (File{From: l.file, N: hi, Width: l.dim}).Read(lo, r.x); err != nil {
			return fmt.Errorf("rows that memory does not hold: %w", err)
		}
	}
	r.n, r.dim, r.square, r.bias = hi-lo, l.dim, l.square[lo:hi], l.bias[lo:hi]
	r.longest = math.Sqrt(slices.Max(r.square))
	return nil
}

func (l *lists) close() {
	if l.file != nil {
		l.file.Close()
		os.Remove(l.file.Name()) //nolint:errcheck // it is of no use to anyone
	}
}

// n is the number of lists.
func (l *lists) n() int { return len(l.starts) - 1 }
