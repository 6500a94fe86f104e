package kernel

import "unsafe"

// tile is the argument of the micro-kernels: a block of C of MR rows and up to
// two vectors of columns,
//
//	C[i*ldc+j] = bias[j] + sum over r<Rows, k<K of A[r*Ars+i*Ais+k*Aks] * B[(r*K+k)*Ldb+j]
//
// plus RowBias[i], C itself (flag acc) and a residual, then held between Lo and
// Hi (flag clip). Strides are in bytes. The order of the fields is known to the
// generator.
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
	RowBias  unsafe.Pointer
	Brs      int // by channels: what B skips after each of Rows
	Vecs     int // by channels: vectors of columns
	Off      int // by channels: 0; where the kernel is
	Lo, Hi   float32
}

const (
	flagAcc  = 1
	flagClip = 2
)

// act sets the activation of an epilogue.
func (t *tile) act(e *Epilogue) {
	if lo, hi, ok := e.Bounds(); ok {
		t.Flags |= flagClip
		t.Lo, t.Hi = lo, hi
	}
}

// block runs the micro-kernels over m rows and n columns. t describes the
// whole block: A, B, C, Bias, Res and RowBias point at its first element. B is
// a matrix with rows Ldb apart, or where panel is not 0, panels of two vectors'
// width, each with its rows side by side, panel bytes apart.
func (w *Worker) block(m, n, panel int) {
	t := &w.tile
	a, b, c, bias, res, rb := t.A, t.B, t.C, t.Bias, t.Res, t.RowBias
	step := lanes()
	most := 2
	if panel == 0 {
		most = widest(m)
	}
	for j := 0; j < n; {
		nv, width, narrow := columnsOf(m, n-j, most)
		t.Mask = lastMask(width - (nv-1)*step)
		if narrow {
			t.Mask = maskOf(8, width)
		}
		if panel != 0 {
			in := j % (2 * step)
			t.B = unsafe.Add(b, j/(2*step)*panel+4*in)
			t.Ldb = 4 * min(n-j+in, 2*step)
		} else {
			t.B = unsafe.Add(b, 4*j)
		}
		if bias != nil {
			t.Bias = unsafe.Add(bias, 4*j)
		}
		for i := 0; i < m; {
			mr := tileRows(nv, width, m-i)
			if narrow {
				mr = min(m-i, 8)
			}
			t.A = unsafe.Add(a, i*t.Ais)
			t.C = unsafe.Add(c, i*t.Ldc+4*j)
			if res != nil {
				t.Res = unsafe.Add(res, i*t.Ldr+4*j)
			}
			if rb != nil {
				t.RowBias = unsafe.Add(rb, 4*i)
			}
			if narrow {
				runNarrow(t, mr)
			} else {
				runTile(t, mr, nv, width)
			}
			i += mr
		}
		j += width
	}
	t.A, t.B, t.C, t.Bias, t.Res, t.RowBias = nil, nil, nil, nil, nil, nil
}

// columnsOf is the width of the next tile of m rows where so many columns are left: vectors,
// at most so many, columns that count, and whether vectors of 8 serve better.
func columnsOf(m, left, most int) (nv, width int, narrow bool) {
	step := lanes()
	switch nv = 2; {
	case isa == NEON: // whole vectors of four, or less than one
		for _, width := range []int{4 * step, 2 * step, step, step / 2} {
			if left >= width && width <= most*step {
				return (width + step - 1) / step, width, false
			}
		}
		return 1, left, false
	case isa == AVX512 && left <= 8:
		nv, narrow = 1, true // half a vector is no work for a whole one
	case left <= step, isa == AVX512 && left <= step+8 && m > 6:
		nv = 1
	case left > (most-1)*step:
		nv = most
	}
	return nv, min(left, nv*step), narrow
}

// channels is block for tiles whose A has a vector of channels in place of a
// number (depthwise convolution): m rows, n channels. A must be readable for a
// whole vector beyond its last.
func (w *Worker) channels(m, n int) {
	t := &w.tile
	a, b, c, bias, res := t.A, t.B, t.C, t.Bias, t.Res
	step := lanes()
	for i := 0; i < m; i += 8 { // in the order of memory
		t.Vecs, t.Off = (n+step-1)/step, 0
		t.Mask = lastMask(n - (t.Vecs-1)*step)
		t.A, t.B, t.C, t.Bias = unsafe.Add(a, i*t.Ais), b, unsafe.Add(c, i*t.Ldc), bias
		if res != nil {
			t.Res = unsafe.Add(res, i*t.Ldr)
		}
		runChannels(t, min(8, m-i), n)
	}
	t.A, t.B, t.C, t.Bias, t.Res = nil, nil, nil, nil, nil
}

// slack is what a buffer that channels reads needs beyond its contents.
const slack = 16

// bias starts a row of sums: at the bias, or at zero.
func (t *tile) bias(row []float32) []float32 {
	clear(row)
	if t.Bias != nil {
		copy(row, unsafe.Slice((*float32)(t.Bias), len(row)))
	}
	return row
}

// goTile is the definition of a micro-kernel in plain Go.
func goTile(t *tile, mr, width int) {
	at := func(p unsafe.Pointer, off int) *float32 { return (*float32)(unsafe.Add(p, off)) }
	var acc [128]float32
	for i := range mr {
		row := t.bias(acc[:width])
		b := 0 // a pointer past the last row would be none
		for r := range t.Rows {
			for k := range t.K {
				x := *at(t.A, r*t.Ars+i*t.Ais+k*t.Aks)
				for j, v := range unsafe.Slice(at(t.B, b), width) {
					row[j] += x * v
				}
				b += t.Ldb
			}
		}
		goFinish(t, row, i)
	}
}

// goChannels is the definition of a micro-kernel by channels, of n channels.
func goChannels(t *tile, mr, n int) {
	for j := 0; j < n; j += 16 {
		at := *t
		for _, p := range []*unsafe.Pointer{&at.A, &at.B, &at.C, &at.Bias, &at.Res} {
			if *p != nil {
				*p = unsafe.Add(*p, 4*j)
			}
		}
		goChannelVector(&at, mr, min(16, n-j))
	}
}

func goChannelVector(t *tile, mr, width int) {
	var acc [16]float32
	for i := range mr {
		row := t.bias(acc[:width])
		b := 0
		for r := range t.Rows {
			for k := range t.K {
				x := unsafe.Slice((*float32)(unsafe.Add(t.A, r*t.Ars+i*t.Ais+k*t.Aks)), width)
				for j, v := range unsafe.Slice((*float32)(unsafe.Add(t.B, b)), width) {
					row[j] += x[j] * v
				}
				b += t.Ldb
			}
			b += t.Brs
		}
		goFinish(t, row, i)
	}
}

// goFinish does what is done to row i of a tile before it is stored.
func goFinish(t *tile, row []float32, i int) {
	at := func(p unsafe.Pointer, off int) *float32 { return (*float32)(unsafe.Add(p, off)) }
	c := unsafe.Slice(at(t.C, i*t.Ldc), len(row))
	for j := range row {
		if t.RowBias != nil {
			row[j] += *at(t.RowBias, 4*i)
		}
		if t.Flags&flagAcc != 0 {
			row[j] += c[j]
		}
		if t.Res != nil {
			row[j] += *at(t.Res, i*t.Ldr+4*j)
		}
		if t.Flags&flagClip != 0 {
			row[j] = clip(row[j], t.Lo, t.Hi)
		}
	}
	copy(c, row)
}
