package kernel

import (
	"math"
	"unsafe"
)

// runVec writes up to 16 columns; it reports false where there is no assembly for them.
func (q *Requant) runVec(w *Worker, sums []int32, m, j, width int, row []int32, out unsafe.Pointer, ldo int, bytes bool) bool {
	if isa == Generic || isa == AVX2 && width < dotPanel {
		return false
	}
	_, _, _ = q.Bias[j+dotPanel-1], q.Scale[j+dotPanel-1], q.Add[j+dotPanel-1]
	t := &w.requant
	if fours := m &^ 3; isa == AVX512 && bytes && q.small && row == nil && fours > 0 {
		q.point(t, sums, fours, j, width, nil, out, ldo)
		t.Row = unsafe.Pointer(&byRows)
		t.Lo, t.Hi = math.Float32frombits(uint32(q.round(q.Lo))), math.Float32frombits(uint32(q.round(q.Hi)))
		sumstobytesrows_avx512((*byte)(unsafe.Pointer(t)))
		if m == fours {
			*t = requantTile{}
			return true
		}
		sums, m, out = sums[fours*dotPitch:], m-fours, unsafe.Add(out, fours*ldo)
	}
	q.point(t, sums, m, j, width, row, out, ldo)
	p := (*byte)(unsafe.Pointer(t))
	switch {
	case isa == AVX512 && bytes:
		sumstobytes_avx512(p)
	case isa == AVX512:
		sumstofloats_avx512(p)
	case bytes:
		sumstobytes_avx2(p)
	default:
		sumstofloats_avx2(p)
	}
	*t = requantTile{}
	return true
}
