//go:build !amd64

package kernel

func maskOf(n, k int) uintptr { return 0 }

func runSparse(t *sparseTile, vec, r, nv, n int) { goSparse(t, r, n) }

func padPlanes(planes, n int, x []float32, w, xplane int, y []float32, ldy, plane, vec int) {
	goPadPlanes(planes, n, x, w, xplane, y, ldy, plane, vec)
}
