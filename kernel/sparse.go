package kernel

import "unsafe"

// Entry is one number of a sparse matrix with the place of what it multiplies.
type Entry struct {
	Off int32 // in bytes from the place of the output
	Val float32
}

// Sparse is a matrix of which only the numbers that count are kept, row by row.
type Sparse struct {
	Counts  []int32 // entries of each row
	Starts  []int32 // first entry of each row; one more than rows
	Entries []Entry
	At      []int32 // the entries' positions in the dense matrix
}

// NewSparse keeps the entries of w, [rows, cols], that are not zero; off gives
// the offset of a column in bytes.
func NewSparse(w []float32, rows, cols int, off func(col int) int32) *Sparse {
	s := &Sparse{Counts: make([]int32, rows), Starts: make([]int32, rows+1)}
	for r := range rows {
		for c, v := range w[r*cols : (r+1)*cols] {
			if v != 0 {
				s.Entries = append(s.Entries, Entry{off(c), v})
				s.At = append(s.At, int32(r*cols+c))
				s.Counts[r]++
			}
		}
		s.Starts[r+1] = s.Starts[r] + s.Counts[r]
	}
	return s
}

// Refresh takes the values anew from the dense matrix.
func (s *Sparse) Refresh(w []float32) {
	for i, at := range s.At {
		s.Entries[i].Val = w[at]
	}
}

// sparseTile is the argument of the sparse micro-kernels: for each row o of a
// sparse matrix and a tile of R rows r of places p,
//
//	y[o*YPlane+r*YRow+p] = bias[o] + sum of Val*x[Off+r*XRow+p]
//
// plus a residual laid out like y, then held between Lo and Hi (flag clip).
// Strides are in bytes. The order of the fields is known to the generator.
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
			if t.Bias != nil {
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
			at := o*t.YPlane + r*t.YRow
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
			copy(unsafe.Slice((*float32)(unsafe.Add(t.Y, at)), n), sum)
		}
	}
}

// cost estimates the cycles of a product with nv vectors of vec floats in
// tiles, whose input takes bytes a tile.
func (s *Sparse) cost(nv, tiles, vec, bytes int) float64 {
	load := 1.4 // a vector from the first cache, often across two of its lines
	if bytes > 32<<10 {
		load = 1.9
	}
	if vec == 8 {
		load /= 1.6
	}
	return float64(len(s.Entries))*(load*float64(nv)+2*float64(tiles)) + float64(tiles*len(s.Counts))*(20+float64(nv)/float64(tiles)*2)
}

// vectorFor is the vector, in floats, that wastes least on w places.
func vectorFor(w int) int {
	if isa == AVX512 && w <= 64 && (w+15)/16*16 > (w+7)/8*8 {
		return 8
	}
	return lanes()
}

// goPadPlanes is the definition of padPlanes in plain Go.
func goPadPlanes(planes, n int, x []float32, w, xplane int, y []float32, ldy, plane, vec int) {
	for p := range planes {
		for r := range n {
			row := y[p*plane+r*ldy : p*plane+r*ldy+(w+vec-1)/vec*vec]
			k := copy(row[:w], x[p*xplane+r*w:])
			clear(row[k:])
		}
	}
}
