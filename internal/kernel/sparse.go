package kernel

import (
	"math"
	"unsafe"
)

// Block is one column of four rows of a sparse matrix that share their entries.
type Block struct {
	Off int32 // in bytes from the place of the output
	Val [blockRows]float32
}

const blockRows = 4

// Sparse is a matrix of which only the numbers that count are kept, row by row.
// Where rows have their numbers in the same places, or nearly so, four of them
// share their entries; then Blocks stand in place of words, and a row of the
// following is four. Where its columns are cut into slabs, the rows of the first
// slab come first, then those of the second.
type Sparse struct {
	Counts []int32 // entries of each row
	Starts []int32 // first entry of each row; one more than rows
	Blocks []Block

	// Two words an entry: four at a time in a row, their offsets in bytes from the
	// place of the output, which are not negative, then their values; the last
	// three or fewer singly.
	words []uint32
	// Where values are read anew: the entries' positions in the dense matrix, and
	// the words of their values.
	At, slots []int32
}

// slot gives the words of the offset and of the value of entry j of a row of
// count entries whose first is entry start.
func slot(start, count, j int) (off, val int) {
	if j < count&^3 {
		k := 2*(start+j&^3) + j&3
		return k, k + 4
	}
	k := 2 * (start + j)
	return k, k + 1
}

// NewSparse keeps the entries of w, [rows, cols], that are not zero, by slabs of
// a number of columns, and in blocks where blocks is set and rows is a multiple of
// four; off gives the offset of a column in bytes.
func NewSparse(w []float32, rows, cols, slab int, blocks bool, off func(col int) int32) *Sparse {
	slabs, group := max(1, (cols+slab-1)/slab), 1
	if blocks {
		group = blockRows
	}
	groups := rows / group
	s := &Sparse{Counts: make([]int32, slabs*groups), Starts: make([]int32, slabs*groups+1)}
	place := func(i int) (r, c0, c1 int) { // of a row of a slab, or of the first of four
		c0 = i / groups * slab
		return i % groups * group, c0, min(cols, c0+slab)
	}
	n := 0
	for i := range s.Counts {
		r, c0, c1 := place(i)
		if blocks {
			s.Counts[i] = int32(sharedNonZeros(w[r*cols+c0:], cols, c1-c0))
		} else {
			s.Counts[i] = int32(NonZeros(w[r*cols+c0 : r*cols+c1]))
		}
		s.Starts[i] = int32(n)
		n += int(s.Counts[i])
	}
	if blocks {
		s.Blocks = make([]Block, 0, n)
	} else {
		s.words = make([]uint32, 2*n)
	}
	at := make([]int32, cols+1) // columns that are not zero
	for i, count := range s.Counts {
		r, c0, c1 := place(i)
		if blocks {
			for c := c0; c < c1; c++ {
				if v := column(w[r*cols+c:], cols); v != [blockRows]float32{} {
					s.Blocks = append(s.Blocks, Block{off(c), v})
				}
			}
			continue
		}
		row := w[r*cols : (r+1)*cols]
		k := 0
		for c, v := range row[c0:c1] {
			at[k] = int32(c0 + c)
			k += nonZero(math.Float32bits(v))
		}
		for j, c := range at[:count] {
			to, val := slot(int(s.Starts[i]), int(count), j)
			s.words[to], s.words[val] = uint32(off(int(c))), math.Float32bits(row[c])
		}
	}
	s.Starts[len(s.Counts)] = int32(n)
	return s
}

// column is a column of four rows that are ld apart.
func column(w []float32, ld int) (v [blockRows]float32) {
	for i := range v {
		v[i] = w[i*ld]
	}
	return v
}

// NonZeros counts the values that are not 0.
func NonZeros(w []float32) int {
	n := 0
	for _, v := range w {
		n += nonZero(math.Float32bits(v))
	}
	return n
}

// nonZero is 1 where the bits of a float, or of any of several, are not those of 0 or -0,
// and else 0. It does not branch.
func nonZero(bits uint32) int { return int((uint64(bits<<1) + math.MaxUint32) >> 32) }

// sharedNonZeros counts the columns, of cols that are first in four rows ld apart, that
// are not all zero.
func sharedNonZeros(w []float32, ld, cols int) int {
	n := 0
	x0, x1, x2, x3 := w[:cols], w[ld:ld+cols], w[2*ld:2*ld+cols], w[3*ld:3*ld+cols]
	for c, v := range x0 {
		n += nonZero(math.Float32bits(v) | math.Float32bits(x1[c]) | math.Float32bits(x2[c]) | math.Float32bits(x3[c]))
	}
	return n
}

// group is how many rows share their entries.
func (s *Sparse) group() int {
	if s.Blocks != nil {
		return blockRows
	}
	return 1
}

// rows points a tile at rows [o0, o1) of a slab, whose first is row `at`; both
// are multiples of group.
func (s *Sparse) rows(t *sparseTile, at, o0, o1 int) {
	g := s.group()
	i := (at + o0) / g
	t.Counts, t.Rows, t.Group = unsafe.Pointer(&s.Counts[i]), (o1-o0)/g, g
	switch {
	case len(s.Blocks) > 0:
		t.Entries = unsafe.Pointer(unsafe.SliceData(s.Blocks[s.Starts[i]:]))
	case g == 1:
		t.Entries = s.first(i)
	}
}

// first points at the first entry of row o.
func (s *Sparse) first(o int) unsafe.Pointer {
	if len(s.words) == 0 {
		return nil
	}
	return unsafe.Pointer(unsafe.SliceData(s.words[2*s.Starts[o]:]))
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
	Group        int // rows that share their entries: 1 or blockRows
}

// goSparse is the definition of a sparse micro-kernel in plain Go, for r rows
// of n places.
func goSparse(t *sparseTile, rows, n int) {
	e, counts := 0, unsafe.Slice((*int32)(t.Counts), t.Rows) // a pointer past the last entry would be none
	var acc [128]float32
	group := max(1, t.Group)
	for i, count := range counts {
		for g := range group {
			o := i*group + g
			for r := range rows {
				to := o*t.YPlane + r*t.YRow
				sum, y := acc[:n], unsafe.Slice((*float32)(unsafe.Add(t.Y, to)), n)
				clear(sum)
				if t.Flags&flagAcc != 0 {
					copy(sum, y)
				} else if t.Bias != nil {
					b := *(*float32)(unsafe.Add(t.Bias, 4*o))
					for j := range sum {
						sum[j] = b
					}
				}
				for k := range int(count) {
					off, val := k*(1+group), k*(1+group)+1+g // words
					if group == 1 {
						off, val = slot(0, int(count), k)
					}
					at, v := *(*int32)(unsafe.Add(t.Entries, e+4*off)), *(*float32)(unsafe.Add(t.Entries, e+4*val))
					for j, x := range unsafe.Slice((*float32)(unsafe.Add(t.X, int(at)+r*t.XRow)), n) {
						sum[j] += v * x
					}
				}
				if t.Res != nil {
					for j, v := range unsafe.Slice((*float32)(unsafe.Add(t.Res, to)), n) {
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
		e += 4 * (1 + group) * int(count)
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
