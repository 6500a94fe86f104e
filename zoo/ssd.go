package zoo

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// The variances of SSD's encoding (Liu et al. 2016, the authors' code): offsets
// of centres are divided by .1 times the anchor's size, logarithms of sizes by .2.
const (
	centreVariance = .1
	sizeVariance   = .2
)

// anchorSides are the sides of the square anchors of each scale, in steps of its
// grid; the grids have a step of 8 and of 16 pixels.
var anchorSides = []struct {
	step  int
	sides []float64
}{
	{8, []float64{1.25, 2}},
	{16, []float64{1.5, 2.25}},
}

// Anchors are the boxes that the detector of an image size starts from, as
// centre x, centre y, width and height, in shares of the image: [A 4], one scale
// after the other, row by row, the sides of a place together.
func Anchors(height, width int) *tensor.Tensor {
	var out []float32
	for _, s := range anchorSides {
		rows, columns := (height+s.step-1)/s.step, (width+s.step-1)/s.step
		for y := range rows {
			for x := range columns {
				for _, side := range s.sides {
					w, h := side*float64(s.step)/float64(width), side*float64(s.step)/float64(height)
					out = append(out, float32((float64(x)+.5)/float64(columns)), float32((float64(y)+.5)/float64(rows)), float32(w), float32(h))
				}
			}
		}
	}
	return tensor.From(out, len(out)/4, 4)
}

// anchors are a part of the anchors as a constant: of centres (0) or of sizes (1).
func (b *net) anchors(all *tensor.Tensor, part int) *graph.Value {
	n := all.Shape[0]
	t := tensor.New(tensor.Float32, 1, n, 2)
	for i := range n {
		copy(t.F32()[2*i:2*i+2], all.F32()[4*i+2*part:])
	}
	return b.fixed(t)
}

// ssd is a detector of one stage (Liu et al. 2016): convolutions down to two
// scales, and at each place of each, for each anchor, the offsets of a box and
// the scores of o.Classes classes and, first, of none. Its outputs are boxes
// [N A 4] as left, top, right, bottom in shares of the image, decoded from the
// anchors, and the logits of scores [N A classes+1].
func ssd(o Options, width int) (*graph.Graph, error) {
	in, err := image(o.In, 3, 64, 64)
	if err != nil {
		return nil, err
	}
	if width < 1 {
		return nil, fmt.Errorf("a width of %d is not positive", width)
	}
	b, x := newNet("ssd", o, in...)
	w := o.width(width)
	x = b.torchBlock("stem.0", x, w, 2)
	x = b.torchBlock("stem.1", x, 2*w, 1)
	x = b.torchBlock("stem.2", x, 2*w, 2)
	x = b.torchBlock("scale1.0", x, 4*w, 2)
	x = b.torchBlock("scale1.1", x, 4*w, 1)
	y := b.torchBlock("scale2.0", x, 4*w, 2)
	y = b.torchBlock("scale2.1", y, 4*w, 1)
	var offsets, scores []*graph.Value
	for i, f := range []*graph.Value{x, y} {
		k := len(anchorSides[i].sides)
		offsets = append(offsets, b.rows(fmt.Sprintf("boxes.%d", i), f, k, 4))
		scores = append(scores, b.rows(fmt.Sprintf("scores.%d", i), f, k, o.Classes+1))
	}
	join := []graph.Attr{graph.MakeAttr("axis", 1)}
	b.at("scores")
	s := b.Attr("Concat", join, scores...)
	b.at("boxes")
	boxes := b.decode(b.Attr("Concat", join, offsets...), Anchors(in[1], in[2]))
	return b.finishAll([]*graph.Value{boxes, s}, "boxes", "scores")
}

// rows is a convolution that makes n numbers for each of k anchors of a place:
// [N places*k n].
func (b *net) rows(name string, x *graph.Value, k, n int) *graph.Value {
	x = b.torchConv(name, x, k*n, 3, 1)
	x = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 3, 1})}, x)
	return b.Op("Reshape", x, b.Ints(0, -1, n))
}

// decode makes boxes of offsets [N A 4]: the centre moves by .1 of the anchor's
// size times the first two, the size grows by exp(.2 times the others).
func (b *net) decode(t *graph.Value, anchors *tensor.Tensor) *graph.Value {
	centre, size := b.anchors(anchors, 0), b.anchors(anchors, 1)
	c := b.Op("Add", centre, b.Op("Mul", b.Op("Mul", b.pair(t, 0), b.Scalar(centreVariance, t)), size))
	s := b.Op("Mul", b.Op("Exp", b.Op("Mul", b.pair(t, 1), b.Scalar(sizeVariance, t))), size)
	half := b.Op("Mul", s, b.Scalar(.5, t))
	return b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", -1)}, b.Op("Sub", c, half), b.Op("Add", c, half))
}

// encode is decode's inverse.
func (b *net) encode(boxes *graph.Value, anchors *tensor.Tensor) *graph.Value {
	centre, size := b.anchors(anchors, 0), b.anchors(anchors, 1)
	low, high := b.pair(boxes, 0), b.pair(boxes, 1)
	c := b.Op("Mul", b.Op("Add", low, high), b.Scalar(.5, boxes))
	s := b.Op("Clip", b.Op("Sub", high, low), b.Scalar(1e-6, boxes)) // padding has no size
	c = b.Op("Mul", b.Op("Div", b.Op("Sub", c, centre), size), b.Scalar(1/centreVariance, boxes))
	s = b.Op("Mul", b.Op("Log", b.Op("Div", s, size)), b.Scalar(1/sizeVariance, boxes))
	return b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", -1)}, c, s)
}

// fixed is a constant that is no weight: a node of its own, since readers take a
// float initialiser that is added or multiplied for a bias or a scale.
func (b *net) fixed(t *tensor.Tensor) *graph.Value {
	return b.Attr("Constant", []graph.Attr{graph.MakeAttr("value", t)})
}

// pair is the first (0) or second (1) half of four numbers.
func (b *net) pair(x *graph.Value, half int) *graph.Value {
	return b.Op("Slice", x, b.Ints(2*half), b.Ints(2*half+2), b.Ints(len(x.Shape)-1))
}
