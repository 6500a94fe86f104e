package engine

import (
	"pare/graph/op"
	"pare/internal/kernel"
)

// convOf is a window over one or two spatial axes as the kernels have it: one axis
// makes images of one row.
func convOf(n, ci, co int, in []int, w *op.Window) kernel.Conv {
	c := kernel.Conv{N: n, H: 1, W: in[len(in)-1], CI: ci, CO: co, KH: 1, StrideH: 1, DilH: 1, Groups: w.Groups}
	k := len(in) - 1
	c.KW, c.StrideW, c.DilW, c.PadL, c.PadR = w.Kernel[k], w.Stride[k], w.Dilation[k], w.Begin[k], w.End[k]
	if k--; k >= 0 {
		c.H, c.KH, c.StrideH, c.DilH, c.PadT, c.PadB = in[k], w.Kernel[k], w.Stride[k], w.Dilation[k], w.Begin[k], w.End[k]
	}
	return c
}

// depth is the first of three spatial axes of a convolution, which becomes one over
// images: for each place of the window along the depth there is one image, whose
// channels are those of all slices that the window meets there, [C, kernel]. A weight
// [CO, C, kernel, KH, KW] is one over these channels as it lies.
type depth struct {
	in, out                  int // slices, and places of the window
	kernel, stride, dil, pad int
	n, pixels, c             int
	x, y                     []float32 // [N, in, pixels, C] and [N, out, pixels, C, kernel]
	back                     bool
}

// trivial says whether the images are the slices as they lie.
func (d *depth) trivial() bool {
	return d == nil || d.kernel == 1 && d.stride == 1 && d.in == d.out && d.pad == 0
}

// images is the size of the images in floats.
func (d *depth) images() int { return d.n * d.out * d.pixels * d.c * d.kernel }

// gather writes the images.
func (d *depth) gather(p *kernel.Pool) { d.back = false; p.Run(d.n*d.out, d) }

// gatherPlanes is gather from x [N, C, in, pixels] to y [N, out, C, kernel, pixels].
func (d *depth) gatherPlanes(p *kernel.Pool) { p.Run(d.n*d.out, planesOf{d}) }

type planesOf struct{ *depth }

// Do makes the planes of one image.
func (d planesOf) Do(w *kernel.Worker, i int) {
	n, o := i/d.out, i%d.out
	y := d.y[i*d.c*d.kernel*d.pixels:]
	for c := range d.c {
		for k := range d.kernel {
			at := o*d.stride - d.pad + k*d.dil
			if at < 0 || at >= d.in {
				clear(y[:d.pixels])
			} else {
				copy(y[:d.pixels], d.x[((n*d.c+c)*d.in+at)*d.pixels:])
			}
			y = y[d.pixels:]
		}
	}
}

// scatter is its transpose: it adds up in x what the images hold.
func (d *depth) scatter(p *kernel.Pool) { d.back = true; p.Run(d.n*d.in, d) }

// Do makes one image, or back one slice.
func (d *depth) Do(w *kernel.Worker, i int) {
	if d.back {
		d.slice(i/d.in, i%d.in)
		return
	}
	n, o := i/d.out, i%d.out
	y := d.y[i*d.pixels*d.c*d.kernel : (i+1)*d.pixels*d.c*d.kernel]
	for k := range d.kernel {
		at := o*d.stride - d.pad + k*d.dil
		if at < 0 || at >= d.in {
			for j := k; j < len(y); j += d.kernel {
				y[j] = 0
			}
			continue
		}
		x := d.x[(n*d.in+at)*d.pixels*d.c:][:d.pixels*d.c]
		j := k
		for _, v := range x {
			y[j] = v
			j += d.kernel
		}
	}
}

// slice adds up what the images have of one slice, in the order of the images.
func (d *depth) slice(n, i int) {
	x := d.x[(n*d.in+i)*d.pixels*d.c:][:d.pixels*d.c]
	clear(x)
	for k := range d.kernel {
		o := i + d.pad - k*d.dil
		if o < 0 || o%d.stride != 0 || o/d.stride >= d.out {
			continue
		}
		y := d.y[(n*d.out+o/d.stride)*d.pixels*d.c*d.kernel:]
		j := k
		for e := range x {
			x[e] += y[j]
			j += d.kernel
		}
	}
}
