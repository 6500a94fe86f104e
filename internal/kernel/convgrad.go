package kernel

import "unsafe"

// ConvInputGradTask computes dx from dy and w. The input's pixels fall into
// StrideH*StrideW phases; those of one phase meet the same taps of the kernel,
// so each phase is a convolution of dy with these taps turned round and their
// channels swapped. Groups and dilation take another way: dy is spread out by
// the stride and convolved with the whole kernel turned round.
type ConvInputGradTask struct {
	Conv
	DY, Wt, DX []float32
	Fixed      bool // the weights are those of the first run

	phased  bool
	turning bool
	panels  int       // pieces of an image by input channels
	flip    []float32 // [KH,KW,CO/G,CI]; phased: by phase, in panels
	gemm    GemmTask
}

// Run computes dx.
func (c *ConvInputGradTask) Run(p *Pool) {
	if c.pointwise() {
		m := c.N * c.H * c.W
		part := c.gemm.part
		c.gemm = GemmTask{TransB: true, M: m, N: c.CI, K: c.CO, A: c.DY, Lda: c.CO, B: c.Wt, Ldb: c.CO, C: c.DX, Ldc: c.CI, part: part}
		c.gemm.Run(p)
		return
	}
	turned := c.Fixed && c.flip != nil
	if n := c.KH * c.KW * c.CO / c.Groups * c.CI; len(c.flip) != n {
		c.flip = make([]float32, n)
	}
	c.phased = c.DilH == 1 && c.DilW == 1 && (c.Groups == 1 || c.depthwise() && c.StrideH*c.StrideW > 1)
	if !turned {
		c.turning = true
		p.Run(c.KH*c.KW, c)
		c.turning = false
	}
	c.panels = 1
	if c.phased && c.Groups == 1 && c.KH*c.KW*c.CI*c.CO >= 1<<17 {
		c.panels = (c.CI + 2*lanes() - 1) / (2 * lanes()) // each panel of heavy weights is read once
	}
	p.Run(c.N*c.panels, c)
}

// Do turns one tap round, or computes one image.
func (c *ConvInputGradTask) Do(w *Worker, i int) {
	switch {
	case c.turning && c.phased:
		c.turnPhased(i/c.KW, i%c.KW)
	case c.turning:
		c.turn(i)
	case c.phased:
		c.imagePhased(w, i%c.N, i/c.N)
	default:
		c.image(w, i)
	}
}

// phaseTaps is how many of k taps meet phase r of a stride.
func phaseTaps(k, r, stride int) int { return (k - r + stride - 1) / stride }

// phaseAt is where the taps of a phase begin in flip, in taps.
func (c *ConvInputGradTask) phaseAt(ry, rx int) int {
	n := 0
	for r := range ry {
		n += max(0, phaseTaps(c.KH, r, c.StrideH)) * c.KW
	}
	for r := range rx {
		n += max(0, phaseTaps(c.KH, ry, c.StrideH)) * max(0, phaseTaps(c.KW, r, c.StrideW))
	}
	return n
}

// turnPhased writes one tap in panels of two vectors of input channels, each
// [taps of the phase, CO, width].
func (c *ConvInputGradTask) turnPhased(ky, kx int) {
	ry, rx := ky%c.StrideH, kx%c.StrideW
	ty, tx := phaseTaps(c.KH, ry, c.StrideH), phaseTaps(c.KW, rx, c.StrideW)
	tap := (ty-1-ky/c.StrideH)*tx + tx - 1 - kx/c.StrideW
	mixed := c.CO / c.Groups // output channels that an input channel meets
	base := c.phaseAt(ry, rx) * mixed * c.CI
	src := c.Wt[(ky*c.KW+kx)*c.CI/c.Groups*c.CO:]
	if c.Groups > 1 {
		copy(c.flip[base+tap*c.CI:], src[:c.CI])
		return
	}
	for j, panel := 0, 2*lanes(); j < c.CI; j += panel {
		width := min(panel, c.CI-j)
		transpose(src[j*c.CO:], c.CO, c.flip[base+j*ty*tx*c.CO+tap*c.CO*width:], width, width, c.CO)
	}
}

