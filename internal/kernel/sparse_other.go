//go:build !amd64 && !arm64

package kernel

func maskOf(n, k int) uintptr { return 0 }

func runSparse(t *sparseTile, vec, r, nv, n int) { goSparse(t, r, n) }

func packRows(planes, n int, x []float32, at, ldx, xplane int, y []float32, ldy, yplane, lo, hi, nv, vec int) {
	goPackRows(planes, n, x, at, ldx, xplane, y, ldy, yplane, lo, hi, nv*vec)
}

func packStrided(planes, n int, x []float32, at, stride, ldx, xplane int, y []float32, ldy, yplane, lo, hi, nv, vec int) {
	goPackStrided(planes, n, x, at, stride, ldx, xplane, y, ldy, yplane, lo, hi, nv*vec)
}
