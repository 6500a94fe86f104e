//go:build !amd64 && !arm64

package kernel

func (c *KVCache) scoresVec(_ *Worker, head, lo, panels int, q []float32, ldq, n int, y []float32, ldy int) bool {
	return false
}

func (c *KVCache) sumsVec(_ *Worker, head, lo, hi int, x []float32, ldx, n int, y []float32, ldy int) bool {
	return false
}

func toHalfVec(x []float32, y []uint16) (n int, most float32) { return 0, 0 }
