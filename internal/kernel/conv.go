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
	Packed   *PackedConv // in place of Wt; nil: none
	Ep       Epilogue

	strip, strips int
	images        int // of a piece that does one panel of heavy weights; 0: all panels of a strip
	phase         int
	rows          []float32 // [N*OH*OW, KH*KW*CI]
	panels        []float32 // of the weights, as in PackedConv
	gemm          GemmTask
}

// PackedConv is a convolution's weight laid out once for many runs. It belongs
// to the instruction level at which it was made.
type PackedConv struct {
	product *PackedB  // for convolutions that are products
	panels  []float32 // [KH*KW*CI, width] for each two vectors of output channels
}

// PackConv lays out w, [KH,KW,CI,CO]. It returns nil for convolutions with
// groups, whose weights are read as they are.
func PackConv(c *Conv, w []float32) *PackedConv {
	if c.Groups > 1 {
		return nil
	}
	k := c.KH * c.KW * c.CI
	if c.AsProduct() {
		return &PackedConv{product: PackB(false, c.CO, k, w, c.CO)}
	}
	q := &PackedConv{panels: make([]float32, len(w))}
	packB(q.panels, w, false, c.CO, 0, k, 0, c.CO)
	return q
}

// AsProduct says whether ConvTask does the convolution as a product of matrices,
// which needs its weight packed in another form.
func (c *Conv) AsProduct() bool { return c.pointwise() || c.gathered() }

// gathered says whether the pixels that each output needs are brought together
// first, so that the convolution becomes a product: where rows are so short
// that tiles would be low, and where pixels are skipped.
func (c *Conv) gathered() bool {
	taps := c.KH * c.KW
	return c.Groups == 1 && (taps == 1 || c.OutW() < 7 && c.CI >= 64) && c.N*c.OutH()*c.OutW()*taps*c.CI <= 1<<21
}

// Run computes y = conv(x, w).
func (c *ConvTask) Run(p *Pool) {
	if c.pointwise() {
		c.product(p, c.X)
		return
	}
	if c.gathered() {
		if need := c.N * c.OutH() * c.OutW() * c.KH * c.KW * c.CI; len(c.rows) != need {
			c.rows = make([]float32, need)
		}
		c.phase = phaseGather
		p.Run(c.N*c.OutH(), c)
		c.product(p, c.rows)
		return
	}
	c.panels = c.panels[:0]
	c.images = c.heavy(p.Threads())
	panels := (c.CO + 2*lanes() - 1) / (2 * lanes())
	switch k := c.KH * c.KW * c.CI; {
	case c.Packed != nil:
		c.panels = c.Packed.panels
	case c.Groups > 1 || c.CO <= 2*lanes() || c.images > 0:
	case c.N*c.OutH()*c.OutW() >= 64: // side by side, to be read many times
		if cap(c.panels) < k*c.CO {
			c.panels = make([]float32, k*c.CO)
		}
		c.panels = c.panels[:k*c.CO]
		c.phase = phasePack
		p.Run(panels, c)
	}
	c.strip = c.OutH()
	if c.images == 0 && c.N < 2*p.Threads() {
		c.strip = max(1, min(c.strip, (c.strip*c.N+2*p.Threads()-1)/(2*p.Threads())))
	}
	c.strip = min(c.strip, c.fitting((c.W+c.PadL+c.PadR)*c.CI))
	c.strips = (c.OutH() + c.strip - 1) / c.strip
	if c.images > 0 {
		c.phase = phasePanel
		p.Run(panels*((c.N+c.images-1)/c.images), c)
		return
	}
	c.phase = phaseConv
	p.Run(c.N*c.strips, c)
}

// heavy is how many images a piece of work does for one panel of the weights,
// where these are so large that each panel had better be read once: 0 where they
// are not, or the pieces would be too few.
func (c *Conv) heavy(threads int) int {
	panels := (c.CO + 2*lanes() - 1) / (2 * lanes())
	if c.Groups > 1 || c.KH*c.KW*c.CI*c.CO < 1<<17 {
		return 0
	}
	for pieces := panels; pieces <= panels*c.N; pieces += panels {
		if pieces >= 4*threads || pieces%threads == 0 {
			return (c.N*panels + pieces - 1) / pieces
		}
	}
	return 0
}

