package op

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// DeformConv is a convolution whose taps are moved by offsets and weighed by a
// mask, both given for every place (Dai et al. 2017, Zhu et al. 2019).

// deformCase is the geometry, over two spatial axes.
type deformCase struct {
	*convCase
	groups, perGroup int // of offsets; input channels each
}

func deformOf(n *graph.Node, x, w, offset, mask []int) (*deformCase, error) {
	if len(x) != 4 {
		return nil, fmt.Errorf("input %v: only two spatial axes are defined", x)
	}
	c, err := convOf(n, x, w)
	if err != nil {
		return nil, err
	}
	d := &deformCase{convCase: c, groups: n.Int("offset_group", 1)}
	if d.groups < 1 || c.ci%d.groups != 0 {
		return nil, fmt.Errorf("%d channels do not divide into %d groups of offsets", c.ci, d.groups)
	}
	d.perGroup = c.ci / d.groups
	if want := []int{c.n, d.groups * c.k * 2, c.out[0], c.out[1]}; !slices.Equal(offset, want) {
		return nil, fmt.Errorf("offsets %v, %v are needed", offset, want)
	}
	if want := []int{c.n, d.groups * c.k, c.out[0], c.out[1]}; mask != nil && !slices.Equal(mask, want) {
		return nil, fmt.Errorf("mask %v, %v is needed", mask, want)
	}
	return d, nil
}

// deformSampler reads between pixels, and nothing beyond the border.
var deformSampler = GridSampler{mode: "linear", padding: "zeros"}

// DeformTaps adds to out the places around a coordinate in units of an axis of the given
// length, with weights and their derivatives.
func DeformTaps(x float64, length int, out []GridTap) []GridTap {
	first := len(out)
	// (2*x+1)/length - 1 is the number of the grid that names x
	out = deformSampler.Taps((2*x+1)/float64(length)-1, length, out)
	for i := range out[first:] {
		out[first+i].D *= 2 / float64(length)
	}
	return out
}

// each visits what one tap reads: offset group g, batch n, place o, tap k, place i of the
// input, its weight, and the derivatives by the two offsets.
func (d *deformCase) each(offset []float64, f func(n, g, o, k, i int, w, dr, dc float64)) {
	w := d.w
	for n := range d.n {
		for g := range d.groups {
			for k := range d.k {
				r, c := k/w.Kernel[1], k%w.Kernel[1]
				at := ((n*d.groups+g)*d.k + k) * 2 * d.outN
				for o := range d.outN {
					y := float64(o/d.out[1]*w.Stride[0]-w.Begin[0]+r*w.Dilation[0]) + offset[at+o]
					x := float64(o%d.out[1]*w.Stride[1]-w.Begin[1]+c*w.Dilation[1]) + offset[at+d.outN+o]
					for _, ty := range DeformTaps(y, d.in[0], nil) {
						for _, tx := range DeformTaps(x, d.in[1], nil) {
							if ty.At >= 0 && tx.At >= 0 {
								f(n, g, o, k, ty.At*d.in[1]+tx.At, ty.W*tx.W, ty.D*tx.W, ty.W*tx.D)
							}
						}
					}
				}
			}
		}
	}
}

// pairs visits the weights that join the channels of offset group g to the
// outputs: x is the input channel, w the weight's row, y the output channel.
func (d *deformCase) pairs(g int, f func(x, w, y int)) {
	for x := g * d.perGroup; x < (g+1)*d.perGroup; x++ {
		group := x / d.groupIn
		for y := group * d.groupOut; y < (group+1)*d.groupOut; y++ {
			f(x, (y*d.groupIn+x%d.groupIn)*d.k, y)
		}
	}
}

// deformArgs reads the inputs of the operator: x, w, offset, bias, mask.
func deformArgs(n *graph.Node, in []*tensor.Tensor) (*deformCase, [5][]float64, error) {
	var f [5][]float64
	var mask []int
	if m := arg(in, 4); m != nil {
		mask = m.Shape
	}
	d, err := deformOf(n, in[0].Shape, in[1].Shape, in[2].Shape, mask)
	if err != nil {
		return nil, f, err
	}
	for i := range f {
		if t := arg(in, i); t != nil {
			if f[i], err = floats(t); err != nil {
				return nil, f, err
			}
		}
	}
	if f[3] != nil && len(f[3]) != d.co {
		return nil, f, fmt.Errorf("bias of %d for %d channels", len(f[3]), d.co)
	}
	return d, f, nil
}

