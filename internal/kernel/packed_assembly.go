//go:build amd64 || arm64

package kernel

import "unsafe"

// runVec is Dots; it reports false where there is no assembly in use.
func (p *Packed) runVec(w *Worker, x []float32, n, ldx, lo, hi int, y []float32, ldy int) bool {
	if isa == Generic {
		return false
	}
	kernels, most := p.kernels()
	t := &w.packed
	p.point(t, lo, hi)
	t.XRow, t.YRow = 4*ldx, 4*ldy
	for r := 0; r < n; {
		k, rows := 1, 1
		for ; 2*rows <= min(most, n-r); rows *= 2 {
			k++
		}
		t.X, t.Y = unsafe.Pointer(&x[r*ldx]), unsafe.Pointer(&y[r*ldy])
		kernels[k]((*byte)(unsafe.Pointer(t)))
		r += rows
	}
	*t = packedTile{}
	return true
}

// expandVec is Expand; it reports false where there is no assembly in use.
func (p *Packed) expandVec(w *Worker, lo, hi int, y []float32, ldy int) bool {
	if isa == Generic {
		return false
	}
	kernels, _ := p.kernels()
	t := &w.packed
	p.point(t, lo, hi)
	t.Y, t.YRow = unsafe.Pointer(&y[0]), 4*ldy
	kernels[0]((*byte)(unsafe.Pointer(t)))
	*t = packedTile{}
	return true
}
