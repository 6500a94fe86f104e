package kernel

import "unsafe"

// MaskedGemmGradTask computes the gradient of a product's right-hand matrix, dW =
// X'*dY, at the entries that a mask keeps, and 0 elsewhere: X [M,K], DY [M,N], DW
// [K,N]. The rows are summed in a fixed number of chunks, these in their order, so
// the result does not depend on the number of threads. Nothing else may write to
// DW between runs, unless Dirty is called.
type MaskedGemmGradTask struct {
	M, N, K   int
	X, DY, DW []float32

	swap   bool    // DW is computed row by row
	live   samples // by column of DY; or of X, where that is the larger
	vec    int
	mt     int // rows in a tile
	tiles  int
	chunks int
	parts  int // of these columns
	cols   int
}

// Mask says which entries of DW are wanted: bit i%64 of word i/64 is entry i.
func (t *MaskedGemmGradTask) Mask(mask []uint64) {
	t.vec = vectorFor(t.M)
	t.mt = t.vec * min(8, (t.M+t.vec-1)/t.vec)
	t.tiles = (t.M + t.mt - 1) / t.mt
	t.chunks = min(8, t.tiles)
	t.swap = t.K > t.N // what the entries pick from is small, and stays in the cache
	t.live.fill(mask, t.N*t.K, max(t.K, t.N), t.chunks, func(i int) (int, int32) {
		if t.swap {
			return i / t.N, int32(4 * (i % t.N) * t.mt)
		}
		return i % t.N, int32(4 * (i / t.N) * t.mt)
	})
}

// Dirty says that something else has written to DW.
func (t *MaskedGemmGradTask) Dirty() { t.live.clean = false }

// Cost estimates the cycles that Run takes on one core.
func (t *MaskedGemmGradTask) Cost() float64 {
	entries := float64(len(t.live.at))
	return moveCost(t.M*(t.K+t.N)) + entries*(valueCost+float64(t.tiles)*sampleCost(t.mt/t.vec, t.vec, 4*t.mt*min(t.K, t.N))) + scanCost(t.N*t.K)
}

// Run computes dw.
func (t *MaskedGemmGradTask) Run(p *Pool) {
	t.parts = 1
	if t.chunks < 2*p.Threads() && p.Threads() > 1 {
		t.parts = max(1, min(2*p.Threads()/t.chunks, (max(t.K, t.N)+15)/16))
	}
	t.cols = (max(t.K, t.N) + t.parts - 1) / t.parts
	p.Run(t.chunks*t.parts, t)
	t.live.finish(t.chunks, t.DW)
}

// Do sums one chunk of the rows for some columns.
func (t *MaskedGemmGradTask) Do(w *Worker, i int) {
	picked, np, each, ne := t.X, t.K, t.DY, t.N
	if t.swap {
		picked, np, each, ne = t.DY, t.N, t.X, t.K
	}
	c, n0 := i/t.parts, i%t.parts*t.cols
	n1 := min(ne, n0+t.cols)
	if n0 >= n1 || t.live.starts[n0] == t.live.starts[n1] {
		return
	}
	sum := t.live.chunk(c, n0)
	clear(sum[:t.live.starts[n1]-t.live.starts[n0]])
	x, d := w.Scratch(1, t.mt*np), w.Scratch(0, t.mt*(n1-n0))
	for tile := c * t.tiles / t.chunks; tile < (c+1)*t.tiles/t.chunks; tile++ {
		m0 := tile * t.mt
		m := min(t.mt, t.M-m0)
		transpose(picked[m0*np:], np, x, t.mt, m, np)
		if over := (m+t.vec-1)/t.vec*t.vec - m; over > 0 {
			for k := range np { // what the last vector reads beyond the rows
				clear(x[k*t.mt+m : k*t.mt+m+over])
			}
		}
		transpose(each[m0*ne+n0:], ne, d, t.mt, m, n1-n0)
		k := &w.sampled
		*k = sampled{Offs: unsafe.Pointer(&t.live.offs[t.live.starts[n0]]), Counts: unsafe.Pointer(&t.live.counts[n0]), Rows: n1 - n0,
			X: unsafe.Pointer(&x[0]), D: unsafe.Pointer(&d[0]), DPlane: 4 * t.mt, R: 1, Sum: unsafe.Pointer(&sum[0])}
		runSampled(k, t.vec, m)
		*k = sampled{}
	}
}
