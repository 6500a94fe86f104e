package kernel

import "unsafe"

// Epilogue is what is done to a result before it is stored, in this order:
// the bias is added, then what the output held (Acc), then the residual; then
// ReLU.
type Epilogue struct {
	Bias []float32 // by column (output channel); nil: none
	Res  []float32 // laid out like the output; nil: none
	Relu bool
	Acc  bool // add to the output instead of replacing it
}

func (e *Epilogue) flags() int {
	f := 0
	if e != nil && e.Acc {
		f |= flagAcc
	}
	if e != nil && e.Relu {
		f |= flagRelu
	}
	return f
}

func first(x []float32, i int) unsafe.Pointer {
	if x == nil {
		return nil
	}
	return unsafe.Pointer(&x[i])
}

// GemmTask computes C = op(A)*op(B) with an epilogue: A is [m,k] (or [k,m]
// transposed), B [k,n] (or [n,k]), all row-major with the given distances
// between rows. Batch products follow each other at the given distances. A
// value of the type can be kept and run again without allocation.
type GemmTask struct {
	TransA, TransB bool
	M, N, K        int
	A, B, C        []float32
	Lda, Ldb, Ldc  int
	Ep             Epilogue

	Batch      int // 0 and 1: a single product
	Sa, Sb, Sc int // distances between the batch's matrices

	mBlock, nBlock   int
	mBlocks, nBlocks int
	chunks           int // fixed parts of k summed in order, for a long k and a small C
	part             []float32
}

// Blocks of the cache: a panel of B is kBlock deep.
const (
	kBlock  = 512
	longK   = 2048
	kChunks = 8
)

// Run computes the product. Results do not depend on the number of threads.
func (g *GemmTask) Run(p *Pool) {
	if g.M == 0 || g.N == 0 {
		return
	}
	batch := max(g.Batch, 1)
	g.nBlock = min(g.N, 2*lanes()*4)
	g.nBlocks = (g.N + g.nBlock - 1) / g.nBlock
	g.mBlock = min(g.M, 96)
	if g.M > 96 && batch*g.nBlocks*((g.M+g.mBlock-1)/g.mBlock) > 16*p.Threads() {
		g.mBlock = min(g.M, 384) // fewer, larger pieces: B is packed less often
	}
	g.mBlocks = (g.M + g.mBlock - 1) / g.mBlock
	g.chunks = 1
	if batch == 1 && g.K >= longK && g.mBlocks*g.nBlocks < 4 {
		g.chunks = kChunks
		if cap(g.part) < kChunks*g.M*g.N {
			g.part = make([]float32, kChunks*g.M*g.N)
		}
		p.Run(g.chunks*g.mBlocks*g.nBlocks, g)
		g.sumParts()
		return
	}
	p.Run(batch*g.mBlocks*g.nBlocks, g)
}

// sumParts adds the parts of a split k in their order, with the epilogue.
func (g *GemmTask) sumParts() {
	size := g.M * g.N
	for i := range g.M {
		row := g.C[i*g.Ldc : i*g.Ldc+g.N]
		for j := range row {
			var s float32
			if g.Ep.Bias != nil {
				s = g.Ep.Bias[j]
			}
			for c := range g.chunks {
				s += g.part[c*size+i*g.N+j]
			}
			if g.Ep.Acc {
				s += row[j]
			}
			if g.Ep.Res != nil {
				s += g.Ep.Res[i*g.Ldc+j]
			}
			if g.Ep.Relu && s < 0 {
				s = 0
			}
			row[j] = s
		}
	}
}

// Do computes one block of one product.
func (g *GemmTask) Do(w *Worker, i int) {
	nb := i % g.nBlocks
	mb := i / g.nBlocks % g.mBlocks
	z := i / (g.nBlocks * g.mBlocks)
	i0, j0 := mb*g.mBlock, nb*g.nBlock
	m, n := min(g.mBlock, g.M-i0), min(g.nBlock, g.N-j0)
	if g.chunks > 1 {
		lo, hi := z*g.K/g.chunks, (z+1)*g.K/g.chunks
		g.blockOf(w, 0, 0, i0, j0, m, n, lo, hi, g.part[(z*g.M+i0)*g.N+j0:], g.N, &Epilogue{}, 0)
		return
	}
	at := z*g.Sc + i0*g.Ldc + j0
	g.blockOf(w, z*g.Sa, z*g.Sb, i0, j0, m, n, 0, g.K, g.C[at:], g.Ldc, &g.Ep, at)
}

