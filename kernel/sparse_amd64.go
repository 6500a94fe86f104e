package kernel

import "unsafe"

// maskOf is the mask of k places of a vector of n.
func maskOf(n, k int) uintptr {
	if n == 16 {
		return 1<<k - 1
	}
	return uintptr(unsafe.Pointer(&masks8[8-min(k, 8)]))
}

var sparse512 = [9][9]func(*byte){
	1: {1: sparseavx512_1x1, 2: sparseavx512_1x2, 3: sparseavx512_1x3, 4: sparseavx512_1x4, 5: sparseavx512_1x5, 6: sparseavx512_1x6, 7: sparseavx512_1x7, 8: sparseavx512_1x8},
	2: {1: sparseavx512_2x1, 2: sparseavx512_2x2, 3: sparseavx512_2x3, 4: sparseavx512_2x4},
	3: {1: sparseavx512_3x1, 2: sparseavx512_3x2},
	4: {1: sparseavx512_4x1, 2: sparseavx512_4x2},
	5: {1: sparseavx512_5x1}, 6: {1: sparseavx512_6x1}, 7: {1: sparseavx512_7x1}, 8: {1: sparseavx512_8x1},
}

var sparse256 = [9][9]func(*byte){
	1: {1: sparseavx2_1x1, 2: sparseavx2_1x2, 3: sparseavx2_1x3, 4: sparseavx2_1x4, 5: sparseavx2_1x5, 6: sparseavx2_1x6, 7: sparseavx2_1x7, 8: sparseavx2_1x8},
	2: {1: sparseavx2_2x1, 2: sparseavx2_2x2, 3: sparseavx2_2x3, 4: sparseavx2_2x4},
	3: {1: sparseavx2_3x1, 2: sparseavx2_3x2},
	4: {1: sparseavx2_4x1, 2: sparseavx2_4x2},
	5: {1: sparseavx2_5x1}, 6: {1: sparseavx2_6x1}, 7: {1: sparseavx2_7x1}, 8: {1: sparseavx2_8x1},
}

// runSparse runs a tile of r rows of nv vectors, of which n places count.
func runSparse(t *sparseTile, vec, r, nv, n int) {
	switch {
	case isa == Generic:
		goSparse(t, r, n)
	case vec == 16:
		sparse512[r][nv]((*byte)(unsafe.Pointer(t)))
	default:
		sparse256[r][nv]((*byte)(unsafe.Pointer(t)))
	}
}

// padPlanes writes planes, xplane apart, of n rows of w floats to rows ldy apart
// in planes that are plane apart, with zeros up to whole vectors.
func padPlanes(planes, n int, x []float32, w, xplane int, y []float32, ldy, plane, vec int) {
	if planes*n == 0 {
		return
	}
	nv := (w + vec - 1) / vec
	_ = x[(planes-1)*xplane+n*w-1]
	_ = y[(planes-1)*plane+(n-1)*ldy+nv*vec-1]
	switch {
	case isa == Generic:
		goPadPlanes(planes, n, x, w, xplane, y, ldy, plane, vec)
	case vec == 16:
		padrows_avx512(planes, n, &x[0], 4*w, 4*xplane, &y[0], 4*ldy, 4*plane, nv, maskOf(vec, w-(nv-1)*vec))
	default:
		padrows_avx2(planes, n, &x[0], 4*w, 4*xplane, &y[0], 4*ldy, 4*plane, nv, maskOf(vec, w-(nv-1)*vec))
	}
}