// The phases of a convolution.
const (
	phaseConv = iota
	phaseGather
	phasePack
	phasePanel
)

// fitting is how many output rows need no more input rows, pitch floats each,
// than the second cache holds well.
func (c *Conv) fitting(pitch int) int {
	return max(4, ((1<<16)/pitch-c.DilH*(c.KH-1))/c.StrideH)
}

// product multiplies rows of pixels by the weights.
func (c *ConvTask) product(p *Pool, x []float32) {
	k := c.KH * c.KW * c.CI
	part := c.gemm.part
	c.gemm = GemmTask{M: c.N * c.OutH() * c.OutW(), N: c.CO, K: k, A: x, Lda: k, B: c.Wt, Ldb: c.CO, C: c.Y, Ldc: c.CO, Ep: c.Ep, part: part}
	if c.Packed != nil {
		c.gemm.Packed = c.Packed.product
	}
	c.gemm.Run(p)
}

// gather brings together the pixels of one output row.
func (c *ConvTask) gather(i int) {
	n, oy := i/c.OutH(), i%c.OutH()
	ow, k := c.OutW(), c.KH*c.KW*c.CI
	dst := c.rows[i*ow*k : (i+1)*ow*k]
	img := c.X[n*c.H*c.W*c.CI : (n+1)*c.H*c.W*c.CI]
	for ox := range ow {
		for ky := range c.KH {
			for kx := range c.KW {
				y, x := oy*c.StrideH-c.PadT+ky*c.DilH, ox*c.StrideW-c.PadL+kx*c.DilW
				if y < 0 || y >= c.H || x < 0 || x >= c.W {
					clear(dst[:c.CI])
				} else {
					copy(dst[:c.CI], img[(y*c.W+x)*c.CI:])
				}
				dst = dst[c.CI:]
			}
		}
	}
}

// Do computes some rows of one image.
func (c *ConvTask) Do(w *Worker, i int) {
	switch c.phase {
	case phaseGather:
		c.gather(i)
		return
	case phasePack:
		k, j := c.KH*c.KW*c.CI, i*2*lanes()
		packB(c.panels[j*k:], c.Wt, false, c.CO, 0, k, j, min(2*lanes(), c.CO-j))
		return
	case phasePanel:
		c.panel(w, i)
		return
	}
	n, s := i/c.strips, i%c.strips
	if o0, o1 := c.stripRows(s); c.borderless() {
		c.depthwiseInPlace(w, n, o0, o1)
		return
	}
	x, pitch, o0, o1 := c.bordered(w, n, s)
	if c.Groups > 1 {
		c.grouped(w, x, pitch, n, o0, o1)
		return
	}
	k := c.KH * c.KW * c.CI
	for j, panel := 0, 2*lanes(); j < c.CO; j += panel {
		width := min(panel, c.CO-j)
		if len(c.panels) > 0 {
			c.columns(w, x, pitch, n, o0, o1, c.panels[j*k:(j+width)*k], width, j, width)
		} else {
			c.columns(w, x, pitch, n, o0, o1, c.Wt[j:], c.CO, j, width)
		}
	}
}

// panel computes one panel of output channels of some images.
func (c *ConvTask) panel(w *Worker, i int) {
	groups := (c.N + c.images - 1) / c.images
	j, n0, k := i/groups*2*lanes(), i%groups*c.images, c.KH*c.KW*c.CI
	width := min(2*lanes(), c.CO-j)
	var b []float32
	if len(c.panels) > 0 {
		b = c.panels[j*k : (j+width)*k]
	} else {
		b = w.Scratch(1, k*width)
		packB(b, c.Wt, false, c.CO, 0, k, j, width)
	}
	for n := n0; n < min(c.N, n0+c.images); n++ {
		for s := range c.strips {
			x, pitch, o0, o1 := c.bordered(w, n, s)
			c.columns(w, x, pitch, n, o0, o1, b, width, j, width)
		}
	}
}

