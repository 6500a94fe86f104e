package kernel

import (
	"math"
	"unsafe"
)

// Requant says what becomes of the int32 sums of a product of bytes, column by column: x =
// float(sum + Bias)*Scale + Add. For bytes, x is held between Lo and Hi, rounded to even and
// raised by Zero. The slices have room for whole panels of 16 columns (see PadColumns).
type Requant struct {
	Bias       []int32
	Scale, Add []float32
	Lo, Hi     float32
	Zero       int32

	small bool // see Settle
}

// Settle says that a product is about to be computed many times: it looks whether the numbers
// are so small that kernels may round before they hold them in bounds.
func (q *Requant) Settle() {
	q.small = q.Lo <= q.Hi
	for j, s := range q.Scale {
		q.small = q.small && s >= 0 && s < .5 && q.Add[j] == 0
	}
}

// PadColumns is n columns filled up to whole panels.
func PadColumns(n int) int { return dotPanels(n) * dotPanel }

// requantTile is the argument of the kernels; the order of its fields is known to the
// generator.
type requantTile struct {
	Sums             unsafe.Pointer
	Rows             int
	Bias, Scale, Add unsafe.Pointer
	Row              unsafe.Pointer
	RowStep          int // in bytes
	Out              unsafe.Pointer
	Ldo              int // in bytes
	Width            int
	Lo, Hi           float32
	Zero             int32
	_                int32
}

// round is what a sum becomes as a byte.
func (q *Requant) round(x float32) byte {
	return byte(int32(math.RoundToEven(float64(min(max(x, q.Lo), q.Hi)))) + q.Zero)
}

// value is what a sum becomes as a number.
func (q *Requant) value(sum int32, j int) float32 {
	x := float32(float32(sum+q.Bias[j]) * q.Scale[j])
	return x + q.Add[j]
}

var noRow [1]int32

// byRows is the order that puts fours of columns, of which packing leaves those of four rows
// beside each other, row by row.
var byRows = [16]uint32{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15}

// bytes writes columns [j, j+width) of m rows of sums to out, rows ldo apart; row, where it is
// not nil, is added to all sums of a row. width is at most two panels.
func (q *Requant) bytes(w *Worker, sums []int32, m, j, width int, row []int32, out []byte, ldo int) {
	_ = out[(m-1)*ldo+width-1]
	const rows = 32 // whose lines the first cache holds, however far apart they are
	for i := 0; i < m; i += rows {
		k, more := min(rows, m-i), row
		if row != nil {
			more = row[i:]
		}
		q.someBytes(w, sums[i*dotPitch:], k, j, width, more, out[i*ldo:], ldo)
	}
}

func (q *Requant) someBytes(w *Worker, sums []int32, m, j, width int, row []int32, out []byte, ldo int) {
	for c := 0; c < width; c += dotPanel {
		n := min(dotPanel, width-c)
		if q.runVec(w, sums[c:], m, j+c, n, row, unsafe.Pointer(&out[c]), ldo, true) {
			continue
		}
		for i := range m {
			more := int32(0)
			if row != nil {
				more = row[i]
			}
			for k := range n {
				out[i*ldo+c+k] = q.round(q.value(sums[i*dotPitch+c+k]+more, j+c+k))
			}
		}
	}
}

// floats is bytes for numbers.
func (q *Requant) floats(w *Worker, sums []int32, m, j, width int, row []int32, out []float32, ldo int) {
	_ = out[(m-1)*ldo+width-1]
	for c := 0; c < width; c += dotPanel {
		n := min(dotPanel, width-c)
		if q.runVec(w, sums[c:], m, j+c, n, row, unsafe.Pointer(&out[c]), 4*ldo, false) {
			continue
		}
		for i := range m {
			more := int32(0)
			if row != nil {
				more = row[i]
			}
			for k := range n {
				out[i*ldo+c+k] = q.value(sums[i*dotPitch+c+k]+more, j+c+k)
			}
		}
	}
}

// point fills in the kernel's argument.
func (q *Requant) point(t *requantTile, sums []int32, m, j, width int, row []int32, out unsafe.Pointer, ldo int) {
	*t = requantTile{Sums: unsafe.Pointer(&sums[0]), Rows: m, Bias: unsafe.Pointer(&q.Bias[j]), Scale: unsafe.Pointer(&q.Scale[j]), Add: unsafe.Pointer(&q.Add[j]),
		Row: unsafe.Pointer(&noRow), Out: out, Ldo: ldo, Width: width, Lo: q.Lo, Hi: q.Hi, Zero: q.Zero}
	if row != nil {
		t.Row, t.RowStep = unsafe.Pointer(&row[0]), 4
	}
}
