package kernel

import "unsafe"

// grouped computes rows of a grouped or depthwise convolution from an image
// with its border.
func (c *ConvTask) grouped(w *Worker, x []float32, pitch, n, o0, o1 int) {
	oh, ow := c.OutH(), c.OutW()
	if c.depthwise() {
		for y := o0; y < o1; y++ {
			c.depthwiseRow(w, x[(y-o0)*c.StrideH*pitch:], pitch, y, ((n*oh+y)*ow)*c.CO, ow)
		}
		return
	}
	ci, co := c.CI/c.Groups, c.CO/c.Groups
	wide := pitch / c.CI
	rows := (o1-1-o0)*c.StrideH + c.DilH*(c.KH-1) + 1
	part := w.Scratch(1, rows*wide*ci) // the pixels of one group, side by side
	for g := range c.Groups {
		pickRows(x[g*ci:], c.CI, part, rows*wide, ci)
		for y := o0; y < o1; y++ {
			at := ((n*oh+y)*ow)*c.CO + g*co
			c.row(w, part[(y-o0)*c.StrideH*wide*ci:], wide*ci, ci, ci, c.Wt[g*co:], c.CO, y, at, g*co, ow, co)
		}
	}
}

// pickRows copies the first n values of each of m rows, ldx apart, side by side.
func pickRows(x []float32, ldx int, dst []float32, m, n int) {
	if n != 8 {
		copyRows(x, ldx, dst, n, m, n)
		return
	}
	for i := range m { // by halves, each of which is one move; a whole would be a call
		d, s := (*[8]float32)(dst[8*i:]), (*[8]float32)(x[i*ldx:])
		*(*[4]float32)(d[:4]) = *(*[4]float32)(s[:4])
		*(*[4]float32)(d[4:]) = *(*[4]float32)(s[4:])
	}
}

// depthwise says whether the channels do not mix.
func (c *Conv) depthwise() bool { return c.CI == c.Groups && c.CO == c.Groups }

// depthwiseRow computes output row y of a convolution whose channels do not
// mix; x has slack behind it.
func (c *ConvTask) depthwiseRow(w *Worker, x []float32, pitch, y, at, ow int) {
	lo, hi := c.within(y)
	c.depthwiseTile(w, x[lo*c.DilH*pitch:], pitch, hi-lo, lo*c.KW, c.KW, at)
	w.channels(ow, c.CO)
}

// depthwiseTile points the worker's tile at x, some rows and columns of taps from
// tap on, and the output at.
func (c *ConvTask) depthwiseTile(w *Worker, x []float32, pitch, rows, tap, columns, at int) {
	ch := c.CO
	t := &w.tile
	*t = tile{Rows: rows, K: columns, A: unsafe.Pointer(&x[0]), Ars: 4 * c.DilH * pitch, Ais: 4 * c.StrideW * ch, Aks: 4 * c.DilW * ch,
		B: unsafe.Pointer(&c.Wt[tap*ch]), Ldb: 4 * ch, Brs: 4 * (c.KW - columns) * ch,
		C: unsafe.Pointer(&c.Y[at]), Ldc: 4 * ch, Bias: first(c.Ep.Bias, 0)}
	if c.Ep.Acc {
		t.Flags = flagAcc
	}
	t.act(&c.Ep)
	if c.Ep.Res != nil {
		t.Res, t.Ldr = first(c.Ep.Res, at), 4*ch
	}
}

// borderless says whether depthwise rows are computed from the image in place.
func (c *ConvTask) borderless() bool { return c.depthwise() && c.CI%lanes() == 0 }

// depthwiseInPlace computes rows of one image without a border: the pixels at
// its left and right sides meet fewer taps, one by one.
func (c *ConvTask) depthwiseInPlace(w *Worker, n, o0, o1 int) {
	oh, ow, ch := c.OutH(), c.OutW(), c.CO
	pitch := c.W * ch
	img := c.X[n*c.H*pitch : (n+1)*c.H*pitch]
	for y := o0; y < o1; y++ {
		lo, hi := c.meet(y, c.StrideH, c.PadT, c.DilH, c.KH, c.H)
		top := (y*c.StrideH - c.PadT + lo*c.DilH) * pitch
		at := (n*oh + y) * ow * ch
		for ox := 0; ox < ow; {
			left, right := c.meet(ox, c.StrideW, c.PadL, c.DilW, c.KW, c.W)
			count := 1
			for left == 0 && right == c.KW && ox+count < ow && (ox+count)*c.StrideW-c.PadL+(c.KW-1)*c.DilW < c.W {
				count++
			}
			if lo == hi || left == right {
				emptyRows(w, c.Y[at+ox*ch:], count, ch, ch, &c.Ep, at+ox*ch, 0, 0)
			} else {
				from := top + (ox*c.StrideW-c.PadL+left*c.DilW)*ch
				c.depthwiseTile(w, img[from:], pitch, hi-lo, lo*c.KW+left, right-left, at+ox*ch)
				w.channels(count, ch)
			}
			ox += count
		}
	}
}
