package kernel

import "unsafe"

// The kernels by how many rows they take less one: of float32, and of float16.
var (
	keys512 = [2][4]func(*byte){{keysfloat1_avx512, keysfloat2_avx512, keysfloat3_avx512, keysfloat4_avx512}, {keyshalf1_avx512, keyshalf2_avx512, keyshalf3_avx512, keyshalf4_avx512}}
	keys256 = [2][4]func(*byte){{keysfloat1_avx2, keysfloat2_avx2, keysfloat3_avx2, keysfloat4_avx2}, {keyshalf1_avx2, keyshalf2_avx2, keyshalf3_avx2, keyshalf4_avx2}}

	values512x64 = [2][4]func(*byte){{valuesfloat64x1_avx512, valuesfloat64x2_avx512, valuesfloat64x3_avx512, valuesfloat64x4_avx512}, {valueshalf64x1_avx512, valueshalf64x2_avx512, valueshalf64x3_avx512, valueshalf64x4_avx512}}
	values512    = [2][4]func(*byte){{valuesfloat16x1_avx512, valuesfloat16x2_avx512, valuesfloat16x3_avx512, valuesfloat16x4_avx512}, {valueshalf16x1_avx512, valueshalf16x2_avx512, valueshalf16x3_avx512, valueshalf16x4_avx512}}
	values256    = [2][4]func(*byte){{valuesfloat16x1_avx2, valuesfloat16x2_avx2, valuesfloat16x3_avx2, valuesfloat16x4_avx2}, {valueshalf16x1_avx2, valueshalf16x2_avx2, valueshalf16x3_avx2, valueshalf16x4_avx2}}
)

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
	kernels := &keys512[kind]
	if isa != AVX512 {
		kernels = &keys256[kind]
	}
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
		kernels, columns := &values256[kind], 16
		if isa == AVX512 {
			if kernels = &values512[kind]; e+64 <= wide {
				kernels, columns = &values512x64[kind], 64
			}
		}
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
	switch _ = y[:len(x)]; {
	case n == 0:
	case isa == AVX512:
		most = tohalf_avx512(n, &x[0], &y[0])
	default:
		most = tohalf_avx2(n, &x[0], &y[0])
	}
	return n, most
}
