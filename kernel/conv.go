package kernel

import "unsafe"

// Conv is the geometry of a two-dimensional convolution over NHWC: input
// [N,H,W,CI], weights [KH,KW,CI/Groups,CO], output [N,OH,OW,CO].
type Conv struct {
	N, H, W, CI, CO        int
	KH, KW                 int
	StrideH, StrideW       int
	DilH, DilW             int
	PadT, PadL, PadB, PadR int
	Groups                 int
}

// OutH is the height of the output.
func (c *Conv) OutH() int { return (c.H+c.PadT+c.PadB-c.DilH*(c.KH-1)-1)/c.StrideH + 1 }

// OutW is the width of the output.
func (c *Conv) OutW() int { return (c.W+c.PadL+c.PadR-c.DilW*(c.KW-1)-1)/c.StrideW + 1 }

// pointwise says whether the convolution is a product of matrices.
func (c *Conv) pointwise() bool {
	return c.KH == 1 && c.KW == 1 && c.StrideH == 1 && c.StrideW == 1 && c.Groups == 1 &&
		c.PadT|c.PadL|c.PadB|c.PadR == 0
}

// padRows copies rows [y0, y1) of an image into dst with its borders of zeros;
// rows outside the image are zero. The image is [h, w, ch], the result
// [y1-y0, w+left+right, ch].
func padRows(dst, img []float32, h, w, ch, y0, y1, left, right int) {
	pitch := (w + left + right) * ch
	for y := y0; y < y1; y++ {
		row := dst[(y-y0)*pitch : (y-y0+1)*pitch]
		if y < 0 || y >= h {
			clear(row)
			continue
		}
		clear(row[:left*ch])
		copy(row[left*ch:], img[y*w*ch:(y+1)*w*ch])
		clear(row[(left+w)*ch:])
	}
}

// ConvTask computes a convolution with an epilogue.
type ConvTask struct {
	Conv
	X, Wt, Y []float32
	Ep       Epilogue

	strip, strips int
	gemm          GemmTask
}

// Run computes y = conv(x, w).
func (c *ConvTask) Run(p *Pool) {
	if c.pointwise() {
		m := c.N * c.H * c.W
		part := c.gemm.part
		c.gemm = GemmTask{M: m, N: c.CO, K: c.CI, A: c.X, Lda: c.CI, B: c.Wt, Ldb: c.CO, C: c.Y, Ldc: c.CO, Ep: c.Ep, part: part}
		c.gemm.Run(p)
		return
	}
	c.strip = c.OutH()
	if c.N < 2*p.Threads() {
		c.strip = max(1, min(c.strip, (c.strip*c.N+2*p.Threads()-1)/(2*p.Threads())))
	}
	c.strips = (c.OutH() + c.strip - 1) / c.strip
	p.Run(c.N*c.strips, c)
}

// Do computes some rows of one image.
func (c *ConvTask) Do(w *Worker, i int) {
	n, s := i/c.strips, i%c.strips
	oh, ow := c.OutH(), c.OutW()
	o0, o1 := s*c.strip, min(oh, (s+1)*c.strip)
	y0 := o0*c.StrideH - c.PadT
	y1 := (o1-1)*c.StrideH - c.PadT + c.DilH*(c.KH-1) + 1
	pitch := (c.W + c.PadL + c.PadR) * c.CI
	x := w.Scratch(0, (y1-y0)*pitch+slack)
	padRows(x, c.X[n*c.H*c.W*c.CI:], c.H, c.W, c.CI, y0, y1, c.PadL, c.PadR)
	if c.Groups > 1 {
		c.grouped(w, x, pitch, n, o0, o1)
		return
	}
	panel := 2 * lanes()
	k := c.KH * c.KW * c.CI
	for j := 0; j < c.CO; j += panel {
		width := min(panel, c.CO-j)
		b, ldb := c.Wt[j:], c.CO
		if c.CO > panel && (o1-o0)*ow >= 64 { // a panel side by side, read many times
			buf := w.Scratch(1, k*width)
			for r := range k {
				copy(buf[r*width:(r+1)*width], c.Wt[r*c.CO+j:])
			}
			b, ldb = buf, width
		}
		for y := o0; y < o1; y++ {
			at := ((n*oh+y)*ow)*c.CO + j
			c.row(w, x[(y-o0)*c.StrideH*pitch:], pitch, c.CI, c.CI, b, ldb, at, j, ow, width)
		}
	}
}

