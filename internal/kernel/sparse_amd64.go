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

var sparse256k = [9][9]func(*byte){
	1: {1: sparseavx512y_1x1, 2: sparseavx512y_1x2, 3: sparseavx512y_1x3, 4: sparseavx512y_1x4, 5: sparseavx512y_1x5, 6: sparseavx512y_1x6, 7: sparseavx512y_1x7, 8: sparseavx512y_1x8},
	2: {1: sparseavx512y_2x1, 2: sparseavx512y_2x2, 3: sparseavx512y_2x3, 4: sparseavx512y_2x4},
	3: {1: sparseavx512y_3x1, 2: sparseavx512y_3x2},
	4: {1: sparseavx512y_4x1, 2: sparseavx512y_4x2},
	5: {1: sparseavx512y_5x1}, 6: {1: sparseavx512y_6x1}, 7: {1: sparseavx512y_7x1}, 8: {1: sparseavx512y_8x1},
}

var blocks512 = [5][5]func(*byte){
	1: {1: sparse4avx512_1x1, 2: sparse4avx512_1x2, 3: sparse4avx512_1x3, 4: sparse4avx512_1x4},
	2: {1: sparse4avx512_2x1, 2: sparse4avx512_2x2},
	3: {1: sparse4avx512_3x1},
	4: {1: sparse4avx512_4x1},
}

var blocks256k = [5][5]func(*byte){
	1: {1: sparse4avx512y_1x1, 2: sparse4avx512y_1x2, 3: sparse4avx512y_1x3, 4: sparse4avx512y_1x4},
	2: {1: sparse4avx512y_2x1, 2: sparse4avx512y_2x2},
	3: {1: sparse4avx512y_3x1},
	4: {1: sparse4avx512y_4x1},
}

var blocks256 = [5][5]func(*byte){
	1: {1: sparse4avx2_1x1, 2: sparse4avx2_1x2},
	2: {1: sparse4avx2_2x1},
}

// runSparse runs a tile of r rows of nv vectors, of which n places count.
func runSparse(t *sparseTile, vec, r, nv, n int) {
	if isa == Generic {
		goSparse(t, r, n)
		return
	}
	if t.Group == blockRows {
		runBlocks(t, vec, r, nv, n)
		return
	}
	t.Mask = sparseMask(vec, n-(nv-1)*vec)
	if vec == 4 {
		t.Mask = maskOf(vec, n)
		sparseavx2x_1x1((*byte)(unsafe.Pointer(t)))
		return
	}
	kernels := &sparse256
	switch {
	case vec == 16:
		kernels = &sparse512
	case isa == AVX512:
		kernels = &sparse256k
	}
	kernels[r][nv]((*byte)(unsafe.Pointer(t)))
}

// blockKernels are those of rows that share their entries, by rows of places and vectors, and
// the most of both at once.
func blockKernels(vec int) (kernels *[5][5]func(*byte), most int) {
	switch {
	case vec == 16:
		return &blocks512, 4
	case isa == AVX512:
		return &blocks256k, 4
	}
	return &blocks256, 2
}

// sparseMask is the mask of k places. AVX-512 has masks for vectors of 8 too;
// storing by those of AVX2 takes long.
func sparseMask(vec, k int) uintptr {
	if isa == AVX512 {
		return 1<<k - 1
	}
	return maskOf(vec, k)
}

// packRows writes rows of floats between zeros: for each of some planes, xplane
// and yplane apart, and each of n rows, ldx and ldy apart, places [lo,hi) of nv
// vectors come from x[at+place], the others are 0. at may be negative; lo is at
// most a vector.
func packRows(planes, n int, x []float32, at, ldx, xplane int, y []float32, ldy, yplane, lo, hi, nv, vec int) {
	if planes*n == 0 {
		return
	}
	_ = y[(planes-1)*yplane+(n-1)*ldy+nv*vec-1]
	if hi <= lo {
		at, lo, hi = 0, 0, 0
	} else {
		_, _ = x[at+lo], x[at+(planes-1)*xplane+(n-1)*ldx+hi-1]
	}
	if isa == Generic {
		goPackRows(planes, n, x, at, ldx, xplane, y, ldy, yplane, lo, hi, nv*vec)
		return
	}
	mid, last := max(0, hi/vec-1), hi%vec
	if hi < vec {
		last = 0
	}
	zeros := nv - 1 - mid
	m1 := uintptr(0)
	if last > 0 {
		zeros--
		m1 = maskOf(vec, last)
	}
	if vec == 16 {
		packrows_avx512(planes, n, &x[0], 4*at, 4*ldx, 4*xplane, &y[0], 4*ldy, 4*yplane, maskOf(vec, min(hi, vec))&^(1<<lo-1), mid, m1, zeros)
		return
	}
	packrows_avx2(planes, n, &x[0], 4*at, 4*ldx, 4*xplane, &y[0], 4*ldy, 4*yplane, between8(lo, min(hi, vec)), mid, m1, zeros)
}

// packStrided is packRows for places that come from x[at+stride*place]. Slack
// floats behind x must be readable, and a vector behind y writable.
func packStrided(planes, n int, x []float32, at, stride, ldx, xplane int, y []float32, ldy, yplane, lo, hi, nv, vec int) {
	wide := (hi - lo + vec - 1) / vec
	if isa == Generic || stride != 2 || hi <= lo || wide < nv-1 || lo+wide*vec < nv*vec {
		goPackStrided(planes, n, x, at, stride, ldx, xplane, y, ldy, yplane, lo, hi, nv*vec)
		return
	}
	_, _ = x[at+2*lo], x[at+(planes-1)*xplane+(n-1)*ldx+2*(hi-1)]
	_ = y[(planes-1)*yplane+(n-1)*ldy+lo+wide*vec-1]
	mask := maskOf(vec, hi-lo-(wide-1)*vec)
	if vec == 16 {
		packevens_avx512(planes, n, &x[at+2*lo], 4*ldx, 4*xplane, &y[0], 4*lo, 4*ldy, 4*yplane, wide, mask)
		return
	}
	packevens_avx2(planes, n, &x[at+2*lo], 4*ldx, 4*xplane, &y[0], 4*lo, 4*ldy, 4*yplane, wide, mask)
}

// masks88 holds masks of 8 lanes: that of lanes [lo,hi) starts at 8*(9*lo+hi).
var masks88 = func() (m [9 * 9 * 8]int32) {
	for i := range m {
		if lane, lo, hi := i%8, i/72, i/8%9; lane >= lo && lane < hi {
			m[i] = -1
		}
	}
	return m
}()

func between8(lo, hi int) uintptr { return uintptr(unsafe.Pointer(&masks88[8*(9*lo+hi)])) }
