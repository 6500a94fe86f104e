package kernel

import "unsafe"

// ByteDepthwise is a convolution of unsigned bytes with one kernel for each channel.
// Outside the image lies Zero, as in ByteConv.
type ByteDepthwise struct {
	Conv
	X    []byte
	Zero byte
	Y    []byte
	*DepthwiseBytes

	strip int
}

// DepthwiseBytes holds weights of a depthwise convolution and what becomes of its sums.
type DepthwiseBytes struct {
	q       Requant
	taps    int
	plain   []int8    // [taps, channels]
	woven   []byte    // for each 64 channels and each four taps [4, 64]
	bias    []int32   // for each 64 channels, in the order of the weave
	scale   []float32 // the same
	channel int
}

// depthwiseBlock is how many channels are computed at once.
const depthwiseBlock = 64

// wovenAt is the channel of a block at place i of the order that weaving makes.
func wovenAt(i int) int { return i%16/4*16 + i/16*4 + i%4 }

// PackDepthwise lays out weights [channels, taps]. q.Add must be 0.
func PackDepthwise(channels, taps int, w []int8, q Requant) *DepthwiseBytes {
	d := &DepthwiseBytes{q: q, taps: taps, channel: channels, plain: make([]int8, channels*taps)}
	blocks, groups := (channels+depthwiseBlock-1)/depthwiseBlock, (taps+3)/4
	d.woven = make([]byte, blocks*groups*4*depthwiseBlock)
	d.bias, d.scale = make([]int32, blocks*depthwiseBlock), make([]float32, blocks*depthwiseBlock)
	for c := range channels {
		for t := range taps {
			d.plain[t*channels+c] = w[c*taps+t]
		}
	}
	for i := range blocks * depthwiseBlock {
		c := i/depthwiseBlock*depthwiseBlock + wovenAt(i%depthwiseBlock)
		if c >= channels {
			continue
		}
		d.bias[i], d.scale[i] = q.Bias[c], q.Scale[c]
		for t := range taps {
			at := (i/depthwiseBlock*groups+t/4)*4*depthwiseBlock + i%depthwiseBlock*4 + t%4
			d.woven[at] = byte(w[c*taps+t])
		}
	}
	return d
}

// depthwiseTile is the argument of the kernel; the order of its fields is known to the
// generator.
type depthwiseTile struct {
	X            unsafe.Pointer
	Pixels, Step int
	Taps         unsafe.Pointer
	Groups       int
	Weights      unsafe.Pointer
	Bias, Scale  unsafe.Pointer
	Out          unsafe.Pointer
	OutStep      int
	Mask         uint64
	Lo, Hi       float32
	Zero         int32
	_            int32
}

// Run computes the convolution.
func (c *ByteDepthwise) Run(p *Pool) {
	c.strip = 8
	p.Run(c.N*((c.OutH()+c.strip-1)/c.strip), c)
}

// Do computes some rows of one image.
func (c *ByteDepthwise) Do(w *Worker, i int) {
	strips := (c.OutH() + c.strip - 1) / c.strip
	n, o0 := i/strips, i%strips*c.strip
	o1 := min(o0+c.strip, c.OutH())
	y0, y1 := o0*c.StrideH-c.PadT, (o1-1)*c.StrideH-c.PadT+c.DilH*(c.KH-1)+1
	width := c.W + c.PadL + c.PadR
	pitch := width * c.CI
	x := w.bytes((y1-y0)*pitch + depthwiseBlock)
	for y := y0; y < y1; y++ {
		row := x[(y-y0)*pitch:][:pitch]
		if y < 0 || y >= c.H {
			fillBytes(row, c.Zero)
			continue
		}
		fillBytes(row[:c.PadL*c.CI], c.Zero)
		copy(row[c.PadL*c.CI:], c.X[(n*c.H+y)*c.W*c.CI:][:c.W*c.CI])
		fillBytes(row[(c.PadL+c.W)*c.CI:], c.Zero)
	}
	if cap(w.taps) < c.taps+3 {
		w.taps = make([]int, c.taps+3)
	}
	taps := w.taps[:(c.taps+3)/4*4]
	for t := range taps {
		if taps[t] = 0; t < c.taps {
			taps[t] = t/c.KW*c.DilH*pitch + t%c.KW*c.DilW*c.CI
		}
	}
	for oy := o0; oy < o1; oy++ {
		at := x[(oy-o0)*c.StrideH*pitch:]
		y := c.Y[((n*c.OutH()+oy)*c.OutW())*c.CO:][:c.OutW()*c.CO]
		if !c.rowVec(w, at, y, taps) {
			c.goRow(w, at, y, taps)
		}
	}
}

// goRow is the definition of a row in plain Go.
func (c *ByteDepthwise) goRow(w *Worker, x, y []byte, taps []int) {
	for ox := range c.OutW() {
		at := x[ox*c.StrideW*c.CI:]
		for j := range c.CI {
			s := int32(0)
			for t, off := range taps[:c.taps] {
				s += int32(at[off+j]) * int32(c.plain[t*c.CI+j])
			}
			y[ox*c.CI+j] = c.q.round(float32(s+c.q.Bias[j]) * c.q.Scale[j])
		}
	}
}
