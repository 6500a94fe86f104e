//go:build !amd64

package kernel

func maskOf(n, k int) uintptr { return 0 }

func runSparse(t *sparseTile, vec, r, nv, n int) { goSparse(t, r, n) }

func padPlane(n int, x []float32, w int, y []float32, ldy, vec int) {
	goPadPlane(n, x, w, y, ldy, vec)
}
