//go:build !amd64

package kernel

import "unsafe"

func (q *Requant) runVec(w *Worker, sums []int32, m, j, width int, row []int32, out unsafe.Pointer, ldo int, bytes bool) bool {
	return false
}