func (g *GemmTask) blockOf(w *Worker, a0, b0, i0, j0, m, n, lo, hi int, c []float32, ldc int, ep *Epilogue, at int) {
	if hi == lo {
		lo, hi = 0, 0
	}
	pack := g.TransB || m >= 32 && g.Ldb > 2*lanes()
	for k0 := lo; k0 < hi || k0 == lo; k0 += kBlock {
		k1 := min(hi, k0+kBlock)
		t := &w.tile
		*t = tile{Rows: 1, K: k1 - k0, C: unsafe.Pointer(&c[0]), Ldc: 4 * ldc}
		if k1 == k0 {
			zeroRows(c, m, n, ldc, ep, j0)
			return
		}
		if g.TransA {
			t.A, t.Ais, t.Aks = first(g.A, a0+k0*g.Lda+i0), 4, 4*g.Lda
		} else {
			t.A, t.Ais, t.Aks = first(g.A, a0+i0*g.Lda+k0), 4*g.Lda, 4
		}
		if pack {
			buf := w.Scratch(0, (k1-k0)*n)
			packB(buf, g.B[b0:], g.TransB, g.Ldb, k0, k1, j0, n)
			t.B, t.Ldb = unsafe.Pointer(&buf[0]), 4*n
		} else {
			t.B, t.Ldb = first(g.B, b0+k0*g.Ldb+j0), 4*g.Ldb
		}
		if k0 > lo || ep.Acc {
			t.Flags |= flagAcc
		}
		if k0 == lo && ep.Bias != nil {
			t.Bias = first(ep.Bias, j0)
		}
		if k1 == hi {
			if ep.Relu {
				t.Flags |= flagRelu
			}
			if ep.Res != nil {
				t.Res, t.Ldr = first(ep.Res, at), 4*ldc
			}
		}
		w.block(m, n)
	}
}

// zeroRows is a product over an empty k.
func zeroRows(c []float32, m, n, ldc int, ep *Epilogue, j0 int) {
	for i := range m {
		for j := range n {
			v := float32(0)
			if ep.Bias != nil {
				v = ep.Bias[j0+j]
			}
			if ep.Acc {
				v += c[i*ldc+j]
			}
			if ep.Relu && v < 0 {
				v = 0
			}
			c[i*ldc+j] = v
		}
	}
}

// packB copies rows k0..k1 and columns j0..j0+n of op(B) side by side.
func packB(dst, b []float32, trans bool, ldb, k0, k1, j0, n int) {
	if !trans {
		for k := k0; k < k1; k++ {
			copy(dst[(k-k0)*n:(k-k0+1)*n], b[k*ldb+j0:])
		}
		return
	}
	kc := k1 - k0
	for j := 0; j < n; j += 8 {
		jn := min(8, n-j)
		var src [8][]float32
		for q := range jn {
			src[q] = b[(j0+j+q)*ldb+k0 : (j0+j+q)*ldb+k1]
		}
		if jn == 8 {
			for k := range kc {
				d := dst[k*n+j : k*n+j+8 : k*n+j+8]
				d[0], d[1], d[2], d[3] = src[0][k], src[1][k], src[2][k], src[3][k]
				d[4], d[5], d[6], d[7] = src[4][k], src[5][k], src[6][k], src[7][k]
			}
			continue
		}
		for q := range jn {
			for k, v := range src[q] {
				dst[k*n+j+q] = v
			}
		}
	}
}

// Gemm is a GemmTask run once: C = op(A)*op(B), plus what ep says.
func Gemm(p *Pool, transA, transB bool, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, ep Epilogue) {
	g := &GemmTask{TransA: transA, TransB: transB, M: m, N: n, K: k, A: a, Lda: lda, B: b, Ldb: ldb, C: c, Ldc: ldc, Ep: ep}
	g.Run(p)
}
