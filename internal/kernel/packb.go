package kernel

// PackedB is a right-hand matrix [k,n] laid out once for many products. It
// belongs to the instruction level at which it was made.
type PackedB struct {
	N, K  int
	block int // columns of a block
	level ISA
	data  []float32
}

// PackB lays out b, [k,n] with rows ldb apart, or [n,k] where trans is set.
func PackB(trans bool, n, k int, b []float32, ldb int) *PackedB {
	q := &PackedB{N: n, K: k, block: 8 * lanes(), level: isa, data: make([]float32, n*k)}
	for j0 := 0; j0 < n; j0 += q.block {
		w := min(q.block, n-j0)
		for k0 := 0; k0 < k; k0 += kBlock {
			k1 := min(k, k0+kBlock)
			packB(q.data[q.at(k0, j0):], b, trans, ldb, k0, k1, j0, w)
		}
	}
	return q
}

// at is where the panels of a block of columns and depth begin.
func (q *PackedB) at(k0, j0 int) int {
	if q.level != isa {
		panic("kernel: the matrix was packed for " + q.level.String())
	}
	return j0*q.K + k0*min(q.block, q.N-j0)
}

// packB copies rows k0..k1 and columns j0..j0+n of op(B) in panels two vectors
// wide, the last as wide as is left; the rows of a panel lie side by side.
func packB(dst, b []float32, trans bool, ldb, k0, k1, j0, n int) {
	width, kc := 2*lanes(), k1-k0
	whole := 0
	if !trans {
		whole = panelsVec(n/width, b[k0*ldb+j0:], ldb, dst, kc)
	}
	for j := whole * width; j < n; j += width {
		w := min(width, n-j)
		d := dst[j*kc : (j+w)*kc]
		if trans {
			transpose(b[(j0+j)*ldb+k0:], ldb, d, w, w, kc)
			continue
		}
		copyRows(b[k0*ldb+j0+j:], ldb, d, w, kc, w)
	}
}

// copyRows copies m rows of n values.
func copyRows(src []float32, lds int, dst []float32, ldd, m, n int) {
	for i := range m {
		copy(dst[i*ldd:i*ldd+n], src[i*lds:])
	}
}
