package kernel

import "unsafe"

// packedNEON are the kernels by form and by the logarithm of the number of vectors; the first
// of a form writes the rows as floats.
var packedNEON = [5][4]func(*byte){
	Half:        {packedhalf0neon, packedhalf1neon, packedhalf2neon, packedhalf4neon},
	Int8:        {packedint80neon, packedint81neon, packedint82neon, packedint84neon},
	SparseHalf:  {packedsparsehalf0neon, packedsparsehalf1neon, packedsparsehalf2neon, packedsparsehalf4neon},
	SparseInt8:  {packedsparseint80neon, packedsparseint81neon, packedsparseint82neon, packedsparseint84neon},
	SparseFloat: {packedsparsefloat0neon, packedsparsefloat1neon, packedsparsefloat2neon, packedsparsefloat4neon},
}

// runVec is Dots; it reports false where there is no assembly in use.
func (p *Packed) runVec(w *Worker, x []float32, n, ldx, lo, hi int, y []float32, ldy int) bool {
	if isa == Generic {
		return false
	}
	t := &w.packed
	p.point(t, lo, hi)
	t.XRow, t.YRow = 4*ldx, 4*ldy
	for r := 0; r < n; {
		k, rows := 1, 1
		for ; 2*rows <= min(4, n-r); rows *= 2 {
			k++
		}
		t.X, t.Y = unsafe.Pointer(&x[r*ldx]), unsafe.Pointer(&y[r*ldy])
		packedNEON[p.Form][k]((*byte)(unsafe.Pointer(t)))
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
	t := &w.packed
	p.point(t, lo, hi)
	t.Y, t.YRow = unsafe.Pointer(&y[0]), 4*ldy
	packedNEON[p.Form][0]((*byte)(unsafe.Pointer(t)))
	*t = packedTile{}
	return true
}
