package zoo

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// What SSD's training does beside its encoding (Liu et al. 2016, section 2.2).
const (
	matchAt      = .5 // an anchor answers for a true box from this overlap on
	negativesPer = 3  // anchors without a box that count for each one with a box
)

// SSDLoss is the training loss of the detector ssd for an image size, as a graph
// of its own, so that any program that differentiates ONNX can train with it. It
// takes what the network gives and what is true, and makes one number:
//
//	boxes [N A 4], scores [N A classes+1]    the network's outputs, by these names
//	true_boxes [N M 4]                       left, top, right, bottom in shares
//	true_labels [N M], int64                 classes from 0; -1 behind the last box
//
// An anchor is matched with the true box that it overlaps most, if by one half or
// more; besides, every true box has the anchor that overlaps it most. The loss is
// the smooth L1 distance of the encoded boxes at matched anchors, and the
// cross-entropy of all matched anchors and of the hardest of the others, three
// for each match of the image and at least three, all divided by the number of
// matches in the batch (Liu et al. 2016, equations 1 to 3; they leave images
// without a box out).
func SSDLoss(o Options, boxes int) (*graph.Graph, error) {
	in, err := image(o.In, 3, 64, 64)
	if err != nil {
		return nil, err
	}
	if o.Classes < 1 || boxes < 1 {
		return nil, fmt.Errorf("%d classes and %d boxes an image: both are at least 1", o.Classes, boxes)
	}
	all := Anchors(in[1], in[2])
	a := all.Shape[0]
	b, pred := newNet("ssd-loss", o, a, 4)
	pred.Name = "boxes"
	scores := b.input("scores", tensor.Float32, a, o.Classes+1)
	truth := b.input("true_boxes", tensor.Float32, boxes, 4)
	labels := b.input("true_labels", tensor.Int64, boxes)

	l := &ssdLoss{net: b, anchors: all, one: b.Scalar(1, pred), zero: b.Scalar(0, pred)}
	matched, positive := l.match(truth, labels)
	b.at("localisation")
	want := b.encode(b.Op("MatMul", matched, truth), all)
	where := l.total(b.Op("Mul", l.smooth(b.Op("Sub", b.encode(pred, all), want)), b.Unsqueeze(positive, 2)))
	b.at("confidence")
	what := l.total(l.hardest(l.crossEntropy(scores, matched, labels, positive), positive))
	b.at("loss")
	matches := b.Op("Max", l.total(positive), l.one)
	return b.finish(b.Op("Div", b.Op("Add", where, what), matches), "loss")
}

// ssdLoss is a loss under construction.
type ssdLoss struct {
	*net
	anchors   *tensor.Tensor
	one, zero *graph.Value
}

// match gives for each anchor its true box, as a row that is 1 there and 0
// elsewhere ([N A M]), and whether it has one ([N A], 1 or 0).
func (b *ssdLoss) match(truth, labels *graph.Value) (matched, positive *graph.Value) {
	b.at("match")
	a, m := b.anchors.Shape[0], truth.Shape[1].Mul
	real := b.float(b.Op("GreaterOrEqual", labels, b.Scalar(0, labels)))
	overlap := b.Op("Mul", b.overlap(truth), b.Unsqueeze(real, 1)) // [N A M]
	best := b.oneHot(b.argMax(overlap, 1), a, 1)                   // of each box: [N A M]
	best = b.Op("Mul", best, b.Unsqueeze(real, 1))
	rank := b.Op("Add", overlap, b.Op("Mul", best, b.Scalar(2, overlap))) // a box's best anchor comes before all overlaps
	matched = b.oneHot(b.argMax(rank, 2), m, 2)
	most := b.Attr("ReduceMax", []graph.Attr{graph.MakeAttr("axes", []int{2}), graph.MakeAttr("keepdims", 0)}, rank)
	positive = b.float(b.Op("GreaterOrEqual", most, b.Scalar(matchAt, most)))
	return b.Op("Mul", matched, b.Unsqueeze(positive, 2)), positive
}

