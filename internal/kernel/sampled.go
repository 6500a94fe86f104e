package kernel

import (
	"math"
	"math/bits"
	"unsafe"
)

// sampled is the argument of the sampled products: for each sparse row o of a
// matrix and each of its entries e,
//
//	Sum[e] += sum over r < R, places p of x[Offs[e]+r*XRow+p] * d[o*DPlane+r*DRow+p]
//
// where a row has NV vectors of places, the last of d masked; x must be finite
// there. Offsets and strides are in bytes, and each count is a multiple of
// four. The order of the fields is known to the generator.
type sampled struct {
	Offs         unsafe.Pointer
	Counts       unsafe.Pointer
	Rows         int
	X            unsafe.Pointer
	XRow         int
	D            unsafe.Pointer
	DRow, DPlane int
	R, NV        int
	Mask         uintptr
	Sum          unsafe.Pointer
}

// goSampled is the definition in plain Go, for rows of n places.
func goSampled(t *sampled, n int) {
	at := 0 // in bytes; a pointer past the last entry would be none
	for o, count := range unsafe.Slice((*int32)(t.Counts), t.Rows) {
		if count == 0 {
			continue
		}
		sums := unsafe.Slice((*float32)(unsafe.Add(t.Sum, at)), count)
		for e, off := range unsafe.Slice((*int32)(unsafe.Add(t.Offs, at)), count) {
			s := float32(0)
			for r := range t.R {
				d := unsafe.Slice((*float32)(unsafe.Add(t.D, o*t.DPlane+r*t.DRow)), n)
				for j, x := range unsafe.Slice((*float32)(unsafe.Add(t.X, int(off)+r*t.XRow)), n) {
					s += x * d[j]
				}
			}
			sums[e] += s
		}
		at += 4 * int(count)
	}
}

// eachKept calls f for the entries that a mask keeps: bit i%64 of word i/64 is
// entry i.
func eachKept(mask []uint64, n int, f func(i int)) {
	for w, b := range mask {
		for ; b != 0; b &= b - 1 {
			i := w*64 + bits.TrailingZeros64(b)
			if i >= n {
				return
			}
			f(i)
		}
	}
}

// Keep writes zero to the entries of x that a mask cuts: bit i%64 of word i/64
// says whether entry i stays.
func Keep(mask []uint64, x []float32) {
	k := keepVec(mask, x)
	for i := 64 * k; i < len(x); i++ {
		if mask[i/64]>>(i%64)&1 == 0 {
			x[i] = 0
		}
	}
}

// place says to which sparse row a kept entry of a dense weight belongs, and the
// offset of what it multiplies, in bytes. An entry of row -1 multiplies nothing.
type place func(i int) (row int, off int32)

// fill keeps the entries of a dense weight of n numbers that a mask keeps, row
// by row, in the weight's order; values come with refresh. Memory is used again.
func (s *Sparse) fill(mask []uint64, n, rows int, at place) {
	s.Counts, s.Starts = resize(s.Counts, rows), resize(s.Starts, rows+1)
	clear(s.Counts)
	total := 0
	eachKept(mask, n, func(i int) {
		if r, _ := at(i); r >= 0 {
			s.Counts[r]++
			total++
		}
	})
	s.words, s.At, s.slots = resize(s.words, 2*total), resize(s.At, total), resize(s.slots, total)
	next := int32(0)
	for r, c := range s.Counts {
		s.Starts[r] = next
		next += c
	}
	eachKept(mask, n, func(i int) {
		if r, off := at(i); r >= 0 {
			k := s.Starts[r]
			s.slots[k], s.At[k] = off, int32(i)
			s.Starts[r]++
		}
	})
	copy(s.Starts[1:], s.Starts[:rows])
	s.Starts[0] = 0
	for r, c := range s.Counts {
		start := int(s.Starts[r])
		for j := range int(c) {
			off, val := slot(start, int(c), j)
			s.words[off], s.slots[start+j] = uint32(s.slots[start+j]), int32(val)
		}
	}
}

// refresh takes the values of entries [lo, hi) from the dense weight.
func (s *Sparse) refresh(w []float32, lo, hi int) {
	slots := s.slots[lo:hi]
	for i, at := range s.At[lo:hi] {
		s.words[slots[i]] = math.Float32bits(w[at])
	}
}

func resize[T any](x []T, n int) []T {
	if cap(x) < n {
		return make([]T, n)
	}
	return x[:n]
}

// samples are the places of a weight's gradient that are computed, row by row,
// filled up to a multiple of four in each with places that do not count.
type samples struct {
	counts, starts []int32
	offs           []int32
	at             []int32 // in the dense gradient; -1: does not count
	sums           []float32
	clean          bool // what the mask cuts is zero
}

func (s *samples) fill(mask []uint64, n, rows, chunks int, at place) {
	s.counts, s.starts = resize(s.counts, rows), resize(s.starts, rows+1)
	clear(s.counts)
	eachKept(mask, n, func(i int) { r, _ := at(i); s.counts[r]++ })
	total := int32(0)
	for r, c := range s.counts {
		s.starts[r] = total
		s.counts[r] = (c + 3) &^ 3
		total += s.counts[r]
	}
	s.offs, s.at, s.sums = resize(s.offs, int(total)), resize(s.at, int(total)), resize(s.sums, chunks*int(total))
	clear(s.offs)
	for i := range s.at {
		s.at[i] = -1
	}
	eachKept(mask, n, func(i int) {
		r, off := at(i)
		k := s.starts[r]
		s.offs[k], s.at[k] = off, int32(i)
		s.starts[r]++
	})
	total = 0
	for r, c := range s.counts {
		s.starts[r] = total
		total += c
	}
	s.starts[rows] = total
	s.clean = false
}

// chunk is where a chunk's sums of the rows from r on lie.
func (s *samples) chunk(c, r int) []float32 { return s.sums[c*len(s.at)+int(s.starts[r]):] }

// finish adds the chunks in their order and writes them to the gradient.
func (s *samples) finish(chunks int, dw []float32) {
	n := len(s.at)
	sum := s.sums[:n]
	for c := 1; c < chunks; c++ {
		Add(sum, s.sums[c*n:(c+1)*n], sum)
	}
	if !s.clean {
		clear(dw)
		s.clean = true
	}
	for i, v := range sum {
		if at := s.at[i]; at >= 0 {
			dw[at] = v
		}
	}
}

// Kept is how many of n entries a mask keeps.
func Kept(mask []uint64, n int) int {
	c := 0
	for i, b := range mask[:(n+63)/64] {
		if over := 64*(i+1) - n; over > 0 {
			b &= ^uint64(0) >> over
		}
		c += bits.OnesCount64(b)
	}
	return c
}
