package kernel

import "unsafe"

// Entry is one number of a sparse matrix with the place of what it multiplies.
type Entry struct {
	Off int32 // in bytes from the place of the output
	Val float32
}

// Sparse is a matrix of which only the numbers that count are kept, row by row.
// Where its columns are cut into slabs, the rows of the first slab come first,
// then those of the second.
type Sparse struct {
	Counts  []int32 // entries of each row
	Starts  []int32 // first entry of each row; one more than rows
	Entries []Entry
	At      []int32 // the entries' positions in the dense matrix, where values are read anew
}

// NewSparse keeps the entries of w, [rows, cols], that are not zero, by slabs of
// so many columns; off gives the offset of a column in bytes.
func NewSparse(w []float32, rows, cols, slab int, off func(col int) int32) *Sparse {
	slabs := max(1, (cols+slab-1)/slab)
	s := &Sparse{Counts: make([]int32, slabs*rows), Starts: make([]int32, slabs*rows+1)}
	nnz := nonZeros(w)
	s.Entries = make([]Entry, 0, nnz)
	for i := range s.Counts {
		r, c0 := i%rows, i/rows*slab
		for c := c0; c < min(cols, c0+slab); c++ {
			if v := w[r*cols+c]; v != 0 {
				s.Entries = append(s.Entries, Entry{off(c), v})
			}
		}
		s.Starts[i+1] = int32(len(s.Entries))
		s.Counts[i] = s.Starts[i+1] - s.Starts[i]
	}
	return s
}

func nonZeros(w []float32) int {
	n := 0
	for _, v := range w {
		if v != 0 {
			n++
		}
	}
	return n
}

// first points at the first entry of row o.
func (s *Sparse) first(o int) unsafe.Pointer {
	if len(s.Entries) == 0 {
		return nil
	}
	return unsafe.Pointer(unsafe.SliceData(s.Entries[s.Starts[o]:]))
}

// sparseTile is the argument of the sparse micro-kernels: for each row o of a
// sparse matrix and a tile of R rows r of places p,
//
//	y[o*YPlane+r*YRow+p] = bias[o] + sum of Val*x[Off+r*XRow+p]
//
// or from what y holds in place of the bias (flag acc), plus a residual laid out
// like y, then held between Lo and Hi (flag clip). Strides are in bytes. The order of the fields is known to the generator.
type sparseTile struct {
	Entries      unsafe.Pointer
	Counts       unsafe.Pointer
	Rows         int
	X            unsafe.Pointer
	XRow         int
	Y            unsafe.Pointer
	YRow, YPlane int
	Bias         unsafe.Pointer
	Res          unsafe.Pointer
	Flags        int
	Mask         uintptr
	Lo, Hi       float32
}

// goSparse is the definition of a sparse micro-kernel in plain Go, for r rows
// of n places.
func goSparse(t *sparseTile, rows, n int) {
	e, counts := t.Entries, unsafe.Slice((*int32)(t.Counts), t.Rows)
	var acc [128]float32
	for o, count := range counts {
		entries := unsafe.Slice((*Entry)(e), count)
		e = unsafe.Add(e, 8*int(count))
		for r := range rows {
			sum := acc[:n]
			clear(sum)
			at := o*t.YPlane + r*t.YRow
			y := unsafe.Slice((*float32)(unsafe.Add(t.Y, at)), n)
			if t.Flags&flagAcc != 0 {
				copy(sum, y)
			} else if t.Bias != nil {
				b := *(*float32)(unsafe.Add(t.Bias, 4*o))
				for j := range sum {
					sum[j] = b
				}
			}
			for _, q := range entries {
				for j, x := range unsafe.Slice((*float32)(unsafe.Add(t.X, int(q.Off)+r*t.XRow)), n) {
					sum[j] += q.Val * x
				}
			}
			if t.Res != nil {
				for j, v := range unsafe.Slice((*float32)(unsafe.Add(t.Res, at)), n) {
					sum[j] += v
				}
			}
			if t.Flags&flagClip != 0 {
				for j := range sum {
					sum[j] = clip(sum[j], t.Lo, t.Hi)
				}
			}
			copy(y, sum)
		}
	}
}

// vectorFor is the vector, in floats, that wastes least on w places.
func vectorFor(w int) int {
	if isa == AVX512 && w <= 64 && (w+15)/16*16 > (w+7)/8*8 {
		return 8
	}
	return lanes()
}

// goPackRows is the definition of packRows in plain Go; a row of y has p places.
func goPackRows(planes, n int, x []float32, at, ldx, xplane int, y []float32, ldy, yplane, lo, hi, p int) {
	for k := range planes {
		for r := range n {
			row := y[k*yplane+r*ldy : k*yplane+r*ldy+p]
			if hi <= lo {
				clear(row)
				continue
			}
			from := at + k*xplane + r*ldx
			clear(row[:lo])
			copy(row[lo:hi], x[from+lo:from+hi])
			clear(row[hi:])
		}
	}
}

// goPackStrided is the definition of packStrided in plain Go; a row of y has p
// places.
func goPackStrided(planes, n int, x []float32, at, stride, ldx, xplane int, y []float32, ldy, yplane, lo, hi, p int) {
	for k := range planes {
		for r := range n {
			row := y[k*yplane+r*ldy : k*yplane+r*ldy+p]
			clear(row[:lo])
			clear(row[hi:])
			from := at + k*xplane + r*ldx + lo*stride
			for j := lo; j < hi; j++ {
				row[j] = x[from]
				from += stride
			}
		}
	}
}
