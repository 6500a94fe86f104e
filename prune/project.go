package prune

import "math"

// Swap moves a mask towards the highest scores and keeps its number of
// entries. Of the entries that are cut but among the best, the ceil(rate*Q)
// highest are switched on, and as many of the kept ones that are not among
// the best, the lowest, switched off; Q is how many there are of either. With
// rate 1 the mask becomes that of the highest scores. It returns the number
// of swaps. Ties: as TopK with CutFirst for the best, lowest index first for
// the swaps.
func Swap(m *Mask, score []float32, rate float64) int {
	best := TopK(score, m.Count(), CutFirst)
	var on, off []int
	for i := range m.Len {
		switch k, b := m.Kept(i), best.Kept(i); {
		case b && !k:
			on = append(on, i)
		case k && !b:
			off = append(off, i)
		}
	}
	n := min(len(on), int(math.Ceil(rate*float64(len(on)))))
	if n == 0 {
		return 0
	}
	pick := func(at []int, sign float32, keep bool) {
		s := make([]float32, len(at))
		for k, i := range at {
			s[k] = sign * score[i]
		}
		c := TopK(s, n, KeepFirst)
		for k, i := range at {
			if c.Kept(k) {
				m.Set(i, keep)
			}
		}
	}
	pick(on, 1, true)
	pick(off, -1, false)
	return n
}

// Filters keeps the keep whole outputs of a weight whose scores have the
// largest L2 norms (ties: the lowest index is cut first).
func Filters(w *Weight, score []float32, keep int) *Mask {
	rows, cols, at := w.Matrix()
	return slabs(rows, keep, score, func(f func(slab, i int)) {
		for r := range rows {
			for c := range cols {
				f(r, at(r, c))
			}
		}
	})
}

// Channels keeps the keep whole inputs of a weight whose scores have the
// largest L2 norms over outputs and kernel positions (ties: the lowest index
// is cut first).
func Channels(w *Weight, score []float32, keep int) *Mask {
	rows, cols, at := w.Matrix()
	n := w.Inputs()
	return slabs(n, keep, score, func(f func(slab, i int)) {
		for r := range rows {
			for c := range cols {
				f(c/(cols/n), at(r, c))
			}
		}
	})
}

// Inputs is the number of input channels that an output of the weight reads.
func (w *Weight) Inputs() int {
	_, cols, _ := w.Matrix()
	switch w.Kind {
	case Linear:
		return cols
	case Recurrent: // [directions, gates*hidden, inputs]
		return w.Const.Shape[2]
	}
	for _, d := range w.Const.Shape[2:] {
		cols /= d
	}
	return cols
}

// slabs keeps the keep of n slabs of entries with the largest L2 norms; each
// calls its function for every entry with the slab that it belongs to.
func slabs(n, keep int, score []float32, each func(func(slab, i int))) *Mask {
	sum := make([]float64, n)
	each(func(s, i int) { sum[s] += float64(score[i]) * float64(score[i]) })
	norm := make([]float32, n)
	for s, x := range sum {
		norm[s] = float32(math.Sqrt(x))
	}
	best := TopK(norm, keep, CutFirst)
	m := NewMask(len(score), false)
	each(func(s, i int) {
		if best.Kept(s) {
			m.Set(i, true)
		}
	})
	return m
}
