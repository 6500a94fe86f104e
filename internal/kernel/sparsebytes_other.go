//go:build !amd64

package kernel

func (p *sparseBytesPart) runVec(w *Worker, a []float32, p0, p1 int, sums []int32, add bool) bool {
	return false
}
