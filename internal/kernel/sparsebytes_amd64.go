package kernel

import "unsafe"

// runVec is goSums where there is assembly; it reports false elsewhere.
func (p *sparseBytesPart) runVec(w *Worker, a []float32, p0, p1 int, sums []int32, add bool) bool {
	if dot < DotVNNI || isa != AVX512 {
		return false
	}
	if len(p.offsets) == p.starts[p0] { // nothing is left of the panels that follow
		if !add {
			clear(sums[:(p1-p0)*dotPanel*sparseRows])
		}
		return true
	}
	_ = sums[(p1-p0)*dotPanel*sparseRows-1]
	t := &w.thin
	*t = sparseByteTile{A: unsafe.Pointer(&a[0]), Offsets: unsafe.Pointer(&p.offsets[p.starts[p0]]), Weights: unsafe.Pointer(&p.weights[p.starts[p0]]),
		Pairs: unsafe.Pointer(&p.pairs[p0*dotPanel]), C: unsafe.Pointer(&sums[0]), Columns: (p1 - p0) * dotPanel}
	if add {
		t.Add = 1
	}
	sparsebytes((*byte)(unsafe.Pointer(t)))
	*t = sparseByteTile{}
	return true
}
