//go:build amd64 || arm64

package kernel

import "unsafe"

// kind is the number of a cache's kernels, and how many bytes a number takes.
func (n numbers) kind() (kind, size int) {
	if n.half != nil {
		return 1, 2
	}
	return 0, 4
}

// scoresVec is Scores; it reports false where there is no assembly in use.
func (c *KVCache) scoresVec(w *Worker, head, lo, panels int, q []float32, ldq, n int, y []float32, ldy int) bool {
	if isa == Generic {
		return false
	}
	kind, _ := c.keys.kind()
	kernels := keyKernels(kind)
	t := &w.attention
	*t = attentionTile{Data: c.keys.point(c.key(head, lo)), Rows: panels, Dim: c.Dim, XRow: 4 * ldq, YRow: 4 * ldy}
	for g := 0; g < n; g += len(kernels) {
		t.X, t.Y = unsafe.Pointer(&q[g*ldq]), unsafe.Pointer(&y[g*ldy])
		kernels[min(n-g, len(kernels))-1]((*byte)(unsafe.Pointer(t)))
	}
	*t = attentionTile{}
	return true
}

// sumsVec is Sums; it reports false where there is no assembly in use.
func (c *KVCache) sumsVec(w *Worker, head, lo, hi int, x []float32, ldx, n int, y []float32, ldy int) bool {
	if isa == Generic {
		return false
	}
	kind, size := c.values.kind()
	wide := ValueWidth(c.Dim)
	t := &w.attention
	*t = attentionTile{Step: size * wide, Rows: hi - lo, XRow: 4 * ldx, YRow: 4 * ldy}
	for e := 0; e < wide; {
		kernels, columns := valueKernels(kind, wide-e)
		for g := 0; g < n; g += len(kernels) {
			t.Data, t.X, t.Y = c.values.point(c.value(head, lo)+e), unsafe.Pointer(&x[g*ldx]), unsafe.Pointer(&y[g*ldy+e])
			kernels[min(n-g, len(kernels))-1]((*byte)(unsafe.Pointer(t)))
		}
		e += columns
	}
	*t = attentionTile{}
	return true
}

// toHalfVec rounds whole vectors; it gives how many numbers they are.
func toHalfVec(x []float32, y []uint16) (n int, most float32) {
	if isa != Generic {
		n = len(x) &^ (lanes() - 1)
	}
	if _ = y[:len(x)]; n > 0 {
		most = toHalfs(n, &x[0], &y[0])
	}
	return n, most
}
