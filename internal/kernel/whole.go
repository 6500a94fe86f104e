package kernel

import (
	"fmt"
	"math"
	"math/bits"
	"unsafe"

	"github.com/x448/float16"
)

// wholePanel is how many rows of a WholeMatrix lie side by side.
const wholePanel = 16

// WholeMatrix is a matrix [Rows Cols] of whole numbers from -127 to 127, times a float16 for
// each 32 columns of a row, for products with rows that are whole numbers too. The processor
// adds four such products at once, so that a product with one row takes as long as it takes
// to read the matrix, with zeros left out of it too.
//
// Rows lie in panels of 16, a panel's columns in groups of 32, and a group in eight vectors:
// four columns of each row.
type WholeMatrix struct {
	Rows, Cols int
	values     []byte
	masks      []uint64 // of each vector, where zeros are left out; else none
	scales     []uint16 // of each group of each panel, by row: float16
	starts     []int    // where in values a panel begins
}

// WholeBytes is how many bytes a product reads of a matrix with n weights that are not 0;
// zeros are left out where sparse is set.
func WholeBytes(sparse bool, rows, cols, n int) int {
	vectors := (rows + wholePanel - 1) / wholePanel * PackedWidth(cols) / 4
	size := vectors * wholePanel * 4 / packedGroup * 2
	if sparse {
		return size + 8*vectors + n
	}
	return size + 64*vectors
}

// Sparse says whether zeros are left out.
func (m *WholeMatrix) Sparse() bool { return m.masks != nil }

// Bytes is how many bytes a product reads.
func (m *WholeMatrix) Bytes() int {
	return len(m.values) - packedSlack + 8*len(m.masks) + 2*len(m.scales)
}

// Settle moves what a product reads into memory.
func (m *WholeMatrix) Settle(to *Memory) {
	m.values, m.masks, m.scales = moved(to, m.values), moved(to, m.masks), moved(to, m.scales)
}

// PackWhole rounds a matrix as Pack does for Int8. It returns an error where a weight is not
// finite or too large.
func PackWhole(w []float32, rows, cols int, sparse bool) (*WholeMatrix, error) {
	panels, groups := (rows+wholePanel-1)/wholePanel, PackedWidth(cols)/packedGroup
	m := &WholeMatrix{Rows: rows, Cols: cols, scales: make([]uint16, panels*groups*wholePanel), starts: make([]int, 0, panels+1)}
	if sparse {
		m.masks = make([]uint64, 0, panels*groups*8)
	} else {
		m.values = make([]byte, 0, panels*groups*512+packedSlack)
	}
	for p := range panels {
		m.starts = append(m.starts, len(m.values))
		for g := range groups {
			var q [512]byte
			for i := range min(wholePanel, rows-p*wholePanel) {
				o, c := p*wholePanel+i, g*packedGroup
				var x [packedGroup]float32
				copy(x[:], w[o*cols+c:o*cols+min(cols, c+packedGroup)])
				h, scale, err := groupScale(&x)
				if err != nil {
					return nil, fmt.Errorf("row %d: %w", o, err)
				}
				m.scales[(p*groups+g)*wholePanel+i] = h
				for k, v := range x {
					q[k/4*64+4*i+k%4] = byte(wholeOf(v, scale))
				}
			}
			m.add(&q)
		}
	}
	m.starts = append(m.starts, len(m.values))
	m.values = append(make([]byte, 0, len(m.values)+packedSlack), m.values...)[:len(m.values)+packedSlack]
	return m, nil
}

// add appends the vectors of a group.
func (m *WholeMatrix) add(q *[512]byte) {
	if m.masks == nil {
		m.values = append(m.values, q[:]...)
		return
	}
	for j := range 8 {
		mask := uint64(0)
		for i, v := range q[64*j : 64*j+64] {
			if v != 0 {
				mask |= 1 << i
				m.values = append(m.values, v)
			}
		}
		m.masks = append(m.masks, mask)
	}
}

// Expand writes the matrix that is held as float32, [Rows Cols].
func (m *WholeMatrix) Expand() []float32 {
	w := make([]float32, m.Rows*m.Cols)
	groups := PackedWidth(m.Cols) / packedGroup
	var q [512]int8
	for p := range len(m.starts) - 1 {
		at := m.starts[p]
		for g := range groups {
			at = m.read(p*groups+g, at, &q)
			for i := range min(wholePanel, m.Rows-p*wholePanel) {
				scale := float16.Frombits(m.scales[(p*groups+g)*wholePanel+i]).Float32()
				for k := range min(packedGroup, m.Cols-g*packedGroup) {
					w[(p*wholePanel+i)*m.Cols+g*packedGroup+k] = float32(q[k/4*64+4*i+k%4]) * scale
				}
			}
		}
	}
	return w
}

// read gives the vectors of group g, of all panels, whose values begin at a place, and where
// they end.
func (m *WholeMatrix) read(g, at int, q *[512]int8) int {
	for j := range 8 {
		mask := ^uint64(0)
		if m.masks != nil {
			mask = m.masks[8*g+j]
		}
		for i := range 64 {
			if q[64*j+i] = 0; mask>>i&1 == 1 {
				q[64*j+i] = int8(m.values[at])
				at++
			}
		}
	}
	return at
}

// wholeRecord is how many words WholeRows has of a group: 32 whole numbers, the float32 that
// they are times, and -128 times their sum.
const wholeRecord = packedGroup/4 + 1 + 1