// imagePhased computes one image, or one panel of its channels where these are
// done one by one, phase by phase.
func (c *ConvInputGradTask) imagePhased(w *Worker, n, piece int) {
	oh, ow := c.OutH(), c.OutW()
	top, left := phaseTaps(c.KH, 0, c.StrideH)-1, phaseTaps(c.KW, 0, c.StrideW)-1
	h, wd := (c.H-1+c.PadT)/c.StrideH+1, (c.W-1+c.PadL)/c.StrideW+1
	pitch := (wd + left) * c.CO
	buf := w.Scratch(0, (h+top)*pitch+slack)
	padded(buf[top*pitch:], c.DY[n*oh*ow*c.CO:(n+1)*oh*ow*c.CO], oh, ow, wd, c.CO, h, left)
	clear(buf[:top*pitch])
	dx := c.DX[n*c.H*c.W*c.CI : (n+1)*c.H*c.W*c.CI]
	for ry := range c.StrideH {
		for rx := range c.StrideW {
			ty, tx := max(0, phaseTaps(c.KH, ry, c.StrideH)), max(0, phaseTaps(c.KW, rx, c.StrideW))
			y0, x0 := firstOf(ry, c.PadT, c.StrideH), firstOf(rx, c.PadL, c.StrideW)
			if x0 >= c.W || y0 >= c.H {
				continue
			}
			count := (c.W - x0 + c.StrideW - 1) / c.StrideW
			if ty == 0 || tx == 0 {
				for y := y0; y < c.H && piece == 0; y += c.StrideH {
					for x := x0; x < c.W; x += c.StrideW {
						clear(dx[(y*c.W+x)*c.CI : (y*c.W+x+1)*c.CI])
					}
				}
				continue
			}
			base := c.phaseAt(ry, rx) * c.CO / c.Groups * c.CI
			px := (x0+c.PadL-rx)/c.StrideW - (tx - 1) + left
			panel := 2 * lanes()
			if c.Groups > 1 {
				panel = c.CI
			}
			first, last := 0, c.CI
			if c.panels > 1 {
				first, last = piece*panel, min(c.CI, (piece+1)*panel)
			}
			for j := first; j < last; j += panel {
				width := min(panel, c.CI-j)
				for y := y0; y < c.H; y += c.StrideH {
					py := (y+c.PadT-ry)/c.StrideH - (ty - 1) + top
					lo, hi := max(0, top-py), min(ty, top+oh-py) // the taps that meet rows of dy
					if lo >= hi {
						lo, hi = 0, ty
					}
					t := &w.tile
					if c.Groups > 1 {
						*t = tile{Rows: hi - lo, K: tx, A: unsafe.Pointer(&buf[(py+lo)*pitch+px*c.CO]), Ars: 4 * pitch, Ais: 4 * c.CO, Aks: 4 * c.CO,
							B: unsafe.Pointer(&c.flip[base+lo*tx*c.CI]), Ldb: 4 * c.CI,
							C: unsafe.Pointer(&dx[(y*c.W+x0)*c.CI]), Ldc: 4 * c.StrideW * c.CI}
						w.channels(count, c.CI)
						continue
					}
					*t = tile{Rows: hi - lo, K: tx * c.CO, A: unsafe.Pointer(&buf[(py+lo)*pitch+px*c.CO]), Ars: 4 * pitch, Ais: 4 * c.CO, Aks: 4,
						B: unsafe.Pointer(&c.flip[base+(j*ty+lo*width)*tx*c.CO]), Ldb: 4 * width,
						C: unsafe.Pointer(&dx[(y*c.W+x0)*c.CI+j]), Ldc: 4 * c.StrideW * c.CI}
					w.block(count, width, 0)
				}
			}
		}
	}
}

// firstOf is the first place x >= 0 with (x+pad) mod stride = r.
func firstOf(r, pad, stride int) int { return ((r-pad)%stride + stride) % stride }

// turn writes one tap of the kernel turned round, input and output channels
// swapped within each group.
func (c *ConvInputGradTask) turn(t int) {
	g, ci, co := c.Groups, c.CI/c.Groups, c.CO/c.Groups
	taps := c.KH * c.KW
	src := c.Wt[t*ci*c.CO : (t+1)*ci*c.CO]
	dst := c.flip[(taps-1-t)*co*c.CI : (taps-t)*co*c.CI]
	for k := range g {
		transpose(src[k*co:], c.CO, dst[k*ci:], c.CI, ci, co)
	}
}

// mirror is the convolution that takes dy to dx where the stride is 1.
func (c *Conv) mirror() Conv {
	m := *c
	m.H, m.W, m.CI, m.CO = c.OutH(), c.OutW(), c.CO, c.CI
	m.PadT, m.PadB = c.DilH*(c.KH-1)-c.PadT, c.DilH*(c.KH-1)-c.PadB
	m.PadL, m.PadR = c.DilW*(c.KW-1)-c.PadL, c.DilW*(c.KW-1)-c.PadR
	return m
}

// image computes one image from dy spread out by the stride.
func (c *ConvInputGradTask) image(w *Worker, n int) {
	oh, ow := c.OutH(), c.OutW()
	if c.depthwise() && c.StrideH*c.StrideW == 1 && c.CI%lanes() == 0 {
		f := ConvTask{Conv: c.mirror(), X: c.DY, Wt: c.flip, Y: c.DX}
		f.depthwiseInPlace(w, n, 0, c.H)
		return
	}
	// input row y meets kernel row ky where y + PadT - ky*DilH is a multiple of
	// the stride
	top, left := c.DilH*(c.KH-1)-c.PadT, c.DilW*(c.KW-1)-c.PadL
	h, wd := c.H+c.DilH*(c.KH-1), c.W+c.DilW*(c.KW-1)
	pitch := wd * c.CO
	buf := w.Scratch(0, h*pitch+slack)
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
	for j := 0; j < c.CI; j += panel {
		width := min(panel, c.CI-j)
		for y := range c.H {
			f.row(w, buf[y*pitch:], pitch, c.CO, c.CO, c.flip[j:], c.CI, y, y*c.W*c.CI+j, j, c.W, width)
		}
	}
}

// padded copies an image [h, w, ch] behind left pixels of zeros in each of rows
// rows of width pixels more; what does not fit is left out, what is missing is
// zero.
func padded(dst, img []float32, h, w, width, ch, rows, left int) {
	pitch := (width + left) * ch
	n := min(w, width) * ch
	for y := range rows {
		row := dst[y*pitch : (y+1)*pitch]
		if y >= h {
			clear(row)
			continue
		}
		clear(row[:left*ch])
		copy(row[left*ch:left*ch+n], img[y*w*ch:])
		clear(row[left*ch+n:])
	}
}
