package engine

import (
	"fmt"

	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// gather copies rows of a table, or adds rows up where they were read.
type gather struct {
	index      *graph.Value
	from       *Program
	at         []int
	size       int // rows of the table
	inner      int // numbers of a row
	table, out []float32
	add        bool // out to table
}

// newGather describes Gather along the first axis of table; nil along others.
func (l *lowering) newGather(n *graph.Node, table, index *graph.Value) *gather {
	s := dims(table)
	if n.Int("axis", 0) != 0 && n.Int("axis", 0) != -len(s) || table.DType != tensor.Float32 || sizeOf(table) == 0 || sizeOf(index) == 0 ||
		index.DType != tensor.Int64 && index.DType != tensor.Int32 {
		return nil
	}
	return &gather{index: index, from: l.Program, size: s[0], inner: sizeOf(table) / s[0], at: make([]int, sizeOf(index))}
}

// positions reads the indices; those below 0 count from the end.
func (t *gather) positions() error {
	v := t.index.Const
	if v == nil {
		v = t.from.at[t.index].t
	}
	wide, narrow := tensor.Of[int64](v), tensor.Of[int32](v)
	for i := range t.at {
		k := 0
		if wide != nil {
			k = int(wide[i])
		} else {
			k = int(narrow[i])
		}
		if k < 0 {
			k += t.size
		}
		if k < 0 || k >= t.size {
			return fmt.Errorf("index %d is %d, outside a table of %d rows", i, k, t.size)
		}
		t.at[i] = k
	}
	return nil
}

// gatherPart is how many numbers of a row a piece adds up; every piece goes over
// all rows, so that sums are made in the order of the indices.
const gatherPart = 64

func (t *gather) run(p *kernel.Pool) error {
	if err := t.positions(); err != nil {
		return err
	}
	if t.add {
		clear(t.table)
		p.Run((t.inner+gatherPart-1)/gatherPart, t)
		return nil
	}
	p.Run((len(t.at)+t.per()-1)/t.per(), t)
	return nil
}

func (t *gather) per() int { return max(1, chunk/t.inner) }

// Do copies some rows, or adds up a part of all.
func (t *gather) Do(w *kernel.Worker, i int) {
	if t.add {
		lo, hi := i*gatherPart, min(t.inner, (i+1)*gatherPart)
		for r, k := range t.at {
			row := t.table[k*t.inner+lo : k*t.inner+hi]
			kernel.Add(row, t.out[r*t.inner+lo:r*t.inner+hi], row)
		}
		return
	}
	for r := i * t.per(); r < min(len(t.at), (i+1)*t.per()); r++ {
		copy(t.out[r*t.inner:(r+1)*t.inner], t.table[t.at[r]*t.inner:])
	}
}

func lowerGather(l *lowering, n *graph.Node) (done bool, why string) {
	t := l.newGather(n, n.In(0), n.In(1))
	if t == nil {
		return noTable(n.In(0), n.In(1))
	}
	xb, yb := l.get(n.In(0), plain, n), l.make(n.Out(0), plain)
	l.emitChecked(n, "rows of a table", []*buffer{xb}, []*buffer{yb}, func() { t.table, t.out = xb.data, yb.data }, t.run)
	return true, ""
}

func noTable(table, index *graph.Value) (done bool, why string) {
	return no("reading %v %v at %v: kernels read rows of float32, at integers, along the first axis", table.DType, table.Shape, index.DType)
}

func lowerGatherGrad(l *lowering, n *graph.Node) (done bool, why string) {
	t := l.newGather(n, n.In(2), n.In(1))
	if t == nil {
		return noTable(n.In(2), n.In(1))
	}
	t.add = true
	db, out := l.get(n.In(0), plain, n), l.make(n.Out(0), plain)
	l.emitChecked(n, "sums by row of a table", []*buffer{db}, []*buffer{out}, func() { t.table, t.out = out.data, db.data }, t.run)
	return true, ""
}
