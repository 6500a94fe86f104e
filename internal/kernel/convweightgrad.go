package kernel

import "unsafe"

// ConvWeightGradTask computes dw from x and dy. The images are summed in a
// fixed number of parts, and the parts in their order, so the result does not
// depend on the number of threads.
type ConvWeightGradTask struct {
	Conv
	X, DY, DW []float32

	blocks int // of output channels, where each stays with a worker for all images; 0: images are shared out
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
	if c.blocks = 0; c.Groups == 1 && c.DilW == 1 && len(c.DW) >= 1<<18 {
		c.blocks = (c.CO + dwColumns - 1) / dwColumns
		p.Run(c.KH*c.blocks, c)
		return
	}
	c.chunks = min(c.N, 8)
	if need := c.chunks * len(c.DW); len(c.part) != need {
		c.part = make([]float32, need)
	}
	p.Run(c.chunks, c)
	copy(c.DW, c.part[:len(c.DW)])
	for k := 1; k < c.chunks; k++ {
		Add(c.DW, c.part[k*len(c.DW):(k+1)*len(c.DW)], c.DW)
	}
}

// dwColumns is how many output channels of one row of the kernel stay in the
// second cache while all images pass.
const dwColumns = 64

// block sums all images into one row of the kernel and a block of channels.
func (c *ConvWeightGradTask) block(w *Worker, ky, j int) {
	oh, ow, co := c.OutH(), c.OutW(), min(dwColumns, c.CO-j)
	dw := c.DW[ky*c.KW*c.CI*c.CO+j:]
	for r := range c.KW * c.CI {
		clear(dw[r*c.CO : r*c.CO+co])
	}
	lo, hi := c.meeting(ky)
	if lo == hi {
		return
	}
	pitch := (c.W + c.PadL + c.PadR) * c.CI
	top := lo*c.StrideH + ky*c.DilH - c.PadT
	rows := (hi-1-lo)*c.StrideH + 1
	for n := range c.N {
		x := w.Scratch(0, rows*pitch+slack)
		padRows(x, c.X[n*c.H*c.W*c.CI:], c.H, c.W, c.CI, top, top+rows, c.PadL, c.PadR)
		c.taps(w, x, c.DY[(n*oh+lo)*ow*c.CO+j:], dw, pitch, hi-lo, c.KW*c.CI, co)
	}
}

// Do sums one part of the images, or all of them into one block.
func (c *ConvWeightGradTask) Do(w *Worker, k int) {
	if c.blocks > 0 {
		c.block(w, k/c.blocks, k%c.blocks*dwColumns)
		return
	}
	dw := c.part[k*len(c.DW) : (k+1)*len(c.DW)]
	clear(dw)
	oh, ow := c.OutH(), c.OutW()
	rowsIn := (oh-1)*c.StrideH + c.DilH*(c.KH-1) + 1
	pitch := (c.W + c.PadL + c.PadR) * c.CI
	for n := k * c.N / c.chunks; n < (k+1)*c.N/c.chunks; n++ {
		x := w.Scratch(0, rowsIn*pitch+slack)
		padRows(x, c.X[n*c.H*c.W*c.CI:], c.H, c.W, c.CI, -c.PadT, rowsIn-c.PadT, c.PadL, c.PadR)
		dy := c.DY[n*oh*ow*c.CO : (n+1)*oh*ow*c.CO]
		if c.CI == c.Groups && c.CO == c.Groups {
			c.depthwise(w, x, dy, dw, pitch)
			continue
		}
		ci, co := c.CI/c.Groups, c.CO/c.Groups
		for ky := range c.KH {
			lo, hi := c.meeting(ky)
			if lo == hi {
				continue
			}
			x, dy := x[lo*c.StrideH*pitch:], dy[lo*ow*c.CO:]
			if c.Groups == 1 && c.DilW == 1 {
				c.taps(w, x[ky*c.DilH*pitch:], dy, dw[ky*c.KW*ci*c.CO:], pitch, hi-lo, c.KW*ci, co)
				continue
			}
			for kx := range c.KW {
				for g := range c.Groups {
					c.taps(w, x[ky*c.DilH*pitch+kx*c.DilW*c.CI+g*ci:], dy[g*co:], dw[(ky*c.KW+kx)*ci*c.CO+g*co:], pitch, hi-lo, ci, co)
				}
			}
		}
	}
}

// meeting is the range of output rows in which row ky of the kernel meets the
// image.
func (c *Conv) meeting(ky int) (lo, hi int) {
	at := ky*c.DilH - c.PadT
	for hi = c.OutH(); hi > 0 && (hi-1)*c.StrideH+at >= c.H; {
		hi--
	}
	for lo < hi && lo*c.StrideH+at < 0 {
		lo++
	}
	return lo, hi
}

// taps adds the products of m consecutive input values and n output channels
// over all places of some rows of an image.
func (c *ConvWeightGradTask) taps(w *Worker, x, dy, dw []float32, pitch, rows, m, n int) {
	t := &w.tile
	*t = tile{Rows: rows, K: c.OutW(), A: unsafe.Pointer(&x[0]), Ars: 4 * c.StrideH * pitch, Ais: 4, Aks: 4 * c.StrideW * c.CI,
		B: unsafe.Pointer(&dy[0]), Ldb: 4 * c.CO, C: unsafe.Pointer(&dw[0]), Ldc: 4 * c.CO, Flags: flagAcc}
	w.block(m, n, 0)
}

// depthwise adds the products of each channel with itself; the taps of a row of
// the kernel are the rows of a tile, the places the depth of its sum.
func (c *ConvWeightGradTask) depthwise(w *Worker, x, dy, dw []float32, pitch int) {
	ch := c.CO
	for ky := range c.KH {
		lo, hi := c.meeting(ky)
		if lo == hi {
			continue
		}
		t := &w.tile
		*t = tile{Rows: hi - lo, K: c.OutW(), A: unsafe.Pointer(&x[(lo*c.StrideH+ky*c.DilH)*pitch]), Ars: 4 * c.StrideH * pitch, Ais: 4 * c.DilW * ch,
			Aks: 4 * c.StrideW * ch, B: unsafe.Pointer(&dy[lo*c.OutW()*ch]), Ldb: 4 * ch, C: unsafe.Pointer(&dw[ky*c.KW*ch]), Ldc: 4 * ch, Flags: flagAcc}
		w.channels(c.KW, ch)
	}
}
