//go:build amd64 || arm64

package kernel

import "unsafe"

// runBlocks is runSparse for rows that share their entries, in as many parts as
// there are registers for.
func runBlocks(t *sparseTile, vec, r, nv, n int) {
	kernels, most := blockKernels(vec)
	x, y, res := t.X, t.Y, t.Res
	wide := min(nv, most)
	high := most / wide
	for i := 0; i < r; i += high {
		for j := 0; j < nv; j += wide {
			rows, cols := min(high, r-i), min(wide, nv-j)
			t.X, t.Y = unsafe.Add(x, i*t.XRow+4*j*vec), unsafe.Add(y, i*t.YRow+4*j*vec)
			if res != nil {
				t.Res = unsafe.Add(res, i*t.YRow+4*j*vec)
			}
			t.Mask = sparseMask(vec, min(vec, n-(j+cols-1)*vec))
			kernels[rows][cols]((*byte)(unsafe.Pointer(t)))
		}
	}
	t.X, t.Y, t.Res = x, y, res
}
