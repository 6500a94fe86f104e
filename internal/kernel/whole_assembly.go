//go:build amd64 || arm64

package kernel

import "unsafe"

// mostRows is how many rows the kernels take at once.
func mostRows() int {
	if isa == Generic {
		return 1
	}
	return 1 << (len(wholeKernels()[0]) - 1)
}

// run multiplies some panels by a block of rows.
func (m *WholeMatrix) run(w *Worker, x *WholeRows, r, rows, panel, panels int, y []float32, ldy int) {
	if isa == Generic {
		m.goWhole(x, r, rows, panel, panels, y, ldy)
		return
	}
	if panels == 0 {
		return
	}
	t := &w.whole
	t.Values, t.Groups, t.Panels = unsafe.Pointer(&m.values[m.starts[panel]]), x.groups, panels
	t.Scales = unsafe.Pointer(&m.scales[panel*x.groups*wholePanel])
	sparse := 0
	if m.masks != nil {
		sparse = 1
		t.Masks, t.Table = unsafe.Pointer(&m.masks[panel*x.groups*8]), unsafe.Pointer(&places)
	}
	t.X, t.Y, t.YRow = unsafe.Pointer(&x.records[r*x.groups*wholeRecord]), unsafe.Pointer(&y[0]), 4*ldy
	k := 0
	for 1<<k < rows {
		k++
	}
	wholeKernels()[sparse][k]((*byte)(unsafe.Pointer(t)))
	*t = wholeTile{}
}

// wholeRow writes the records of a row, of whole groups, step words apart.
func wholeRow(x []float32, to []uint32, step int) {
	if isa == Generic {
		goWholeRow(x, to, step)
		return
	}
	groups := len(x) / packedGroup
	_ = to[(groups-1)*step+wholeRecord-1]
	wholeRowVec(groups, &x[0], (*byte)(unsafe.Pointer(&to[0])), 4*step)
}
