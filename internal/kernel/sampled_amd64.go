package kernel

import "unsafe"

// runSampled runs sampled products over rows of n places, in vectors of vec floats.
func runSampled(t *sampled, vec, n int) {
	t.NV = (n + vec - 1) / vec
	t.Mask = maskOf(vec, n-(t.NV-1)*vec)
	switch {
	case isa == Generic:
		goSampled(t, n)
	case vec == 16:
		sampled_avx512((*byte)(unsafe.Pointer(t)))
	default:
		sampled_avx2((*byte)(unsafe.Pointer(t)))
	}
}

// keepVec applies whole words of a mask; it returns how many.
func keepVec(mask []uint64, x []float32) int {
	n := len(x) / 64
	if n == 0 || isa == Generic {
		return 0
	}
	_ = mask[n-1]
	if isa == AVX512 {
		keep_avx512(n, &mask[0], &x[0])
	} else {
		keep_avx2(n, &mask[0], &x[0])
	}
	return n
}
