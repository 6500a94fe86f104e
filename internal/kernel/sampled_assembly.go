//go:build amd64 || arm64

package kernel

import "unsafe"

// runSampled runs sampled products over rows of n places, in vectors of vec floats.
func runSampled(t *sampled, vec, n int) {
	t.NV = (n + vec - 1) / vec
	t.Mask = maskOf(vec, n-(t.NV-1)*vec)
	if isa == Generic {
		goSampled(t, n)
		return
	}
	sampledVec(vec, (*byte)(unsafe.Pointer(t)))
}

// keepVec applies whole words of a mask; it returns how many.
func keepVec(mask []uint64, x []float32) int {
	n := len(x) / 64
	if n == 0 || isa == Generic {
		return 0
	}
	_ = mask[n-1]
	keepWords(n, &mask[0], &x[0])
	return n
}