var _ = register(
	Def{Name: "DeformConv", Infer: inferDeform,
		Fits: func(n *graph.Node, in [][]int) error {
			var mask []int
			if len(in) > 4 {
				mask = in[4]
			}
			d, err := deformOf(n, in[0], in[1], in[2], mask)
			if err != nil {
				return err
			}
			return fitsVectors(in, d.co, 3)
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			d, f, err := deformArgs(n, in)
			if err != nil {
				return nil, err
			}
			y := make([]float64, d.n*d.co*d.outN)
			if f[3] != nil {
				for i := range y {
					y[i] = f[3][i/d.outN%d.co]
				}
			}
			d.each(f[2], func(n, g, o, k, i int, w, _, _ float64) {
				if f[4] != nil {
					w *= f[4][((n*d.groups+g)*d.k+k)*d.outN+o]
				}
				d.pairs(g, func(xc, wr, yc int) {
					y[(n*d.co+yc)*d.outN+o] += w * f[0][(n*d.ci+xc)*d.inN+i] * f[1][wr+k]
				})
			})
			return single(ofFloats(in[0].DType, d.shape(), y))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			in := []*graph.Value{dy[0], n.In(0), n.In(1), n.In(2), n.In(4)}
			g := b.Node(graph.Pare, "DeformConvGrad", 4, in, n.Attrs...)
			out := []*graph.Value{g.Outputs[0], g.Outputs[1], g.Outputs[2], nil, nil}
			if n.In(3) != nil {
				out[3] = sumChannels(b, dy[0])
			}
			if n.In(4) != nil {
				out[4] = g.Outputs[3]
			}
			return out, nil
		},
		MACs: func(n *graph.Node) int64 {
			y, w := n.Out(0).Shape, n.In(1).Shape
			return int64(y.Size(0, len(y)).Times(w.Size(1, len(w))).Mul)
		}},

	// DeformConvGrad(dy, x, w, offset, mask) gives dx, dw, doffset and dmask.
	Def{Domain: graph.Pare, Name: "DeformConvGrad",
		Infer: func(c *Infer) error {
			for i := range 4 {
				c.Out(i, c.DType(1), c.Shape(i+1))
			}
			if c.Node.In(4) == nil { // there is no mask: what is given for it is not read
				c.Out(3, c.DType(1), graph.Shape{})
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			d, f, err := deformArgs(n, []*tensor.Tensor{in[1], in[2], in[3], nil, arg(in, 4)})
			if err != nil {
				return nil, err
			}
			dy, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			if len(dy) != d.n*d.co*d.outN {
				return nil, fmt.Errorf("gradient %v does not fit an output of %v", in[0].Shape, d.shape())
			}
			dx, dw, do, dm, ms := make([]float64, len(f[0])), make([]float64, len(f[1])), make([]float64, len(f[2])), []float64{0}, []int{}
			if f[4] != nil {
				dm, ms = make([]float64, len(f[4])), in[4].Shape
			}
			d.each(f[2], func(n, g, o, k, i int, w, dr, dc float64) {
				mi, m := ((n*d.groups+g)*d.k+k)*d.outN+o, 1.0
				if f[4] != nil {
					m = f[4][mi]
				}
				sum := 0.0 // the derivative by w*m
				d.pairs(g, func(xc, wr, yc int) {
					u := dy[(n*d.co+yc)*d.outN+o]
					xi := (n*d.ci+xc)*d.inN + i
					dx[xi] += u * w * m * f[1][wr+k]
					dw[wr+k] += u * w * m * f[0][xi]
					sum += u * f[0][xi] * f[1][wr+k]
				})
				at := ((n*d.groups+g)*d.k+k)*2*d.outN + o
				do[at] += sum * m * dr
				do[at+d.outN] += sum * m * dc
				if f[4] != nil {
					dm[mi] += sum * w
				}
			})
			return several(in[1].DType, [][]int{in[1].Shape, in[2].Shape, in[3].Shape, ms}, dx, dw, do, dm)
		}},
)

func inferDeform(c *Infer) error {
	if _, err := c.In(2); err != nil {
		return err
	}
	m := &Infer{Node: &graph.Node{Op: "Conv", Attrs: c.Node.Attrs, Inputs: c.Node.Inputs[:2], Outputs: c.Node.Outputs}, Opset: c.Opset, dims: c.dims}
	return inferConv(m)
}