// stripRows is the range of output rows of a strip.
func (c *ConvTask) stripRows(s int) (o0, o1 int) {
	return s * c.strip, min(c.OutH(), (s+1)*c.strip)
}

// bordered copies what a strip of output rows needs of image n, with its
// border, to the worker's memory.
func (c *ConvTask) bordered(w *Worker, n, s int) (x []float32, pitch, o0, o1 int) {
	o0, o1 = c.stripRows(s)
	y0 := o0*c.StrideH - c.PadT
	y1 := (o1-1)*c.StrideH - c.PadT + c.DilH*(c.KH-1) + 1
	pitch = (c.W + c.PadL + c.PadR) * c.CI
	x = w.Scratch(0, (y1-y0)*pitch+slack)
	padRows(x, c.X[n*c.H*c.W*c.CI:], c.H, c.W, c.CI, y0, y1, c.PadL, c.PadR)
	return x, pitch, o0, o1
}

// columns computes some output channels from j on in some rows of image n; b is
// their part of the weights, with rows ldb apart.
func (c *ConvTask) columns(w *Worker, x []float32, pitch, n, o0, o1 int, b []float32, ldb, j, width int) {
	oh, ow := c.OutH(), c.OutW()
	for y := o0; y < o1; y++ {
		at := ((n*oh+y)*ow)*c.CO + j
		c.row(w, x[(y-o0)*c.StrideH*pitch:], pitch, c.CI, c.CI, b, ldb, y, at, j, ow, width)
	}
}

// meet is the range of the taps of one dimension that meet the image at output
// place y.
func (c *Conv) meet(y, stride, pad, dil, taps, size int) (lo, hi int) {
	at := y*stride - pad
	for hi = taps; hi > 0 && at+(hi-1)*dil >= size; {
		hi--
	}
	for lo < hi && at+lo*dil < 0 {
		lo++
	}
	return lo, hi
}

// within is the range of kernel rows that meet the image in output row y; all
// of them where none does.
func (c *Conv) within(y int) (lo, hi int) {
	lo, hi = c.meet(y, c.StrideH, c.PadT, c.DilH, c.KH, c.H)
	if lo == hi {
		return 0, c.KH
	}
	return lo, hi
}

// row computes output row y for some columns: the input channels ci of a pixel
// begin at x and pixels are px floats apart. Rows of the kernel that meet only
// the border are left out.
func (c *ConvTask) row(w *Worker, x []float32, pitch, px, ci int, b []float32, ldb, y, at, j, ow, width int) {
	base := tile{Ais: 4 * c.StrideW * px, Aks: 4, Ldb: 4 * ldb, C: unsafe.Pointer(&c.Y[at]), Ldc: 4 * c.CO}
	lo, hi := c.within(y)
	if c.DilW == 1 && px == ci { // a row of the kernel is contiguous in both
		t := &w.tile
		*t = base
		t.Rows, t.K, t.Ars = hi-lo, c.KW*ci, 4*c.DilH*pitch
		t.A, t.B = unsafe.Pointer(&x[lo*c.DilH*pitch]), unsafe.Pointer(&b[lo*c.KW*ci*ldb])
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
	for ky := lo; ky < hi; ky++ {
		t := &w.tile
		*t = base
		t.Rows, t.K, t.Ars = c.KW, ci, 4*c.DilW*px
		t.A, t.B = unsafe.Pointer(&x[ky*c.DilH*pitch]), unsafe.Pointer(&b[ky*c.KW*ci*ldb])
		if ky > lo || c.Ep.Acc {
			t.Flags |= flagAcc
		}
		if ky == lo {
			t.Bias = first(c.Ep.Bias, j)
		}
		if ky == hi-1 {
			t.act(&c.Ep)
			if c.Ep.Res != nil {
				t.Res, t.Ldr = first(c.Ep.Res, at), 4*c.CO
			}
		}
		w.block(ow, width, 0)
	}
}
