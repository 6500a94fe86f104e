package engine

import (
	"slices"

	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// move copies elements between strided views; the innermost axis is a run. Where
// only the axis before it is contiguous in x, both are turned round together.
type move struct {
	x, y         []float32
	shape        []int // of what is copied, outer axes
	sx, sy       []int
	bx, by       int
	length       int // of the innermost axis, in elements
	stepX, stepY int
	turn, turnY  int // size of the axis that is contiguous in x, and its step in y; 0: none
	per          int // outer positions a piece
	outer        int
}

// newMove plans the copy of an array of the given shape between two arrays
// with the given strides and first offsets.
func newMove(shape, sx, sy []int, bx, by int) *move {
	// join axes that are contiguous on both sides
	var s, a, b []int
	for d := range shape {
		if shape[d] == 1 {
			continue
		}
		if k := len(s) - 1; k >= 0 && a[k] == shape[d]*sx[d] && b[k] == shape[d]*sy[d] {
			s[k] *= shape[d]
			a[k], b[k] = sx[d], sy[d]
			continue
		}
		s, a, b = append(s, shape[d]), append(a, sx[d]), append(b, sy[d])
	}
	if len(s) == 0 {
		s, a, b = []int{1}, []int{1}, []int{1}
	}
	k := len(s) - 1
	m := &move{length: s[k], stepX: a[k], stepY: b[k], bx: bx, by: by, outer: 1}
	if m.stepY == 1 && m.stepX >= 1 && k > 0 {
		for d := range k { // an axis to turn
			if a[d] == 1 && b[d] >= m.length && s[d] >= 8 {
				m.turn, m.turnY = s[d], b[d]
				s, a, b = slices.Delete(s, d, d+1), slices.Delete(a, d, d+1), slices.Delete(b, d, d+1)
				k--
				break
			}
		}
	}
	m.shape, m.sx, m.sy = s[:k], a[:k], b[:k]
	for _, d := range m.shape {
		m.outer *= d
	}
	m.per = max(1, chunk/max(1, m.length*max(1, m.turn)))
	return m
}

// at is where a run begins.
func (m *move) at(run int) (x, y int) {
	x, y = m.bx, m.by
	for d := len(m.shape) - 1; d >= 0; d-- {
		k := run % m.shape[d]
		run /= m.shape[d]
		x += k * m.sx[d]
		y += k * m.sy[d]
	}
	return x, y
}

// Do copies some of the runs.
func (m *move) Do(w *kernel.Worker, i int) {
	for o := i * m.per; o < min(m.outer, (i+1)*m.per); o++ {
		x, y := m.at(o)
		if m.turn > 0 {
			kernel.TransposeBetween(m.x[x:], m.stepX, m.y[y:], m.turnY, m.length, m.turn)
			continue
		}
		if m.stepX == 1 && m.stepY == 1 {
			copy(m.y[y:y+m.length], m.x[x:x+m.length])
			continue
		}
		from, to, step := m.x[x:], m.y[y:], m.stepX
		if m.stepY == 1 {
			to = to[:m.length]
			for i := range to {
				to[i] = from[i*step]
			}
			continue
		}
		at := 0
		for i := range m.length {
			to[at] = from[i*step]
			at += m.stepY
		}
	}
}

func (m *move) run(p *kernel.Pool) { p.Run((m.outer+m.per-1)/m.per, m) }

// emitMove emits a move from one buffer to another.
func (l *lowering) emitMove(n *graph.Node, name string, from, to *buffer, m *move) {
	l.emit(n, name, []*buffer{from}, []*buffer{to}, func() { m.x, m.y = from.data, to.data }, m.run)
}

// stridesIn gives the strides of a shape in ONNX's order of axes for a layout.
func stridesIn(s []int, f layout) []int {
	st := tensor.Strides(s)
	if f == plain || len(s) < 3 {
		return st
	}
	for d := range st[2:] {
		st[2+d] *= s[1]
	}
	st[1] = 1
	return st
}

// inOrder puts axes in memory order for a layout, so that runs are long.
func inOrder(f layout, xs ...[]int) {
	if f != nhwc {
		return
	}
	for _, s := range xs {
		if len(s) > 2 {
			c := s[1]
			copy(s[1:], s[2:])
			s[len(s)-1] = c
		}
	}
}