// overlap is the intersection over union of anchors and true boxes: [N A M].
func (b *ssdLoss) overlap(truth *graph.Value) *graph.Value {
	n := b.anchors.Shape[0]
	low, high := tensor.New(tensor.Float32, 1, n, 1, 2), tensor.New(tensor.Float32, 1, n, 1, 2)
	area := tensor.New(tensor.Float32, 1, n, 1)
	for i := range n {
		for k := range 2 {
			c, s := b.anchors.F32()[4*i+k], b.anchors.F32()[4*i+2+k]
			low.F32()[2*i+k], high.F32()[2*i+k] = c-s/2, c+s/2
		}
		area.F32()[i] = b.anchors.F32()[4*i+2] * b.anchors.F32()[4*i+3]
	}
	t := b.Unsqueeze(truth, 1) // [N 1 M 4]
	tl, th := b.pair(t, 0), b.pair(t, 1)
	both := b.sides(b.Op("Max", tl, b.fixed(low)), b.Op("Min", th, b.fixed(high)))
	either := b.Op("Sub", b.Op("Add", b.sides(tl, th), b.fixed(area)), both)
	return b.Op("Div", both, b.Op("Clip", either, b.Scalar(1e-9, either)))
}

// sides is the area between corners [.. 2], 0 where they are crossed.
func (b *ssdLoss) sides(low, high *graph.Value) *graph.Value {
	s := b.relu(b.Op("Sub", high, low))
	side := func(k int) *graph.Value {
		return b.Attr("Gather", []graph.Attr{graph.MakeAttr("axis", -1)}, s, b.Const(index(int64(k))))
	}
	return b.Op("Mul", side(0), side(1))
}

// smooth is the smooth L1 distance, d^2/2 up to 1 and |d|-1/2 beyond.
func (b *ssdLoss) smooth(d *graph.Value) *graph.Value {
	d = b.Op("Abs", d)
	near := b.Op("Min", d, b.one)
	return b.Op("Mul", near, b.Op("Sub", d, b.Op("Mul", near, b.Scalar(.5, d))))
}

// crossEntropy is that of each anchor, whose class is that of its true box, or
// the first: [N A].
func (b *ssdLoss) crossEntropy(scores, matched, labels, positive *graph.Value) *graph.Value {
	classes := features(scores)
	of := b.oneHot(b.Op("Max", labels, b.Scalar(0, labels)), classes-1, -1) // [N M classes]
	class := b.Op("MatMul", matched, of)
	none := b.Unsqueeze(b.Op("Sub", b.one, positive), 2)
	class = b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 2)}, none, class)
	p := b.Attr("LogSoftmax", []graph.Attr{graph.MakeAttr("axis", -1)}, scores)
	return b.Op("Neg", b.Sum(b.Op("Mul", p, class), false, 2))
}

// hardest keeps the loss of matched anchors and of the others with the largest.
func (b *ssdLoss) hardest(loss, positive *graph.Value) *graph.Value {
	a := b.anchors.Shape[0]
	rest := b.Op("Mul", loss, b.Op("Sub", b.one, positive))
	most := b.Node("", "TopK", 2, []*graph.Value{rest, b.Ints(a)}, graph.MakeAttr("axis", 1)).Outputs[0]
	count := b.Op("Mul", b.Op("Max", b.Sum(positive, true, 1), b.one), b.Scalar(negativesPer, loss))
	rank := tensor.New(tensor.Float32, 1, a)
	for i := range rank.F32() {
		rank.F32()[i] = float32(i)
	}
	kept := b.Op("Mul", most, b.float(b.Op("Less", b.fixed(rank), count)))
	return b.Op("Add", b.Op("Mul", loss, positive), kept)
}

func (b *ssdLoss) total(x *graph.Value) *graph.Value {
	return b.Attr("ReduceSum", []graph.Attr{graph.MakeAttr("keepdims", 0)}, x)
}

func (b *ssdLoss) float(x *graph.Value) *graph.Value {
	return b.Attr("Cast", []graph.Attr{graph.MakeAttr("to", tensor.Float32)}, x)
}

func (b *ssdLoss) argMax(x *graph.Value, axis int) *graph.Value {
	return b.Attr("ArgMax", []graph.Attr{graph.MakeAttr("axis", axis), graph.MakeAttr("keepdims", 0)}, x)
}

// oneHot puts an axis of n numbers, 1 at the index and 0 elsewhere.
func (b *ssdLoss) oneHot(x *graph.Value, n, axis int) *graph.Value {
	return b.Attr("OneHot", []graph.Attr{graph.MakeAttr("axis", axis)}, x, b.Const(index(int64(n))), b.Const(tensor.From([]float32{0, 1}, 2)))
}
