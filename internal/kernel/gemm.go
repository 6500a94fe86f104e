package kernel

import "unsafe"

// GemmTask computes C = op(A)*op(B) with an epilogue: A is [m,k] (or [k,m]
// transposed), B [k,n] (or [n,k]), all row-major with the given distances
// between rows. Batch products follow each other at the given distances. A
// value of the type can be kept and run again without allocation.
type GemmTask struct {
	TransA, TransB bool
	M, N, K        int
	A, B, C        []float32
	Lda, Ldb, Ldc  int
	Packed         *PackedB // in place of B, Ldb and TransB; nil: none
	Ep             Epilogue

	Batch      int // 0 and 1: a single product
	Sa, Sb, Sc int // distances between the batch's matrices

	mBlock, nBlock   int
	mBlocks, nBlocks int
	chunks           int // fixed parts of k summed in order, for a long k and a small C
	part             []float32
	dots             bool // by inner products
}

// Blocks of the cache: a panel of B is kBlock deep and meets mRows rows of A at
// a time.
const (
	kBlock  = 512
	mRows   = 96
	longK   = 2048
	kChunks = 8
)

// Run computes the product. Results do not depend on the number of threads.
func (g *GemmTask) Run(p *Pool) {
	if g.M == 0 || g.N == 0 {
		return
	}
	if g.runVector(p) {
		return
	}
	batch := max(g.Batch, 1)
	g.nBlock, g.chunks, g.mBlock, g.mBlocks = 8*lanes(), 1, g.M, 1
	if g.longAndSmall() {
		g.nBlock, g.chunks = min(g.N, g.nBlock), kChunks
		g.nBlocks = (g.N + g.nBlock - 1) / g.nBlock
		if cap(g.part) < kChunks*g.M*g.N {
			g.part = make([]float32, kChunks*g.M*g.N)
		}
		p.Run(g.chunks*g.nBlocks, g)
		g.sumParts()
		return
	}
	switch {
	case g.Packed != nil:
		g.nBlock = g.Packed.block
	case g.M >= 256 && g.N >= 512:
		g.nBlock = 16 * lanes() // rows of A that are copied serve more columns
	case g.M <= 128 && !g.TransA && batch == 1: // pieces by columns, so that B is packed once
		each := (g.N + 4*p.Threads() - 1) / (4 * p.Threads())
		g.nBlock = min(g.nBlock, (each+2*lanes()-1)/(2*lanes())*2*lanes())
	}
	g.nBlock = min(g.N, g.nBlock)
	g.nBlocks = (g.N + g.nBlock - 1) / g.nBlock
	// a piece has as many rows as leaves enough pieces: B is packed once for each
	if want := 4 * p.Threads(); p.Threads() > 1 && batch*g.nBlocks < want {
		rows, least := (want+batch*g.nBlocks-1)/(batch*g.nBlocks), 48
		if g.Packed != nil {
			least = 14
		}
		g.mBlock = min(g.M, max(least, (g.M+rows-1)/rows))
		g.mBlocks = (g.M + g.mBlock - 1) / g.mBlock
	}
	p.Run(batch*g.mBlocks*g.nBlocks, g)
}

// longAndSmall says whether the sum is made in parts, for a long k and a C of few
// blocks. It decides the order of summation, so it depends on the shape alone.
func (g *GemmTask) longAndSmall() bool {
	blocks := (g.M + 95) / 96 * ((g.N + 8*lanes() - 1) / (8 * lanes()))
	return max(g.Batch, 1) == 1 && g.Packed == nil && g.K >= longK && blocks < 4
}

// sumParts adds the parts of a split k in their order, with the epilogue.
func (g *GemmTask) sumParts() {
	size := g.M * g.N
	for i := range g.M {
		sum := g.part[i*g.N : (i+1)*g.N]
		for c := 1; c < g.chunks; c++ {
			Add(sum, g.part[c*size+i*g.N:c*size+(i+1)*g.N], sum)
		}
		g.Ep.row(sum, g.C[i*g.Ldc:i*g.Ldc+g.N], i*g.Ldc, i, 0)
	}
}

