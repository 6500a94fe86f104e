package kernel

import "unsafe"

// ConvInputGradTask computes dx from dy and w. It is a convolution of dy,
// spread out by the stride, with the kernel turned round and its channels
// swapped.
type ConvInputGradTask struct {
	Conv
	DY, Wt, DX []float32

	flip []float32 // [KH,KW,CO/G,CI]
	gemm GemmTask
}

// Run computes dx.
func (c *ConvInputGradTask) Run(p *Pool) {
	if c.pointwise() {
		m := c.N * c.H * c.W
		c.gemm = GemmTask{TransB: true, M: m, N: c.CI, K: c.CO, A: c.DY, Lda: c.CO, B: c.Wt, Ldb: c.CO, C: c.DX, Ldc: c.CI, part: c.gemm.part}
		c.gemm.Run(p)
		return
	}
	c.turn()
	p.Run(c.N, c)
}

// turn writes the kernel turned round, input and output channels swapped
// within each group.
func (c *ConvInputGradTask) turn() {
	g, ci, co := c.Groups, c.CI/c.Groups, c.CO/c.Groups
	taps := c.KH * c.KW
	if len(c.flip) != taps*co*c.CI {
		c.flip = make([]float32, taps*co*c.CI)
	}
	for t := range taps {
		src := c.Wt[t*ci*c.CO : (t+1)*ci*c.CO]
		dst := c.flip[(taps-1-t)*co*c.CI : (taps-t)*co*c.CI]
		for i := range ci {
			for k := range g {
				for o := range co {
					dst[o*c.CI+k*ci+i] = src[i*c.CO+k*co+o]
				}
			}
		}
	}
}

// Do computes one image.
func (c *ConvInputGradTask) Do(w *Worker, n int) {
	oh, ow := c.OutH(), c.OutW()
	// dy spread out and padded: input row y meets kernel row ky where
	// y + PadT - ky*DilH is a multiple of the stride
	top, left := c.DilH*(c.KH-1)-c.PadT, c.DilW*(c.KW-1)-c.PadL
	h, wd := c.H+c.DilH*(c.KH-1), c.W+c.DilW*(c.KW-1)
	pitch := wd * c.CO
	buf := w.Scratch(0, h*pitch)
	clear(buf)
	for y := range oh {
		r := y*c.StrideH + top
		if r < 0 || r >= h {
			continue
		}
		src := c.DY[(n*oh+y)*ow*c.CO:]
		if c.StrideW == 1 && left >= 0 {
			copy(buf[r*pitch+left*c.CO:(r+1)*pitch], src[:ow*c.CO])
			continue
		}
		for x := range ow {
			if q := x*c.StrideW + left; q >= 0 && q < wd {
				copy(buf[r*pitch+q*c.CO:r*pitch+(q+1)*c.CO], src[x*c.CO:(x+1)*c.CO])
			}
		}
	}
	f := ConvTask{Conv: Conv{N: 1, H: h, W: wd, CI: c.CO, CO: c.CI, KH: c.KH, KW: c.KW, StrideH: 1, StrideW: 1,
		DilH: c.DilH, DilW: c.DilW, Groups: c.Groups}, Wt: c.flip, Y: c.DX[n*c.H*c.W*c.CI:]}
	if c.Groups > 1 {
		f.grouped(w, buf, pitch, 0, 0, c.H)
		return
	}
	panel := 2 * lanes()
	k := c.KH * c.KW * c.CO
	for j := 0; j < c.CI; j += panel {
		width := min(panel, c.CI-j)
		b, ldb := c.flip[j:], c.CI
		if c.CI > panel && c.H*c.W >= 64 {
			pk := w.Scratch(1, k*width)
			for r := range k {
				copy(pk[r*width:(r+1)*width], c.flip[r*c.CI+j:])
			}
			b, ldb = pk, width
		}
		for y := range c.H {
			f.row(w, buf[y*pitch:], pitch, c.CO, c.CO, b, ldb, y*c.W*c.CI+j, j, c.W, width)
		}
	}
}

