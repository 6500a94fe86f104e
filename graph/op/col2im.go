package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// Col2Im adds the columns [N C*block L] of a sliding window up to images
// [N C …]; Im2Col of the pare domain, its gradient, takes them out.

// colCase is the geometry of the two.
type colCase struct {
	w               *Window
	image, places   []int
	k, pixels, cols int
}

func colOf(n *graph.Node, image, block []int) (*colCase, error) {
	if len(image) == 0 || len(image) != len(block) {
		return nil, fmt.Errorf("image_shape %v and block_shape %v must be of one length, 1 or more", image, block)
	}
	for _, b := range block {
		if b < 1 {
			return nil, fmt.Errorf("block_shape %v must be positive", block)
		}
	}
	w, err := WindowOf(n, block, image)
	if err != nil {
		return nil, err
	}
	c := &colCase{w: w, image: image, places: make([]int, len(image))}
	for i, d := range image {
		if c.places[i], err = w.Out(i, d); err != nil {
			return nil, err
		}
	}
	var ok [3]bool
	c.k, ok[0] = tensor.Size(block)
	c.pixels, ok[1] = tensor.Size(image)
	c.cols, ok[2] = tensor.Size(c.places)
	if !ok[0] || !ok[1] || !ok[2] {
		return nil, fmt.Errorf("an image of %v and blocks of %v are too large", image, block)
	}
	return c, nil
}

// colArgs reads image_shape and block_shape.
func colArgs(n *graph.Node, image, block *tensor.Tensor) (*colCase, error) {
	im, err := intsOf(image)
	if err != nil {
		return nil, err
	}
	bl, err := intsOf(block)
	if err != nil {
		return nil, err
	}
	return colOf(n, im, bl)
}

var _ = register(
	Def{Name: "Col2Im",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			if x.Shape != nil && len(x.Shape) != 3 {
				return fmt.Errorf("columns %v are not [N C*block L]", x.Shape)
			}
			image, ok := c.Contents(1)
			block, known := c.Ints(2)
			if !ok || !known || x.Shape == nil {
				c.Out(0, x.DType, nil)
				return nil
			}
			ch, exact := x.Shape[1].Over(graph.N(prod(block)))
			if !exact {
				if x.Shape[1].Known() {
					return fmt.Errorf("%v channels are not a multiple of the block %v", x.Shape[1], block)
				}
				ch = unknownDim(c, 0, 1)
			}
			c.Out(0, x.DType, append(graph.Shape{x.Shape[0], ch}, image...))
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			c, err := colArgs(n, in[1], in[2])
			if err != nil {
				return nil, err
			}
			s := in[0].Shape
			if len(s) != 3 || s[1]%c.k != 0 || s[2] != c.cols {
				return nil, fmt.Errorf("columns %v do not fit an image of %v with %d places", s, c.image, c.cols)
			}
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			out, err := alloc(in[0].DType, append([]int{s[0], s[1] / c.k}, c.image...)...)
			if err != nil {
				return nil, err
			}
			y := make([]float64, out.Len())
			c.w.visit(c.image, c.places, func(o, i, tap int) {
				for r := range s[0] * s[1] / c.k {
					y[r*c.pixels+i] += x[(r*c.k+tap)*c.cols+o]
				}
			})
			return single(out, fill(out, y))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("Im2Col", n.Attrs, dy[0], n.In(1), n.In(2), n.In(0)), nil, nil}, nil
		}},

	// Im2Col(images, image_shape, block_shape, like) has the shape of like.
	Def{Domain: graph.Pare, Name: "Im2Col",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(3)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			c, err := colArgs(n, in[1], in[2])
			if err != nil {
				return nil, err
			}
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			y := make([]float64, in[3].Len())
			if rows := in[3].Len() / max(1, c.k*c.cols); rows*c.pixels != len(x) {
				return nil, fmt.Errorf("images %v do not fit columns %v", in[0].Shape, in[3].Shape)
			}
			c.w.visit(c.image, c.places, func(o, i, tap int) {
				for r := range len(x) / c.pixels {
					y[(r*c.k+tap)*c.cols+o] = x[r*c.pixels+i]
				}
			})
			return single(ofFloats(in[0].DType, in[3].Shape, y))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Attr("Col2Im", n.Attrs, dy[0], n.In(1), n.In(2)), nil, nil, nil}, nil
		}},

	// CenterCropPad crops or pads axes about their middle.
	Def{Name: "CenterCropPad",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			d, ok := c.Contents(1)
			if x.Shape == nil {
				c.Out(0, x.DType, nil)
				return nil
			}
			as, err := cropAxes(c.Node, len(x.Shape))
			if err != nil {
				return err
			}
			if ok && len(d) != len(as) {
				return fmt.Errorf("%d sizes for %d axes", len(d), len(as))
			}
			out := append(graph.Shape{}, x.Shape...)
			for i, a := range as {
				if out[a] = unknownDim(c, 0, a); ok {
					out[a] = d[i]
				}
			}
			c.Out(0, x.DType, out)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			size, err := intsOf(in[1])
			if err != nil {
				return nil, err
			}
			as, err := cropAxes(n, in[0].Rank())
			if err != nil {
				return nil, err
			}
			if len(size) != len(as) {
				return nil, fmt.Errorf("%d sizes for %d axes", len(size), len(as))
			}
			out, shift := append([]int{}, in[0].Shape...), make([]int, in[0].Rank())
			for i, a := range as {
				if out[a] = size[i]; size[i] < 0 {
					return nil, fmt.Errorf("size %d of axis %d is negative", size[i], a)
				}
				if in[0].Shape[a] >= size[i] {
					shift[a] = (in[0].Shape[a] - size[i]) / 2
				} else {
					shift[a] = -((size[i] - in[0].Shape[a]) / 2)
				}
			}
			idx, st := make([]int, len(out)), tensor.Strides(in[0].Shape)
			return single(take(in[0], out, func(i int) int {
				unflatten(i, out, idx)
				at := 0
				for d, k := range idx {
					if k += shift[d]; k < 0 || k >= in[0].Shape[d] {
						return -1
					}
					at += (idx[d] + shift[d]) * st[d]
				}
				return at
			}))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			// undone by cropping where it padded, and the other way round
			as := n.Attrs
			shape := b.Op("Shape", n.In(0))
			if axes := n.Ints("axes"); axes != nil {
				shape = b.Op("Gather", shape, b.Ints(axes...))
			}
			return []*graph.Value{b.Attr("CenterCropPad", as, dy[0], shape), nil}, nil
		}},
)

func cropAxes(n *graph.Node, rank int) ([]int, error) {
	as := n.Ints("axes")
	if as == nil {
		for d := range rank {
			as = append(as, d)
		}
	}
	return axes(as, rank)
}
