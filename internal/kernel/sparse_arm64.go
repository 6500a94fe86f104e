package kernel

import "unsafe"

// maskOf is how many places of a vector count.
func maskOf(_, k int) uintptr { return uintptr(k) }

// The kernels by rows of places and vectors; of one row each, and of four that share their
// entries.
var sparseNEON = [9][9]func(*byte){
	1: {1: sparseneon_1x1, 2: sparseneon_1x2, 3: sparseneon_1x3, 4: sparseneon_1x4, 5: sparseneon_1x5, 6: sparseneon_1x6, 7: sparseneon_1x7, 8: sparseneon_1x8},
	2: {1: sparseneon_2x1, 2: sparseneon_2x2, 3: sparseneon_2x3, 4: sparseneon_2x4},
	3: {1: sparseneon_3x1, 2: sparseneon_3x2},
	4: {1: sparseneon_4x1, 2: sparseneon_4x2},
	5: {1: sparseneon_5x1}, 6: {1: sparseneon_6x1}, 7: {1: sparseneon_7x1}, 8: {1: sparseneon_8x1},
}

var blocksNEON = [5][5]func(*byte){
	1: {1: sparse4neon_1x1, 2: sparse4neon_1x2},
	2: {1: sparse4neon_2x1},
}

// runSparse runs a tile of r rows of nv vectors, of which n places count.
func runSparse(t *sparseTile, vec, r, nv, n int) {
	switch {
	case isa == Generic:
		goSparse(t, r, n)
	case vec == 4: // one place counts
		sparsedotsneon((*byte)(unsafe.Pointer(t)))
	case t.Group == blockRows:
		runBlocks(t, vec, r, nv, n)
	default:
		t.Mask = maskOf(vec, n-(nv-1)*vec)
		sparseNEON[r][nv]((*byte)(unsafe.Pointer(t)))
	}
}

// blockKernels are those of rows that share their entries, by rows of places and vectors, and
// the most of both at once.
func blockKernels(int) (kernels *[5][5]func(*byte), most int) { return &blocksNEON, 2 }

func sparseMask(vec, k int) uintptr { return maskOf(vec, k) }

// packRows copies rows by Go's copy, which is vector code.
func packRows(planes, n int, x []float32, at, ldx, xplane int, y []float32, ldy, yplane, lo, hi, nv, vec int) {
	goPackRows(planes, n, x, at, ldx, xplane, y, ldy, yplane, lo, hi, nv*vec)
}

func packStrided(planes, n int, x []float32, at, stride, ldx, xplane int, y []float32, ldy, yplane, lo, hi, nv, vec int) {
	goPackStrided(planes, n, x, at, stride, ldx, xplane, y, ldy, yplane, lo, hi, nv*vec)
}