// ConvWeightGradTask computes dw from x and dy. The images are summed in a
// fixed number of parts, and the parts in their order, so the result does not
// depend on the number of threads.
type ConvWeightGradTask struct {
	Conv
	X, DY, DW []float32

	chunks int
	part   []float32
	gemm   GemmTask
}

// Run computes dw.
func (c *ConvWeightGradTask) Run(p *Pool) {
	if c.pointwise() {
		m := c.N * c.H * c.W
		c.gemm = GemmTask{TransA: true, M: c.CI, N: c.CO, K: m, A: c.X, Lda: c.CI, B: c.DY, Ldb: c.CO, C: c.DW, Ldc: c.CO, part: c.gemm.part}
		c.gemm.Run(p)
		return
	}
	c.chunks = min(c.N, 8)
	if len(c.DW) > 1<<19 {
		c.chunks = min(c.N, 2)
	}
	if need := c.chunks * len(c.DW); len(c.part) != need {
		c.part = make([]float32, need)
	}
	p.Run(c.chunks, c)
	copy(c.DW, c.part[:len(c.DW)])
	for k := 1; k < c.chunks; k++ {
		Add(c.DW, c.part[k*len(c.DW):(k+1)*len(c.DW)], c.DW)
	}
}

// Do sums one part of the images.
func (c *ConvWeightGradTask) Do(w *Worker, k int) {
	dw := c.part[k*len(c.DW) : (k+1)*len(c.DW)]
	clear(dw)
	oh, ow := c.OutH(), c.OutW()
	rowsIn := (oh-1)*c.StrideH + c.DilH*(c.KH-1) + 1
	pitch := (c.W + c.PadL + c.PadR) * c.CI
	for n := k * c.N / c.chunks; n < (k+1)*c.N/c.chunks; n++ {
		x := w.Scratch(0, rowsIn*pitch)
		padRows(x, c.X[n*c.H*c.W*c.CI:], c.H, c.W, c.CI, -c.PadT, rowsIn-c.PadT, c.PadL, c.PadR)
		dy := c.DY[n*oh*ow*c.CO : (n+1)*oh*ow*c.CO]
		if c.CI == c.Groups && c.CO == c.Groups {
			c.depthwise(x, dy, dw, pitch)
			continue
		}
		ci, co := c.CI/c.Groups, c.CO/c.Groups
		for ky := range c.KH {
			if c.Groups == 1 && c.DilW == 1 {
				c.taps(w, x[ky*c.DilH*pitch:], dy, dw[ky*c.KW*ci*c.CO:], pitch, c.KW*ci, co)
				continue
			}
			for kx := range c.KW {
				for g := range c.Groups {
					c.taps(w, x[ky*c.DilH*pitch+kx*c.DilW*c.CI+g*ci:], dy[g*co:], dw[(ky*c.KW+kx)*ci*c.CO+g*co:], pitch, ci, co)
				}
			}
		}
	}
}

// taps adds the products of m consecutive input values and n output channels
// over all places of one image.
func (c *ConvWeightGradTask) taps(w *Worker, x, dy, dw []float32, pitch, m, n int) {
	t := &w.tile
	*t = tile{Rows: c.OutH(), K: c.OutW(), A: unsafe.Pointer(&x[0]), Ars: 4 * c.StrideH * pitch, Ais: 4, Aks: 4 * c.StrideW * c.CI,
		B: unsafe.Pointer(&dy[0]), Ldb: 4 * c.CO, C: unsafe.Pointer(&dw[0]), Ldc: 4 * c.CO, Flags: flagAcc}
	w.block(m, n, 0)
}

func (c *ConvWeightGradTask) depthwise(x, dy, dw []float32, pitch int) {
	ch := c.CO
	for oy := range c.OutH() {
		for ox := range c.OutW() {
			d := dy[(oy*c.OutW()+ox)*ch : (oy*c.OutW()+ox+1)*ch]
			for ky := range c.KH {
				for kx := range c.KW {
					px := (oy*c.StrideH+ky*c.DilH)*pitch + (ox*c.StrideW+kx*c.DilW)*ch
					tap := (ky*c.KW + kx) * ch
					Fma(x[px:px+ch], d, dw[tap:tap+ch])
				}
			}
		}
	}
}
