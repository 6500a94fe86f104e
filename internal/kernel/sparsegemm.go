package kernel

import "unsafe"

// SparseGemmTask computes Y = X*W with an epilogue, where W is sparse: X [M,K],
// Y [M,N], both row-major. X is turned round first, so that the rows of X share
// each weight in a vector; sums over slabs of K are added up. A single row is
// read where it is: Slack floats behind it must be readable.
type SparseGemmTask struct {
	M, N, K int
	X, Y    []float32
	Ep      Epilogue // Acc is not supported

	weights *Sparse // by slab of K and column of W
	vec     int
	mt      int // rows of X in a tile
	tiles   int
	parts   int // of the columns of W
	slab    int
	turning bool
	cycles  float64
	xt      []float32 // by tile [K, mt]
	order   []int32   // of the columns of W, for a single row
}

// sparseColumns is how many columns of W a piece computes.
const sparseColumns = 64

// NewSparseGemm prepares W, given transposed: [N,K]. Entries are shared with one
// of the earlier tasks of the same W where that has laid them out alike.
func NewSparseGemm(m, n, k int, wt []float32, earlier ...*SparseGemmTask) *SparseGemmTask {
	t := &SparseGemmTask{M: m, N: n, K: k, vec: vectorFor(m)}
	t.parts = (n + sparseColumns - 1) / sparseColumns
	for _, e := range earlier { // they may be running: only what stays the same is read
		if e.M == m {
			t.weights, t.vec, t.mt, t.tiles, t.slab, t.cycles, t.order = e.weights, e.vec, e.mt, e.tiles, e.slab, e.cycles, e.order
			return t
		}
	}
	if m == 1 {
		t.single(wt)
		return t
	}
	all, blocks := (m+t.vec-1)/t.vec, false
	for _, c := range countSparse(wt, n, k) {
		for _, most := range []int{8, 4} { // with fewer rows in a tile, more of K is in the first cache
			nv := min(most, all)
			tiles := (all + nv - 1) / nv
			if slab, cost := slabOf(k, 4*nv*t.vec, c, nv, t.vec, false); t.tiles == 0 || cost*float64(tiles) < t.cycles {
				t.mt, t.tiles, t.slab, t.cycles, blocks = nv*t.vec, tiles, slab, cost*float64(tiles), c.blocks
			}
		}
	}
	t.cycles += .4 * float64(m*(k+n))
	for _, e := range earlier {
		if e.M > 1 && e.mt == t.mt && e.slab == t.slab && e.Blocks() == blocks {
			t.weights = e.weights
			return t
		}
	}
	t.weights = NewSparse(wt, n, k, t.slab, blocks, func(c int) int32 { return int32(4 * c * t.mt) })
	return t
}

// turn is how many rows of the turned X a piece writes.
const turn = 128

// Weights are the entries of W, which tasks may share.
func (t *SparseGemmTask) Weights() *Sparse { return t.weights }

// Blocks says whether four columns of W share their entries.
func (t *SparseGemmTask) Blocks() bool { return t.weights.Blocks != nil }

// Cost estimates the cycles that Run takes on one core.
func (t *SparseGemmTask) Cost() float64 { return t.cycles }

// Run computes y.
func (t *SparseGemmTask) Run(p *Pool) {
	if t.M == 1 {
		t.parts = 1
		if t.cycles > small {
			t.parts = p.Threads()
		}
		p.Run(t.parts, t)
		return
	}
	if need := t.tiles * t.mt * t.K; len(t.xt) != need {
		t.xt = alignedFloats(need)
	}
	t.turning = true
	p.Run(t.tiles*((t.K+turn-1)/turn), t)
	t.turning = false
	p.Run(t.tiles*t.parts, t)
}

// Do turns a part of X round, or computes a tile of Y.
func (t *SparseGemmTask) Do(w *Worker, i int) {
	if t.M == 1 {
		t.dots(w, i)
		return
	}
	if t.turning {
		kb := (t.K + turn - 1) / turn
		m0, k0 := i/kb*t.mt, i%kb*turn
		transpose(t.X[m0*t.K+k0:], t.K, t.xt[m0*t.K+k0*t.mt:], t.mt, min(t.mt, t.M-m0), min(turn, t.K-k0))
		return
	}
	m0, n0 := i/t.parts*t.mt, i%t.parts*sparseColumns
	m, n := min(t.mt, t.M-m0), min(sparseColumns, t.N-n0)
	y := w.aligned(sparseColumns * t.mt)
	k := &w.sparse
	nv := (m + t.vec - 1) / t.vec
	*k = sparseTile{X: unsafe.Pointer(&t.xt[m0*t.K]), Y: unsafe.Pointer(&y[0]), YPlane: 4 * t.mt,
		Bias: first(t.Ep.Bias, n0)}
	for c := 0; c < t.K; c += t.slab {
		t.weights.rows(k, c/t.slab*t.N, n0, n0+n)
		if c > 0 {
			k.Flags, k.Bias = flagAcc, nil
		}
		if lo, hi, ok := t.Ep.Bounds(); ok && t.Ep.Res == nil && c+t.slab >= t.K {
			k.Flags |= flagClip
			k.Lo, k.Hi = lo, hi
		}
		runSparse(k, t.vec, 1, nv, nv*t.vec)
	}
	*k = sparseTile{}
	transpose(y, t.mt, t.Y[m0*t.N+n0:], t.N, n, m)
	if t.Ep.Res == nil {
		return
	}
	lo, hi, ok := t.Ep.Bounds()
	for r := range m {
		at := (m0+r)*t.N + n0
		row := t.Y[at : at+n]
		Add(row, t.Ep.Res[at:at+n], row)
		if ok {
			Clip(row, lo, hi, row)
		}
	}
}
