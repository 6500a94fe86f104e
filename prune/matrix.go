package prune

import "slices"

// Matrix gives the form in which patterns are laid over a weight: rows are
// outputs, columns the inputs (and kernel positions) that a row multiplies.
// at maps a row and a column to the entry's place in the storage.
func (w *Weight) Matrix() (rows, cols int, at func(r, c int) int) {
	s := w.Const.Shape
	if w.Outs != nil {
		return w.spread()
	}
	out := s[w.Out]
	inner := 1
	for _, d := range s[w.Out+1:] {
		inner *= d
	}
	if w.Out == 0 {
		return out, inner, func(r, c int) int { return r*inner + c }
	}
	outer := w.Len() / (out * inner)
	return out, outer * inner, func(r, c int) int { return (c/inner*out+r)*inner + c%inner }
}

// spread is Matrix where several axes make outputs.
func (w *Weight) spread() (rows, cols int, at func(r, c int) int) {
	s := w.Const.Shape
	row, col := []int{0}, []int{0} // offsets of rows and columns
	stride := w.Len()
	for d, n := range s {
		stride /= n
		to := &col
		if slices.Contains(w.Outs, d) {
			to = &row
		}
		var next []int
		for _, o := range *to {
			for i := range n {
				next = append(next, o+i*stride)
			}
		}
		*to = next
	}
	return len(row), len(col), func(r, c int) int { return row[r] + col[c] }
}

// Patterned applies a pattern over the matrix form of a weight: f is given the
// scores by row and column and gives a mask over them.
func (w *Weight) Patterned(score []float32, f func(m []float32, rows, cols int) (*Mask, error)) (*Mask, error) {
	rows, cols, at := w.Matrix()
	m := make([]float32, len(score))
	for r := range rows {
		for c := range cols {
			m[r*cols+c] = score[at(r, c)]
		}
	}
	k, err := f(m, rows, cols)
	if err != nil {
		return nil, err
	}
	out := NewMask(len(score), false)
	for r := range rows {
		for c := range cols {
			if k.Kept(r*cols + c) {
				out.Set(at(r, c), true)
			}
		}
	}
	return out, nil
}
