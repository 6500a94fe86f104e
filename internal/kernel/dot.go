package kernel

import (
	"fmt"
	"os"
	"unsafe"
)

// DotISA is what products of bytes are computed with.
type DotISA uint8

// The ways, slowest first. All give the same sums.
const (
	DotGeneric DotISA = iota // plain Go
	DotAVX2                  // pairs of products where they fit 16 bits, else bytes are widened
	DotAVXVNNI               // four products at a time, without AVX-512
	DotVNNI                  // four products at a time, of AVX-512
	DotAMX                   // tiles of 16 by 64 bytes
)

func (d DotISA) String() string { return [...]string{"generic", "avx2", "avxvnni", "vnni", "amx"}[d] }

// dot is the way in use.
var dot = bestDot()

// bestDot is the best way that the level of instructions in use admits; the environment
// variable PARE_DOT (amx, vnni, avxvnni, avx2 or generic) can lower it.
func bestDot() DotISA {
	for d := dotNamed(os.Getenv("PARE_DOT")); d > DotGeneric; d-- {
		if hasDot(d) {
			return d
		}
	}
	return DotGeneric
}

// dotNamed is the way of a name; the best where there is none of that name.
func dotNamed(name string) DotISA {
	for d := DotGeneric; d < DotAMX; d++ {
		if d.String() == name {
			return d
		}
	}
	return DotAMX
}

// DotInUse is the way in use.
func DotInUse() DotISA { return dot }

// SetDot chooses a way; it returns an error where the CPU, or the level of instructions in
// use, lacks it. It must not be called while kernels run.
func SetDot(d DotISA) error {
	if d > DotAMX || !hasDot(d) {
		return fmt.Errorf("there is no %v here", d)
	}
	dot = d
	return nil
}

// The layout of weights and sums.
const (
	dotPanel = 16 // columns of a panel
	dotDepth = 64 // rows of weights are filled up to whole multiples with zeros
	dotPitch = 2 * dotPanel
)

// ByteSlack is how many bytes behind the last of a left-hand matrix may be read.
const ByteSlack = dotDepth

// dotTile is the argument of the kernels of byte products: rows of A, Lda bytes apart, times
// one or two panels of B, BNext bytes apart; sums of a row lie dotPitch apart. K counts fours
// of bytes, or 64s for tiles. The order of the fields is known to the generator.
type dotTile struct {
	A      unsafe.Pointer
	Lda, K int
	B      unsafe.Pointer
	BNext  int
	C      unsafe.Pointer
	Blocks int
	Config unsafe.Pointer
}

// ByteWeights is a right-hand matrix [K N] of signed bytes, laid out for products with
// unsigned ones.
type ByteWeights struct {
	K, N   int
	Sums   []int32           // of the columns
	data   []byte            // for each panel of 16 columns [depth/4, 16, 4]
	sparse []sparseBytesPart // in place of data
	fits   []bool            // of each panel: no two products of neighbours, one byte unsigned, leave 16 bits
}

// panels is how many panels n columns take.
func dotPanels(n int) int { return (n + dotPanel - 1) / dotPanel }

// deep is K filled up.
func deep(k int) int { return (k + dotDepth - 1) / dotDepth * dotDepth }

// NewByteWeights takes memory for a matrix that Pack or Weave fills.
func NewByteWeights(k, n int) *ByteWeights {
	size := deep(k) * dotPanels(n) * dotPanel
	data := make([]byte, size+line)
	off := -int(uintptr(unsafe.Pointer(&data[0]))) & (line - 1)
	return &ByteWeights{K: k, N: n, Sums: make([]int32, dotPanels(n)*dotPanel), data: data[off : off+size], fits: make([]bool, dotPanels(n))}
}

// PackBytes lays out w, where the weight of row k and column n is w[k*byRow+n*byColumn].
func PackBytes(k, n int, w []int8, byRow, byColumn int) *ByteWeights {
	q := NewByteWeights(k, n)
	for j := range n {
		at, sum, fits := q.column(j), int32(0), true
		for i := range k {
			v := w[i*byRow+j*byColumn]
			sum += int32(v)
			at[i/4*4*dotPanel+i%4] = byte(v)
			if i%2 == 1 {
				u := w[(i-1)*byRow+j*byColumn]
				fits = fits && pairFits(u, v)
			}
		}
		if k%2 == 1 {
			fits = fits && pairFits(w[(k-1)*byRow+j*byColumn], 0)
		}
		q.Sums[j] = sum
		if j%dotPanel == 0 {
			q.fits[j/dotPanel] = true
		}
		q.fits[j/dotPanel] = q.fits[j/dotPanel] && fits
	}
	return q
}

// pairFits says whether 255 times either, and times both, stays within 16 bits.
func pairFits(u, v int8) bool {
	lo, hi := min(int(u), 0)+min(int(v), 0), max(int(u), 0)+max(int(v), 0)
	return 255*lo >= -1<<15 && 255*hi < 1<<15
}

// column is the memory of a column: its bytes k lie at k/4*64+k%4.
func (q *ByteWeights) column(j int) []byte {
	return q.data[j/dotPanel*dotPanel*deep(q.K)+j%dotPanel*4:]
}

// Weave fills the matrix with unsigned bytes [K N], rows ld apart, less 128 each. Behind the
// last there are ByteSlack more that may be read.
func (q *ByteWeights) Weave(x []byte, ld int) {
	if !q.weaveVec(x, ld) {
		for j := range q.N {
			at, s := q.column(j), int32(0)
			for k := range q.K {
				v := x[k*ld+j] ^ 0x80
				at[k/4*4*dotPanel+k%4] = v
				s += int32(int8(v))
			}
			q.Sums[j] = s
		}
	}
	for p := range q.fits {
		q.fits[p] = false
	}
}

// dots writes the products of m rows of a, lda bytes apart, and up to two panels: row i at
// sums[i*dotPitch]. Rows are read up to K filled up to whole 64s.
func (q *ByteWeights) dots(w *Worker, a []byte, lda, m, panel, panels int, sums []int32) {
	_, _ = a[(m-1)*lda+deep(q.K)-1], sums[m*dotPitch-1]
	if dot == DotGeneric {
		q.goDots(a, lda, m, panel, panels, sums)
		return
	}
	q.runDots(w, a, lda, m, panel, panels, sums)
}

// goDots is the definition in plain Go.
func (q *ByteWeights) goDots(a []byte, lda, m, panel, panels int, sums []int32) {
	for j := range panels * dotPanel {
		w := q.column(panel*dotPanel + j)
		for i := range m {
			s, x := int32(0), a[i*lda:]
			for k := range q.K {
				s += int32(x[k]) * int32(int8(w[k/4*4*dotPanel+k%4]))
			}
			sums[i*dotPitch+j] = s
		}
	}
}
