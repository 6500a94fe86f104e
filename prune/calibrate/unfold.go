package calibrate

import (
	"fmt"

	"pare/graph/op"
)

// unfold gives the windows of a convolution as rows of a matrix: for every image and
// place, what the kernel covers there, zeros where that is padding.
type unfold struct {
	channels int     // of a group
	all      int     // of the input
	size     int     // places of the input
	places   int     // of the output
	taps     int     // of the kernel
	at       []int32 // place of the input for a place of the output and a tap; -1: padding
}

// mostWindows bounds the table of an unfold: a convolution of 7x7 over 2000x2000 fits.
const mostWindows = 1 << 28

// conv lays a convolution out for an input [batch, channels, …].
func (s *Site) conv(x []int) (*product, error) {
	n := s.Node
	if len(x) != len(s.shape) || len(x) < 3 {
		return nil, fmt.Errorf("node %q: input %v and kernel %v do not go together", n.Name, x, s.shape)
	}
	w, err := op.WindowOf(n, s.shape[2:], x[2:])
	if err != nil {
		return nil, fmt.Errorf("node %q: %w", n.Name, err)
	}
	if w.Groups < 1 || s.shape[0]%w.Groups != 0 || x[1] != w.Groups*s.shape[1] {
		return nil, fmt.Errorf("node %q: input %v and kernel %v do not agree on channels", n.Name, x, s.shape)
	}
	u := &unfold{channels: s.shape[1], all: x[1], size: 1, places: 1, taps: 1}
	out := make([]int, len(w.Kernel))
	for i, k := range w.Kernel {
		if out[i], err = w.Out(i, x[i+2]); err != nil {
			return nil, fmt.Errorf("node %q: %w", n.Name, err)
		}
		u.size, u.places, u.taps = u.size*x[i+2], u.places*out[i], u.taps*k
	}
	if u.places > mostWindows/u.taps {
		return nil, fmt.Errorf("node %q: %d windows of %d are more than is looked into", n.Name, u.places, u.taps)
	}
	u.table(w, x[2:], out)
	p := &product{groups: w.Groups, rows: x[0] * u.places, outs: s.shape[0] / w.Groups, cols: s.shape[1] * u.taps, alpha: 1, window: u}
	for g := range p.groups {
		p.yg, p.wg = append(p.yg, g*p.outs*u.places), append(p.wg, g*p.outs*s.strides[0])
	}
	for o := range p.outs {
		p.yo, p.wo = append(p.yo, o*u.places), append(p.wo, o*s.strides[0])
	}
	for b := range x[0] {
		for i := range u.places {
			p.yn = append(p.yn, b*s.shape[0]*u.places+i)
		}
	}
	p.wk = []int{0}
	for d := 1; d < len(s.shape); d++ {
		next := make([]int, 0, len(p.wk)*s.shape[d])
		for _, o := range p.wk {
			for i := range s.shape[d] {
				next = append(next, o+i*s.strides[d])
			}
		}
		p.wk = next
	}
	return p, nil
}

// table finds the place of the input for every place of the output and every tap.
func (u *unfold) table(w *op.Window, in, out []int) {
	rank := len(in)
	o, k := make([]int, rank), make([]int, rank)
	u.at = make([]int32, u.places*u.taps)
	for p := range u.places {
		unflatten(p, out, o)
		for t := range u.taps {
			unflatten(t, w.Kernel, k)
			at := 0
			for d := range rank {
				i := o[d]*w.Stride[d] - w.Begin[d] + k[d]*w.Dilation[d]
				if i < 0 || i >= in[d] {
					at = -1
					break
				}
				at = at*in[d] + i
			}
			u.at[p*u.taps+t] = int32(at)
		}
	}
}

func unflatten(i int, shape, at []int) {
	for d := len(shape) - 1; d >= 0; d-- {
		at[d] = i % shape[d]
		i /= shape[d]
	}
}

// rows writes the windows lo to hi of a group, [hi-lo, channels*taps].
func (u *unfold) rows(x []float32, g, lo, hi int, dst []float32) {
	cols := u.channels * u.taps
	for n := lo; n < hi; n++ {
		at := u.at[n%u.places*u.taps:][:u.taps]
		image := x[(n/u.places*u.all+g*u.channels)*u.size:]
		row := dst[(n-lo)*cols : (n-lo+1)*cols]
		for c := range u.channels {
			plane := image[c*u.size : (c+1)*u.size]
			for t, i := range at {
				v := float32(0)
				if i >= 0 {
					v = plane[i]
				}
				row[c*u.taps+t] = v
			}
		}
	}
}
