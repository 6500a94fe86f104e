package hook

// LowRankChange is SPLoRA's: the product of a matrix of outputs by the rank, and one of the
// rank by inputs.
type LowRankChange struct{ C, R *Array }

// Arrays are the two matrices.
func (l *LowRankChange) Arrays() []*Array { return []*Array{l.C, l.R} }

// Delta is C R.
func (l *LowRankChange) Delta(rows, cols []int, d []float32) {
	rank, in := l.R.Shape[0], l.R.Shape[1]
	for i, r := range rows {
		to := d[i*len(cols):][:len(cols)]
		clear(to)
		for k := range rank {
			c := l.C.W[r*rank+k]
			row := l.R.W[k*in:][:in]
			for j, at := range cols {
				to[j] += c * row[at]
			}
		}
	}
}

// Grad is G R' for C, and C' G for R.
func (l *LowRankChange) Grad(rows, cols []int, g []float32) {
	rank, in := l.R.Shape[0], l.R.Shape[1]
	for i, r := range rows {
		from := g[i*len(cols):][:len(cols)]
		for k := range rank {
			c, sum := float64(l.C.W[r*rank+k]), 0.
			for j, at := range cols {
				sum += float64(from[j]) * float64(l.R.W[k*in+at])
				l.R.G[k*in+at] += c * float64(from[j])
			}
			l.C.G[r*rank+k] += sum
		}
	}
}

// Count is that of the rows of C and the columns of R.
func (l *LowRankChange) Count(rows, cols []int) int { return l.R.Shape[0] * (len(rows) + len(cols)) }

// FullChange is SPPaRA's: the matrix itself.
type FullChange struct{ D *Array }

// Arrays is the matrix.
func (f *FullChange) Arrays() []*Array { return []*Array{f.D} }

// Delta copies it.
func (f *FullChange) Delta(rows, cols []int, d []float32) {
	for i, r := range rows {
		for j, c := range cols {
			d[i*len(cols)+j] = f.D.W[r*f.D.Shape[1]+c]
		}
	}
}

// Grad adds the gradient.
func (f *FullChange) Grad(rows, cols []int, g []float32) {
	for i, r := range rows {
		for j, c := range cols {
			f.D.G[r*f.D.Shape[1]+c] += float64(g[i*len(cols)+j])
		}
	}
}

// Count is that of the rows and columns.
func (f *FullChange) Count(rows, cols []int) int { return len(rows) * len(cols) }

// BlockChange is SPLoPA's: a sum of blocks of rank 1, which all weights have in common,
// each laid over the matrix with a number of this weight's at every place: the sum over n
// of kron(A_n, u_n v_n').
type BlockChange struct {
	A    *Array // [n, outputs/p, inputs/q]
	U, V *Array // [n, p] and [n, q]
}

// Arrays are the numbers of the places, and the blocks.
func (b *BlockChange) Arrays() []*Array { return []*Array{b.A, b.U, b.V} }

// Delta is the sum.
func (b *BlockChange) Delta(rows, cols []int, d []float32) {
	n, h, w, p, q := b.A.Shape[0], b.A.Shape[1], b.A.Shape[2], b.U.Shape[1], b.V.Shape[1]
	for i, r := range rows {
		for j, c := range cols {
			sum := float32(0)
			for k := range n {
				sum += b.A.W[(k*h+r/p)*w+c/q] * b.U.W[k*p+r%p] * b.V.W[k*q+c%q]
			}
			d[i*len(cols)+j] = sum
		}
	}
}

// Grad is that of each of the three factors.
func (b *BlockChange) Grad(rows, cols []int, g []float32) {
	n, h, w, p, q := b.A.Shape[0], b.A.Shape[1], b.A.Shape[2], b.U.Shape[1], b.V.Shape[1]
	for i, r := range rows {
		for j, c := range cols {
			x := float64(g[i*len(cols)+j])
			for k := range n {
				at, u, v := (k*h+r/p)*w+c/q, k*p+r%p, k*q+c%q
				a, y, z := float64(b.A.W[at]), float64(b.U.W[u]), float64(b.V.W[v])
				b.A.G[at] += x * y * z
				b.U.G[u] += x * a * z
				b.V.G[v] += x * a * y
			}
		}
	}
}

// Count is that of the numbers of the places that a row and a column still need.
func (b *BlockChange) Count(rows, cols []int) int {
	p, q := b.U.Shape[1], b.V.Shape[1]
	return b.A.Shape[0] * blocks(rows, p) * blocks(cols, q)
}

// blocks counts the blocks of a size that ascending positions lie in.
func blocks(at []int, size int) int {
	n := 0
	for i, x := range at {
		if i == 0 || x/size != at[i-1]/size {
			n++
		}
	}
	return n
}
