package kernel

import "unsafe"

// MaskedGemmTask computes Y = X*W with an epilogue, where only the entries of W
// that a mask keeps count: X [M,K], W [K,N] or with Trans [N,K], Y [M,N], all
// row-major. W is read at every run; the mask may change between runs. Tiles of
// X are turned round, so that the rows of X share each weight in a vector.
type MaskedGemmTask struct {
	M, N, K int
	Trans   bool
	X, W, Y []float32
	Ep      Epilogue // Acc and RowBias are not supported

	weights Sparse // by column of Y
	vec     int
	mt      int // rows of X in a tile
	tiles   int
	parts   int // of the columns of Y
	cols    int // of Y in a piece
	phase   int
	xt      []float32 // by tile [K, mt]
}

const (
	phaseValues = iota // the weights' values are read
	phaseTurn
	phaseSum
)

// Mask says which entries of W count: bit i%64 of word i/64 is entry i.
func (t *MaskedGemmTask) Mask(mask []uint64) {
	t.vec = vectorFor(t.M)
	nv := (t.M + t.vec - 1) / t.vec
	fit := maskedTile / (4 * t.vec * t.K) // vectors that keep a turned tile in the first cache
	if fit < 3 {
		fit = 8
	}
	t.mt = t.vec * min(8, fit, nv)
	t.tiles = (t.M + t.mt - 1) / t.mt
	t.weights.fill(mask, t.N*t.K, t.N, func(i int) (int, int32) {
		if t.Trans {
			return i / t.K, int32(4 * (i % t.K) * t.mt)
		}
		return i % t.N, int32(4 * (i / t.N) * t.mt)
	})
}

// maskedTile is how many bytes of the first cache a turned tile may take.
const maskedTile = 28 << 10

// Cost estimates the cycles that Run takes on one core.
func (t *MaskedGemmTask) Cost() float64 {
	entries, rows := float64(len(t.weights.At)), float64(t.N)
	return moveCost(t.M*(t.K+t.N)) + entries*valueCost + scanCost(t.N*t.K) +
		float64(t.tiles)*(entries*sumCost(t.mt/t.vec, t.vec, 4*t.K*t.mt)+rows*rowCost)
}

// values is how many weights' values a piece reads.
const values = 8192

// Run computes y.
func (t *MaskedGemmTask) Run(p *Pool) {
	t.phase = phaseValues
	p.Run((len(t.weights.At)+values-1)/values, t)
	t.parts = 1
	if t.tiles < 2*p.Threads() && p.Threads() > 1 {
		t.parts = max(1, min(2*p.Threads(), (t.N+15)/16))
	}
	t.cols = (t.N + t.parts - 1) / t.parts
	if t.parts > 1 {
		t.xt = resize(t.xt, t.tiles*t.mt*t.K)
		t.phase = phaseTurn
		p.Run(t.tiles*((t.K+turn-1)/turn), t)
	}
	t.phase = phaseSum
	p.Run(t.tiles*t.parts, t)
}

// Do reads some values, turns a part of X round, or computes a tile of Y.
func (t *MaskedGemmTask) Do(w *Worker, i int) {
	switch t.phase {
	case phaseValues:
		t.weights.refresh(t.W, i*values, min(len(t.weights.At), (i+1)*values))
	case phaseTurn:
		kb := (t.K + turn - 1) / turn
		m0, k0 := i/kb*t.mt, i%kb*turn
		transpose(t.X[m0*t.K+k0:], t.K, t.xt[m0*t.K+k0*t.mt:], t.mt, min(t.mt, t.M-m0), min(turn, t.K-k0))
	default:
		m0, n0 := i/t.parts*t.mt, i%t.parts*t.cols
		m := min(t.mt, t.M-m0)
		var x []float32
		if t.parts > 1 {
			x = t.xt[m0*t.K:]
		} else {
			x = w.Scratch(1, t.mt*t.K)
			transpose(t.X[m0*t.K:], t.K, x, t.mt, m, t.K)
		}
		for n1 := min(t.N, n0+t.cols); n0 < n1; n0 += sparseColumns {
			t.columns(w, x, m0, m, n0, min(sparseColumns, n1-n0))
		}
	}
}

// columns computes m rows and n columns of Y.
func (t *MaskedGemmTask) columns(w *Worker, x []float32, m0, m, n0, n int) {
	y := w.Scratch(0, sparseColumns*t.mt)
	k := &w.sparse
	nv := (m + t.vec - 1) / t.vec
	*k = sparseTile{Entries: t.weights.first(n0), Counts: unsafe.Pointer(&t.weights.Counts[n0]), Rows: n,
		X: unsafe.Pointer(&x[0]), Y: unsafe.Pointer(&y[0]), YPlane: 4 * t.mt,
		Bias: first(t.Ep.Bias, n0)}
	if t.Ep.Res != nil {
		r := w.Scratch(2, sparseColumns*t.mt)
		transpose(t.Ep.Res[m0*t.N+n0:], t.N, r, t.mt, m, n)
		k.Res = unsafe.Pointer(&r[0])
	}
	if lo, hi, ok := t.Ep.Bounds(); ok {
		k.Flags, k.Lo, k.Hi = flagClip, lo, hi
	}
	runSparse(k, t.vec, 1, nv, nv*t.vec)
	*k = sparseTile{}
	transpose(y, t.mt, t.Y[m0*t.N+n0:], t.N, n, m)
}
