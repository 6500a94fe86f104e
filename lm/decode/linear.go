package decode

import "pare/internal/kernel"

// few is up to how many rows are multiplied by inner products with the rows of a matrix,
// which then is read once from memory and again from the cache. More are a product of
// matrices.
const few = 16

// pieceRows is how many rows of a matrix with k columns a piece of work has: as many as
// stay in the cache of a core.
func pieceRows(k int) int { return min(max(1<<16/k, 4), 16) * 4 }

// pieces is how many of them there are. What is left over is part of the last, so that none
// has less than four rows where there are as many.
func (p *product) pieces() int { return max(p.out/pieceRows(p.in), 1) }

// linear multiplies rows [n in] by one matrix or several side by side: y [n ldy].
type linear struct {
	parts  []*product
	x, y   []float32
	n, ldy int
	g      kernel.GemmTask
}

// run multiplies.
func (t *linear) run(p *kernel.Pool, parts []*product, x, y []float32, n, ldy int) {
	t.parts, t.x, t.y, t.n, t.ldy = parts, x, y, n, ldy
	if n <= few {
		pieces := 0
		for _, q := range parts {
			pieces += q.pieces()
		}
		p.Run(pieces, t)
		return
	}
	at := 0
	for _, q := range parts {
		t.g.TransB, t.g.M, t.g.N, t.g.K = true, n, q.out, q.in
		t.g.A, t.g.B, t.g.C, t.g.Lda, t.g.Ldb, t.g.Ldc = x, q.w, y[at:], q.in, q.in, ldy
		t.g.Ep.Bias = q.bias
		t.g.Run(p)
		at += q.out
	}
}

// Do multiplies some rows of one matrix.
func (t *linear) Do(_ *kernel.Worker, piece int) {
	at := 0
	for _, q := range t.parts {
		pieces := q.pieces()
		if piece >= pieces {
			piece, at = piece-pieces, at+q.out
			continue
		}
		lo := piece * pieceRows(q.in)
		hi := lo + pieceRows(q.in)
		if piece == pieces-1 {
			hi = q.out
		}
		for r := range t.n {
			y := t.y[r*t.ldy+at+lo : r*t.ldy+at+hi]
			kernel.Dots(t.x[r*q.in:(r+1)*q.in], q.w[lo*q.in:], q.in, y)
			if q.bias != nil {
				kernel.Add(y, q.bias[lo:hi], y)
			}
		}
		return
	}
}