// WholeRows are rows of whole numbers from -127 to 127, times a float32 for each 32 columns:
// what a WholeMatrix is multiplied by. Some rows lie in a block side by side, group by group.
type WholeRows struct {
	n, groups, most int
	records         []uint32
}

// RoomBytes is what WholeRows take for n rows of cols columns.
func RoomBytes(n, cols int) int { return n * PackedWidth(cols) / packedGroup * wholeRecord * 4 }

// Room makes room for as many rows, so that Set allocates nothing.
func (q *WholeRows) Room(n, cols int) { q.records = make([]uint32, RoomBytes(n, cols)/4) }

// Set rounds n rows of x, ldx apart: in each group of 32 the largest by size becomes 127. A
// group that has what is no number, or is infinite, gives products that are not finite.
func (q *WholeRows) Set(x []float32, n, ldx, cols int) {
	q.n, q.groups, q.most = n, PackedWidth(cols)/packedGroup, mostRows()
	for r := 0; r < n; {
		R := q.block(r)
		for i := range R {
			at, step := (r*q.groups+i)*wholeRecord, R*wholeRecord
			row := x[(r+i)*ldx:][:cols]
			full := cols / packedGroup
			if full > 0 {
				wholeRow(row[:full*packedGroup], q.records[at:], step)
			}
			if full < q.groups {
				var rest [packedGroup]float32
				copy(rest[:], row[full*packedGroup:])
				wholeRow(rest[:], q.records[at+full*step:], step)
			}
		}
		r += R
	}
}

// block is how many rows lie side by side with row r, which is the first of them.
func (q *WholeRows) block(r int) int { return 1 << (bits.Len(uint(min(q.most, q.n-r))) - 1) }

// goWholeRow writes the records of a row, of whole groups, step words apart.
func goWholeRow(x []float32, to []uint32, step int) {
	for g := 0; g < len(x); g += packedGroup {
		most := uint32(0)
		for _, v := range x[g : g+packedGroup] {
			most = max(most, math.Float32bits(v)&^(1<<31))
		}
		m := math.Float32frombits(most)
		by := min(127/m, math.MaxFloat32)
		rec, sum := to[g/packedGroup*step:][:wholeRecord], 0
		for i, v := range x[g : g+packedGroup] {
			y := int8(0)
			if v *= by; v == v {
				y = int8(math.RoundToEven(float64(v)))
			}
			rec[i/4] = rec[i/4]&^(255<<(i%4*8)) | uint32(uint8(y))<<(i%4*8)
			sum += int(y)
		}
		rec[8], rec[9] = math.Float32bits(m*(1./127)), uint32(int32(-128*sum))
	}
}

// wholeTile is the argument of the kernels: for each of Panels panels p of the matrix and of
// R rows r of X, y[16p+i+r*YRow] = their product with row i of the panel. YRow is in bytes.
// The order of the fields is known to the generator.
type wholeTile struct {
	Values, Masks, Scales unsafe.Pointer
	Groups, Panels        int
	X, Y                  unsafe.Pointer
	YRow                  int
	Table                 unsafe.Pointer // places
}

// Dots writes the products of rows [lo, hi) of the matrix, lo a multiple of 16, with all of
// x: y[r*ldy+o-lo]. What a row gives depends on nothing but the row and its row of x.
func (m *WholeMatrix) Dots(w *Worker, x *WholeRows, lo, hi int, y []float32, ldy int) {
	if lo >= hi || x.n == 0 {
		return
	}
	if x.groups == 0 {
		for r := range x.n {
			clear(y[r*ldy:][:hi-lo])
		}
		return
	}
	_ = y[(x.n-1)*ldy+hi-lo-1]
	panels := (hi - lo) / wholePanel
	for r := 0; r < x.n; {
		R := x.block(r)
		m.run(w, x, r, R, lo/wholePanel, panels, y[r*ldy:], ldy)
		if rest := hi - lo - panels*wholePanel; rest > 0 { // the last rows fill no panel
			last := w.Scratch(0, R*wholePanel)
			m.run(w, x, r, R, lo/wholePanel+panels, 1, last, wholePanel)
			for i := range R {
				copy(y[(r+i)*ldy+panels*wholePanel:][:rest], last[i*wholePanel:])
			}
		}
		r += R
	}
}

// goWhole is the definition of the kernels in plain Go.
func (m *WholeMatrix) goWhole(x *WholeRows, r, rows, panel, panels int, y []float32, ldy int) {
	var q [512]int8
	for p := range panels {
		at := m.starts[panel+p]
		for i := range rows {
			clear(y[i*ldy+p*wholePanel:][:wholePanel])
		}
		for g := range x.groups {
			group := (panel+p)*x.groups + g
			at = m.read(group, at, &q)
			for i := range rows {
				rec := x.records[(r*x.groups+g*rows+i)*wholeRecord:][:wholeRecord]
				by := math.Float32frombits(rec[8])
				for o := range wholePanel {
					sum := 0
					for k := range packedGroup {
						sum += int(q[k/4*64+4*o+k%4]) * int(int8(rec[k/4]>>(k%4*8)))
					}
					scale := float16.Frombits(m.scales[group*wholePanel+o]).Float32()
					y[i*ldy+p*wholePanel+o] += float32(sum) * scale * by
				}
			}
		}
	}
}
