package kernel

import (
	"cmp"
	"slices"
	"unsafe"
)

// single prepares the product of one row with W, given transposed. The columns of
// W are taken in the order of their entries' number, so that the processor
// foresees where each ends.
func (t *SparseGemmTask) single(wt []float32) {
	t.vec, t.slab = 4, t.K
	t.cycles = 1000 + float64(NonZeros(wt)) + 12*float64(t.N)
	counts := make([]int, t.N)
	t.order = make([]int32, t.N)
	for o := range counts {
		t.order[o], counts[o] = int32(o), NonZeros(wt[o*t.K:(o+1)*t.K])
	}
	slices.SortStableFunc(t.order, func(a, b int32) int { return cmp.Compare(counts[b], counts[a]) })
	sorted := make([]float32, len(wt))
	for i, o := range t.order {
		copy(sorted[i*t.K:(i+1)*t.K], wt[int(o)*t.K:])
	}
	t.weights = NewSparse(sorted, t.N, t.K, t.K, false, func(c int) int32 { return int32(4 * c) })
}

// dots computes a part of a single row, of vectors of which one place counts.
func (t *SparseGemmTask) dots(w *Worker, part int) {
	half := func(i int) int { // the first column that has i parts of the entries before it
		n, _ := slices.BinarySearch(t.weights.Starts, int32(i*int(t.weights.Starts[t.N])/t.parts))
		return n
	}
	lo, hi := half(part), half(part+1)
	if part == 0 {
		lo = 0
	}
	if part == t.parts-1 {
		hi = t.N
	}
	if lo >= hi {
		return
	}
	y := w.aligned(hi - lo + t.vec)
	k := &w.sparse
	*k = sparseTile{X: unsafe.Pointer(&t.X[0]), Y: unsafe.Pointer(&y[0]), YPlane: 4}
	t.weights.rows(k, 0, lo, hi)
	runSparse(k, t.vec, 1, 1, t.vec) // each sum overwrites what does not count of the last
	*k = sparseTile{}
	low, high, bound := t.Ep.Bounds()
	for i, o := range t.order[lo:hi] {
		v := y[i]
		if t.Ep.Bias != nil {
			v += t.Ep.Bias[o]
		}
		if t.Ep.Res != nil {
			v += t.Ep.Res[o]
		}
		if bound {
			v = clip(v, low, high)
		}
		t.Y[o] = v
	}
}