// Do computes one block of one product.
func (g *GemmTask) Do(w *Worker, i int) {
	if g.dots {
		g.doDots(w, i)
		return
	}
	nb := i % g.nBlocks
	mb := i / g.nBlocks % g.mBlocks
	z := i / (g.nBlocks * g.mBlocks)
	i0, j0 := mb*g.mBlock, nb*g.nBlock
	m, n := min(g.mBlock, g.M-i0), min(g.nBlock, g.N-j0)
	if g.chunks > 1 {
		lo, hi := z*g.K/g.chunks, (z+1)*g.K/g.chunks
		g.blockOf(w, 0, 0, i0, j0, m, n, lo, hi, g.part[(z*g.M+i0)*g.N+j0:], g.N, &noEpilogue, 0)
		return
	}
	at := z*g.Sc + i0*g.Ldc + j0
	g.blockOf(w, z*g.Sa, z*g.Sb, i0, j0, m, n, 0, g.K, g.C[at:], g.Ldc, &g.Ep, at)
}

var noEpilogue Epilogue

func (g *GemmTask) blockOf(w *Worker, a0, b0, i0, j0, m, n, lo, hi int, c []float32, ldc int, ep *Epilogue, at int) {
	if hi <= lo {
		emptyRows(w, c, m, n, ldc, ep, at, i0, j0)
		return
	}
	pack := g.Packed == nil && (g.TransB || m >= 32 && g.Ldb > 2*lanes())
	for k0 := lo; k0 < hi; k0 += kBlock {
		k1 := min(hi, k0+kBlock)
		var right unsafe.Pointer // the block of B, in panels where panel is not 0
		panel, ldb := 0, 0
		switch {
		case g.Packed != nil:
			right = first(g.Packed.data, g.Packed.at(k0, j0))
			panel = 4 * 2 * lanes() * min(kBlock, g.K-k0)
		case pack:
			buf := w.Scratch(0, (k1-k0)*n)
			packB(buf, g.B[b0:], g.TransB, g.Ldb, k0, k1, j0, n)
			right, panel = unsafe.Pointer(&buf[0]), 4*2*lanes()*(k1-k0)
		default:
			right, ldb = first(g.B, b0+k0*g.Ldb+j0), 4*g.Ldb
		}
		for i := 0; i < m; i += mRows {
			rows := min(mRows, m-i)
			t := &w.tile
			*t = tile{Rows: 1, K: k1 - k0, B: right, Ldb: ldb, C: unsafe.Pointer(&c[i*ldc]), Ldc: 4 * ldc}
			g.left(w, t, a0, i0+i, rows, k0, k1, n)
			if k0 > lo || ep.Acc {
				t.Flags |= flagAcc
			}
			if k0 == lo && ep.Bias != nil {
				t.Bias = first(ep.Bias, j0)
			}
			if k0 == lo && ep.RowBias != nil {
				t.RowBias = first(ep.RowBias, i0+i)
			}
			if k1 == hi {
				t.act(ep)
				if ep.Res != nil {
					t.Res, t.Ldr = first(ep.Res, at+i*ldc), 4*ldc
				}
			}
			w.block(rows, n, panel)
		}
	}
}

// left points t at rows i0.. of op(A), columns k0 to k1. Where rows of memory
// are so far apart that they share the cache's sets, or the matrix lies the other
// way, they are copied side by side.
func (g *GemmTask) left(w *Worker, t *tile, a0, i0, m, k0, k1, n int) {
	far := m >= 32 && g.Lda%1024 == 0
	pitch := k1 - k0 + 16
	switch {
	case g.TransA && (far || m >= 12 && n > 2*lanes() && k1-k0 >= 64):
		buf := w.Scratch(1, m*pitch)
		transpose(g.A[a0+k0*g.Lda+i0:], g.Lda, buf, pitch, k1-k0, m)
		t.A, t.Ais, t.Aks = unsafe.Pointer(&buf[0]), 4*pitch, 4
	case g.TransA:
		t.A, t.Ais, t.Aks = first(g.A, a0+k0*g.Lda+i0), 4, 4*g.Lda
	case far:
		buf := w.Scratch(1, m*pitch)
		for i := range m {
			copy(buf[i*pitch:i*pitch+k1-k0], g.A[a0+(i0+i)*g.Lda+k0:])
		}
		t.A, t.Ais, t.Aks = unsafe.Pointer(&buf[0]), 4*pitch, 4
	default:
		t.A, t.Ais, t.Aks = first(g.A, a0+i0*g.Lda+k0), 4*g.Lda, 4
	}
}

// emptyRows is a product over an empty k.
func emptyRows(w *Worker, c []float32, m, n, ldc int, ep *Epilogue, at, i0, j0 int) {
	sum := w.Scratch(0, n)
	for i := range m {
		clear(sum)
		ep.row(sum, c[i*ldc:i*ldc+n], at+i*ldc, i0+i, j0)
	}
}