// row computes one output row for some columns: the input channels ci of a
// pixel begin at x and pixels are px floats apart.
func (c *ConvTask) row(w *Worker, x []float32, pitch, px, ci int, b []float32, ldb, at, j, ow, width int) {
	base := tile{Ais: 4 * c.StrideW * px, Aks: 4, Ldb: 4 * ldb, C: unsafe.Pointer(&c.Y[at]), Ldc: 4 * c.CO}
	if c.DilW == 1 && px == ci { // a row of the kernel is contiguous in both
		t := &w.tile
		*t = base
		t.Rows, t.K, t.Ars = c.KH, c.KW*ci, 4*c.DilH*pitch
		t.A, t.B = unsafe.Pointer(&x[0]), unsafe.Pointer(&b[0])
		if c.Ep.Acc {
			t.Flags = flagAcc
		}
		t.act(&c.Ep)
		t.Bias = first(c.Ep.Bias, j)
		if c.Ep.Res != nil {
			t.Res, t.Ldr = first(c.Ep.Res, at), 4*c.CO
		}
		w.block(ow, width, 0)
		return
	}
	for ky := range c.KH {
		t := &w.tile
		*t = base
		t.Rows, t.K, t.Ars = c.KW, ci, 4*c.DilW*px
		t.A, t.B = unsafe.Pointer(&x[ky*c.DilH*pitch]), unsafe.Pointer(&b[ky*c.KW*ci*ldb])
		if ky > 0 || c.Ep.Acc {
			t.Flags |= flagAcc
		}
		if ky == 0 {
			t.Bias = first(c.Ep.Bias, j)
		}
		if ky == c.KH-1 {
			t.act(&c.Ep)
			if c.Ep.Res != nil {
				t.Res, t.Ldr = first(c.Ep.Res, at), 4*c.CO
			}
		}
		w.block(ow, width, 0)
	}
}

// grouped computes rows of a grouped or depthwise convolution.
func (c *ConvTask) grouped(w *Worker, x []float32, pitch, n, o0, o1 int) {
	oh, ow := c.OutH(), c.OutW()
	if c.CI == c.Groups && c.CO == c.Groups {
		for y := o0; y < o1; y++ {
			c.depthwiseRow(w, x[(y-o0)*c.StrideH*pitch:], pitch, ((n*oh+y)*ow)*c.CO, ow)
		}
		return
	}
	ci, co := c.CI/c.Groups, c.CO/c.Groups
	for g := range c.Groups {
		for y := o0; y < o1; y++ {
			at := ((n*oh+y)*ow)*c.CO + g*co
			c.row(w, x[(y-o0)*c.StrideH*pitch+g*ci:], pitch, c.CI, ci, c.Wt[g*co:], c.CO, at, g*co, ow, co)
		}
	}
}

// depthwiseRow computes one output row of a convolution whose channels do not
// mix; x has slack behind it.
func (c *ConvTask) depthwiseRow(w *Worker, x []float32, pitch, at, ow int) {
	ch := c.CO
	t := &w.tile
	*t = tile{Rows: c.KH, K: c.KW, A: unsafe.Pointer(&x[0]), Ars: 4 * c.DilH * pitch, Ais: 4 * c.StrideW * ch, Aks: 4 * c.DilW * ch,
		B: unsafe.Pointer(&c.Wt[0]), Ldb: 4 * ch, C: unsafe.Pointer(&c.Y[at]), Ldc: 4 * ch, Bias: first(c.Ep.Bias, 0)}
	if c.Ep.Acc {
		t.Flags = flagAcc
	}
	t.act(&c.Ep)
	if c.Ep.Res != nil {
		t.Res, t.Ldr = first(c.Ep.Res, at), 4*ch
	}
	w.channels(ow, ch)
}
