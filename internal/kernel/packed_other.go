//go:build !amd64 && !arm64

package kernel

func (p *Packed) runVec(w *Worker, x []float32, n, ldx, lo, hi int, y []float32, ldy int) bool {
	return false
}

func (p *Packed) expandVec(w *Worker, lo, hi int, y []float32, ldy int) bool { return false }
