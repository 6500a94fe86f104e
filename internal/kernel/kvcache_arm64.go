package kernel

import "unsafe"

// The kernels by how many rows they take less one: of float32, and of float16.
var (
	keysNEON   = [2][4]func(*byte){{keysfloat1neon, keysfloat2neon, keysfloat3neon, keysfloat4neon}, {keyshalf1neon, keyshalf2neon, keyshalf3neon, keyshalf4neon}}
	valuesNEON = [2][4]func(*byte){{valuesfloat1neon, valuesfloat2neon, valuesfloat3neon, valuesfloat4neon}, {valueshalf1neon, valueshalf2neon, valueshalf3neon, valueshalf4neon}}
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
	t := &w.attention
	*t = attentionTile{Data: c.keys.point(c.key(head, lo)), Rows: panels, Dim: c.Dim, XRow: 4 * ldq, YRow: 4 * ldy}
	for g := 0; g < n; g += 4 {
		t.X, t.Y = unsafe.Pointer(&q[g*ldq]), unsafe.Pointer(&y[g*ldy])
		keysNEON[kind][min(n-g, 4)-1]((*byte)(unsafe.Pointer(t)))
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
	for e := 0; e < wide; e += 16 {
		for g := 0; g < n; g += 4 {
			t.Data, t.X, t.Y = c.values.point(c.value(head, lo)+e), unsafe.Pointer(&x[g*ldx]), unsafe.Pointer(&y[g*ldy+e])
			valuesNEON[kind][min(n-g, 4)-1]((*byte)(unsafe.Pointer(t)))
		}
	}
	*t = attentionTile{}
	return true
}

// toHalfVec rounds whole vectors; it gives how many numbers they are.
func toHalfVec(x []float32, y []uint16) (n int, most float32) {
	if isa != Generic {
		n = len(x) &^ 7
	}
	if _ = y[:len(x)]; n > 0 {
		most = tohalfneon(n, &x[0], &y[0])
	}
	return n, most
}
