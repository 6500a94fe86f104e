package kernel

import "unsafe"

// tile is the argument of the micro-kernels: a block of C of MR rows and up to
// two vectors of columns,
//
//	C[i*ldc+j] = bias[j] + sum over r<Rows, k<K of A[r*Ars+i*Ais+k*Aks] * B[(r*K+k)*Ldb+j]
//
// plus C itself (flag acc) and a residual, then ReLU (flag relu). Strides are
// in bytes. The order of the fields is known to the generator.
type tile struct {
	Rows, K  int
	A        unsafe.Pointer
	Ars      int
	Ais, Aks int
	B        unsafe.Pointer
	Ldb      int
	C        unsafe.Pointer
	Ldc      int
	Bias     unsafe.Pointer
	Res      unsafe.Pointer
	Ldr      int
	Flags    int
	Mask     uintptr
}

const (
	flagAcc  = 1
	flagRelu = 2
)

// block runs the micro-kernels over m rows and n columns. t describes the
// whole block: A, B, C, Bias and Res point at its first element.
func (w *Worker) block(m, n int) {
	t := &w.tile
	a, b, c, bias, res := t.A, t.B, t.C, t.Bias, t.Res
	step := lanes()
	for j := 0; j < n; {
		nv := 2
		if n-j <= step {
			nv = 1
		}
		width := min(n-j, nv*step)
		t.Mask = lastMask(width - (nv-1)*step)
		t.B = unsafe.Add(b, 4*j)
		if bias != nil {
			t.Bias = unsafe.Add(bias, 4*j)
		}
		for i := 0; i < m; {
			mr := tileRows(nv, m-i)
			t.A = unsafe.Add(a, i*t.Ais)
			t.C = unsafe.Add(c, i*t.Ldc+4*j)
			if res != nil {
				t.Res = unsafe.Add(res, i*t.Ldr+4*j)
			}
			runTile(t, mr, nv, width)
			i += mr
		}
		j += width
	}
	t.A, t.B, t.C, t.Bias, t.Res = nil, nil, nil, nil, nil
}

// goTile is the definition of a micro-kernel in plain Go.
func goTile(t *tile, mr, width int) {
	at := func(p unsafe.Pointer, off int) *float32 { return (*float32)(unsafe.Add(p, off)) }
	var acc [32]float32
	for i := range mr {
		row := acc[:width]
		clear(row)
		if t.Bias != nil {
			copy(row, unsafe.Slice((*float32)(t.Bias), width))
		}
		b := t.B
		for r := range t.Rows {
			for k := range t.K {
				x := *at(t.A, r*t.Ars+i*t.Ais+k*t.Aks)
				for j, v := range unsafe.Slice((*float32)(b), width) {
					row[j] += x * v
				}
				b = unsafe.Add(b, t.Ldb)
			}
		}
		c := unsafe.Slice(at(t.C, i*t.Ldc), width)
		for j := range row {
			if t.Flags&flagAcc != 0 {
				row[j] += c[j]
			}
			if t.Res != nil {
				row[j] += *at(t.Res, i*t.Ldr+4*j)
			}
			if t.Flags&flagRelu != 0 && row[j] < 0 {
				row[j] = 0
			}
		}
		copy(c, row)
	}
}
