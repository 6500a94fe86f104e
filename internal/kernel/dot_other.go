//go:build !amd64

package kernel

func hasDot(d DotISA) bool { return d == DotGeneric }

func (q *ByteWeights) runDots(w *Worker, a []byte, lda, m, panel, panels int, sums []int32) {
	q.goDots(a, lda, m, panel, panels, sums)
}

func (q *ByteWeights) weaveVec(x []byte, ld int) bool { return false }
