package kernel

import "unsafe"

// Of sparse matrices of bytes only the fours of neighbours in a column are stored that are
// not all 0. They are multiplied by 64 rows at once, of which four bytes each lie side by
// side.
const (
	sparseRows  = 64
	sparseDepth = 512 // bytes of a row that are multiplied by all columns before the next: they stay in the first cache
)

// sparseBytesPart is what sparseDepth rows of weights hold.
type sparseBytesPart struct {
	offsets, weights []uint32 // of each four: where in A it begins, and its bytes
	pairs            []uint32 // of each column
	starts           []int    // of each panel, in offsets
}

// PackSparseBytes lays out w, of which the weight of row k and column n is
// w[k*byRow+n*byColumn], for products that skip zeros.
func PackSparseBytes(k, n int, w []int8, byRow, byColumn int) *ByteWeights {
	q := &ByteWeights{K: k, N: n, Sums: make([]int32, PadColumns(n))}
	for k0 := 0; k0 < k; k0 += sparseDepth {
		p := sparseBytesPart{pairs: make([]uint32, PadColumns(n))}
		for j := range PadColumns(n) {
			if j%dotPanel == 0 {
				p.starts = append(p.starts, len(p.offsets))
			}
			if j >= n {
				continue
			}
			first := len(p.offsets)
			for g := 0; g < min(sparseDepth, k-k0); g += 4 {
				four := uint32(0)
				for i := range min(4, k-k0-g) {
					v := w[(k0+g+i)*byRow+j*byColumn]
					q.Sums[j] += int32(v)
					four |= uint32(byte(v)) << (8 * i)
				}
				if four != 0 {
					p.offsets = append(p.offsets, uint32(g*sparseRows))
					p.weights = append(p.weights, four)
				}
			}
			if (len(p.offsets)-first)%2 == 1 {
				p.offsets, p.weights = append(p.offsets, 0), append(p.weights, 0)
			}
			p.pairs[j] = uint32(len(p.offsets)-first) / 2
		}
		q.sparse = append(q.sparse, p)
	}
	return q
}

// Sparse says whether products skip zeros.
func (q *ByteWeights) Sparse() bool { return q.sparse != nil }

// Fours counts the fours of neighbours in a column that are not all 0.
func Fours(k, n int, w []int8, byRow, byColumn int) int {
	fours := 0
	for j := range n {
		for g := 0; g < k; g += 4 {
			for i := g; i < min(g+4, k); i++ {
				if w[i*byRow+j*byColumn] != 0 {
					fours++
					break
				}
			}
		}
	}
	return fours
}

// SparseBytesCosts estimates the cycles of a product of m rows by a k by n matrix of so many
// fours that are not all 0, skipping zeros and not. The figures were fitted to
// BenchmarkSparseBytes.
func SparseBytesCosts(m, k, n, fours int) (sparse, dense float64) {
	macs := float64(m) * float64(k) * float64(n)
	rate := map[DotISA]float64{DotVNNI: 110, DotAMX: 430}[dot]
	blocks := float64((m + sparseRows - 1) / sparseRows)
	parts := float64((k + sparseDepth - 1) / sparseDepth)
	if rate == 0 { // there is no kernel for sparse ones
		return 1, 0
	}
	return blocks * (3.2*float64(fours) + float64(n)*(12*parts+30) + float64(k)*4), macs / rate
}

// sparseByteTile is the argument of the kernel; the order of its fields is known to the
// generator.
type sparseByteTile struct {
	A                unsafe.Pointer
	Offsets, Weights unsafe.Pointer
	Pairs            unsafe.Pointer
	C                unsafe.Pointer
	Columns, Add     int
}

// sparseSums writes the products of up to 64 rows of a, lda bytes apart, and the columns of panels
// [p0, p1): column j at sums[(j-16*p0)*64], row after row.
func (q *ByteWeights) sparseSums(w *Worker, a []byte, lda, m, p0, p1 int, sums []int32) {
	groups := (q.K + 3) / 4
	woven := w.Scratch(2, groups*sparseRows)
	weaveRows(a, lda, m, groups, woven)
	for i := range q.sparse {
		part := &q.sparse[i]
		at := woven[i*sparseDepth/4*sparseRows:]
		if !part.runVec(w, at, p0, p1, sums, i > 0) {
			part.goSums(at, p0, p1, sums, i > 0)
		}
	}
}

// weaveRows puts four bytes of each of m rows side by side, group after group.
func weaveRows(a []byte, lda, m, groups int, to []float32) {
	if lda%4 == 0 && groups*4 <= lda {
		x := unsafe.Slice((*float32)(unsafe.Pointer(&a[0])), ((m-1)*lda+groups*4)/4)
		transpose(x, lda/4, to, sparseRows, m, groups)
		return
	}
	bits := unsafe.Slice((*uint32)(unsafe.Pointer(&to[0])), len(to))
	for i := range m {
		row := a[i*lda:]
		for g := range groups {
			b := row[4*g : 4*g+4]
			bits[g*sparseRows+i] = uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		}
	}
}

// goSums is the definition in plain Go.
func (p *sparseBytesPart) goSums(a []float32, p0, p1 int, sums []int32, add bool) {
	e := p.starts[p0]
	x := unsafe.Slice((*byte)(unsafe.Pointer(&a[0])), 4*len(a))
	for j := p0 * dotPanel; j < p1*dotPanel; j++ {
		to := sums[(j-p0*dotPanel)*sparseRows:][:sparseRows]
		if !add {
			clear(to)
		}
		for range 2 * p.pairs[j] {
			from, four := x[p.offsets[e]:], p.weights[e]
			for r := range to {
				for i := range 4 {
					to[r] += int32(from[4*r+i]) * int32(int8(four>>(8*i)))
				}
			}
			e++
		}
	}
}

// sparseBlock is what block does where zeros are skipped.
func (t *ByteGemm) sparseBlock(w *Worker, a []byte, lda, m0, m, p0, p1 int, row, scaled []int32) {
	const most = 32 // panels at once
	columns, sums := w.ints(2, most*dotPanel*sparseRows), w.ints(0, byteRows*dotPitch)
	_ = a[(m-1)*lda+deep(t.W.K)-1]
	for i := 0; i < m; i += sparseRows {
		rows := min(sparseRows, m-i)
		for p := p0; p < p1; p += most {
			end := min(p1, p+most)
			t.W.sparseSums(w, a[i*lda:], lda, rows, p, end, columns)
			for k := p; k < end; k += 2 {
				panels := min(2, end-k)
				from := columns[(k-p)*dotPanel*sparseRows:]
				transpose(AsFloats(from), sparseRows, AsFloats(sums), dotPitch, panels*dotPanel, rows)
				t.store(w, sums, m0+i, rows, k, panels, part(row, i), part(scaled, i))
			}
		}
	}
}

func part(x []int32, i int) []int32 {
	if x == nil {
		return nil
	}
	return x[i:]
}

// AsFloats lends int32 numbers to what moves four bytes.
func AsFloats(x []int32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(&x[0])), len(x))
}
