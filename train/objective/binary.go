package objective

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

var ignoreNumber = Param{Name: "ignore", Doc: "target of places that do not count"}

// BCE is the binary cross-entropy of sigmoid(output) and targets in [0,1], its mean over the
// places that count. Where none counts it is 0.
var BCE = &Loss{
	Name:    "bce",
	Doc:     "the binary cross-entropy of the sigmoid and targets from 0 to 1: for several labels at once, and for masks",
	Outputs: []string{"output"}, Targets: []string{"target"}, Target: Numbers, Layout: Alike, Logits: "sigmoid",
	Params: []Param{
		{Name: "pos-weight", List: true, Range: "(0,)", Doc: "weight of targets that are 1, a number for all or one for each channel (axis 1), p0:p1:…"},
		ignoreNumber,
	},
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		x, z := out[0], target[0]
		var mask *graph.Value
		if p.Has("ignore") {
			mask, z = counts(b, z, p.Num("ignore"))
		}
		var loss *graph.Value
		if p.Has("pos-weight") {
			// (1-z)·x + (1+(w-1)·z)·log(1+exp(-x))
			more, err := channelWeights(b, x, p["pos-weight"])
			if err != nil {
				return nil, err
			}
			by := plus(b, b.Op("Mul", z, more), 1)
			loss = b.Op("Add", b.Op("Mul", minusFrom(b, 1, z), x), b.Op("Mul", by, b.Op("Softplus", b.Op("Neg", x))))
		} else {
			loss = b.Op("Sub", b.Op("Softplus", x), b.Op("Mul", x, z))
		}
		if mask == nil {
			return mean(b, loss), nil
		}
		return share(b, total(b, b.Op("Mul", loss, mask)), total(b, mask)), nil
	},
}

// channelWeights is w-1 in a shape that goes along axis 1 of x.
func channelWeights(b *op.Builder, x *graph.Value, w []float64) (*graph.Value, error) {
	if len(w) == 1 {
		return b.Scalar(w[0]-1, x), nil
	}
	if len(x.Shape) < 2 || x.Shape[1] != graph.N(len(w)) {
		return nil, fmt.Errorf("pos-weight: %d weights are given for the channels (axis 1) of output %q, which has shape %v", len(w), x.Name, x.Shape)
	}
	shape := make([]int, len(x.Shape)-1)
	for i := range shape {
		shape[i] = 1
	}
	shape[0] = len(w)
	t := tensor.New(tensor.Float32, shape...)
	for i, v := range w {
		t.F32()[i] = float32(v - 1)
	}
	return b.Const(t), nil
}

var smoothParam = Param{Name: "smooth", Default: []float64{1}, Range: "(0,)", Doc: "what is added above and below, so that empty masks have a value"}

// Dice is 1 - (2·sum(p·z)+s)/(sum(p)+sum(z)+s) of p = sigmoid(output), the sums over all
// axes of a sample from the given one on, the mean over the rest.
var Dice = &Loss{
	Name: "dice", Paper: "Milletari et al. 2016",
	Doc:     "one less the overlap of the sigmoid with a mask: for masks, few of whose places are 1",
	Outputs: []string{"output"}, Targets: []string{"target"}, Target: Numbers, Layout: Alike, Logits: "sigmoid",
	Params: []Param{smoothParam, ignoreNumber,
		{Name: "from", Default: []float64{1}, Whole: true, Range: "[0,)", Doc: "first axis that sums run over: 0 for one overlap of the whole batch, 1 for one of each sample, 2 for one of each channel"}},
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		x, z := b.Op("Sigmoid", out[0]), target[0]
		if p.Has("ignore") {
			var mask *graph.Value
			mask, z = counts(b, z, p.Num("ignore"))
			x, z = b.Op("Mul", x, mask), b.Op("Mul", z, mask)
		}
		from := p.Int("from")
		if from >= len(out[0].Shape) {
			return nil, fmt.Errorf("from=%d is no axis of output %q, which has shape %v", from, out[0].Name, out[0].Shape)
		}
		var axes []int
		for a := from; a < len(out[0].Shape); a++ {
			axes = append(axes, a)
		}
		return dice(b, x, z, p.Num("smooth"), axes), nil
	},
}

// DiceClasses is Dice of the softmax over classes with 1 for the class and 0 elsewhere, for
// each class over all places, the mean over the classes.
var DiceClasses = &Loss{
	Name: "dice-classes", Paper: "Milletari et al. 2016",
	Doc:     "one less the overlap of the softmax with each class's places, the mean over the classes: for segmentation with classes of unlike size",
	Outputs: []string{"output"}, Targets: []string{"class"}, Target: Classes, Layout: ByRows, Logits: "softmax",
	Params: []Param{smoothParam, ignoreClass, axisParam},
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		x, class := b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", -1)}, out[0]), target[0]
		classes := out[0].Shape[1]
		if !classes.Known() {
			return nil, fmt.Errorf("the number of classes of output %q, %v, must be known", out[0].Name, out[0].Shape)
		}
		var mask *graph.Value
		if p.Has("ignore") {
			mask, class = counts(b, class, p.Num("ignore"))
			mask = b.Unsqueeze(mask, 1)
		}
		z := oneHot(b, class, classes.Mul)
		if mask != nil {
			x, z = b.Op("Mul", x, mask), b.Op("Mul", z, mask)
		}
		return dice(b, x, z, p.Num("smooth"), []int{0}), nil
	},
}

func dice(b *op.Builder, x, z *graph.Value, smooth float64, axes []int) *graph.Value {
	both := b.Sum(b.Op("Mul", x, z), false, axes...)
	each := b.Op("Add", b.Sum(x, false, axes...), b.Sum(z, false, axes...))
	return minusFrom(b, 1, mean(b, b.Op("Div", plus(b, times(b, both, 2), smooth), plus(b, each, smooth))))
}
