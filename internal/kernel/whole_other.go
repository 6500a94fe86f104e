//go:build !amd64 && !arm64

package kernel

func mostRows() int { return 1 }

func (m *WholeMatrix) run(_ *Worker, x *WholeRows, r, rows, panel, panels int, y []float32, ldy int) {
	m.goWhole(x, r, rows, panel, panels, y, ldy)
}

func wholeRow(x []float32, to []uint32, step int) { goWholeRow(x, to, step) }
