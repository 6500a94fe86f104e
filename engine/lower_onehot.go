package engine

import (
	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// oneHot writes rows of one value with another at an index.
type oneHot struct {
	gather  // its indices; inner is the length of a row
	off, on float32
}

// Do writes some rows.
func (t *oneHot) Do(w *kernel.Worker, i int) {
	for r := i * t.per(); r < min(len(t.at), (i+1)*t.per()); r++ {
		row := t.out[r*t.inner : (r+1)*t.inner]
		kernel.Fill(row, t.off)
		if k := t.at[r]; k >= 0 {
			row[k] = t.on
		}
	}
}

// marks reads the indices; those outside have no mark.
func (t *oneHot) marks() {
	v := t.from.at[t.index].t
	wide, narrow := tensor.Of[int64](v), tensor.Of[int32](v)
	for i := range t.at {
		k := int64(0)
		if wide != nil {
			k = wide[i]
		} else {
			k = int64(narrow[i])
		}
		if k < 0 {
			k += int64(t.size)
		}
		if t.at[i] = -1; k >= 0 && k < int64(t.size) {
			t.at[i] = int(k)
		}
	}
}

func (t *oneHot) run(p *kernel.Pool) {
	t.marks()
	p.Run((len(t.at)+t.per()-1)/t.per(), t)
}

// lowerOneHot plans a OneHot along a new last axis.
func lowerOneHot(l *lowering, n *graph.Node) (done bool, why string) {
	x, values, y := n.In(0), n.In(2), n.Out(0)
	a := n.Int("axis", -1)
	switch {
	case x.Const != nil || x.DType != tensor.Int64 && x.DType != tensor.Int32 || sizeOf(y) == 0:
		return no("the indices are %v %v, constant or empty; the kernel takes whole numbers", x.DType, x.Shape)
	case a != -1 && a != len(x.Shape):
		return no("the marks are along axis %d; the kernel has them along the last", a)
	case values.Const == nil || values.Role != graph.Frozen || values.DType != tensor.Float32 || values.Const.Len() != 2:
		return no("the values are not two constant float32 numbers")
	}
	s := dims(y)
	k := s[len(s)-1]
	t := &oneHot{gather: gather{index: x, from: l.Program, size: k, inner: k, at: make([]int, sizeOf(x))}, off: values.Const.F32()[0], on: values.Const.F32()[1]}
	zb := l.make(y, plain)
	l.emit(n, "marks", nil, []*buffer{zb}, func() { t.out = zb.data }, t.run)
	return true, ""
}
