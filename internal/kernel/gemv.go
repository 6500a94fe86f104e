package kernel

// dotRows is how many inner products a piece of work has.
const dotRows = 128

// runVector does products that are inner products with rows that lie in
// memory: a matrix with a vector, or few rows with the rows of B. It reports
// false where the micro-kernels are better.
func (g *GemmTask) runVector(p *Pool) bool {
	g.dots = false
	if max(g.Batch, 1) > 1 || g.Packed != nil || g.K == 0 || g.K > 1<<20 {
		return false
	}
	rowsOfB := g.TransB && g.M <= 3 && (!g.TransA || g.M == 1)
	rowsOfA := g.N == 1 && !g.TransA && g.M > 3
	if !rowsOfB && !rowsOfA {
		return false
	}
	g.dots = true
	if rowsOfB {
		g.mBlocks, g.nBlocks = 1, (g.N+dotRows-1)/dotRows
	} else {
		g.mBlocks, g.nBlocks = (g.M+dotRows-1)/dotRows, 1
	}
	p.Run(g.mBlocks*g.nBlocks, g)
	g.dots = false
	return true
}

// doDots computes one piece of inner products.
func (g *GemmTask) doDots(w *Worker, piece int) {
	sum := w.Scratch(0, dotRows)
	if g.mBlocks == 1 && g.TransB && g.M <= 3 {
		j0 := piece * dotRows
		n := min(dotRows, g.N-j0)
		for i := range g.M {
			x := g.vector(w, g.A, i*g.Lda, g.TransA, g.Lda)
			dotsVec(x, g.B[j0*g.Ldb:], g.Ldb, sum[:n])
			at := i*g.Ldc + j0
			g.Ep.row(sum[:n], g.C[at:at+n], at, i, j0)
		}
		return
	}
	i0 := piece * dotRows
	m := min(dotRows, g.M-i0)
	x := g.vector(w, g.B, 0, !g.TransB, g.Ldb)
	dotsVec(x, g.A[i0*g.Lda:], g.Lda, sum[:m])
	for i := range m {
		at := (i0 + i) * g.Ldc
		g.Ep.row(sum[i:i+1], g.C[at:at+1], at, i0+i, 0)
	}
}

// vector gives k values side by side; where strided is set, they are ld apart.
func (g *GemmTask) vector(w *Worker, x []float32, at int, strided bool, ld int) []float32 {
	if !strided || ld == 1 {
		return x[at : at+g.K]
	}
	v := w.Scratch(1, g.K)
	for k := range v {
		v[k] = x[at+k*ld]
	}
	return v
}

// goDots writes the inner product of x with each of len(dst) rows of y.
func goDots(x, y []float32, ldy int, dst []float32) {
	for i := range dst {
		s := float32(0)
		for k, v := range y[i*ldy : i*ldy+len(x)] {
			s += x[k] * v
		}
		dst[i] = s
	}
}

// Dots writes the inner product of x with each of len(dst) rows of y, which lie ldy apart.
// What a row gives depends on nothing but the row and x, where there are four rows or more.
func Dots(x, y []float32, ldy int, dst []float32) { dotsVec(x, y, ldy, dst) }
