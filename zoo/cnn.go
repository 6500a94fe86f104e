package zoo

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// cnn is a plain network of five convolutions in three stages, with batch
// normalisation, and a head behind the mean over the pixels.
func cnn(o Options, name string, width int, head func(b *net, x *graph.Value) (y *graph.Value, output string)) (*graph.Graph, error) {
	in, err := image(o.In, 3, 32, 32)
	if err != nil {
		return nil, err
	}
	if width < 1 {
		return nil, fmt.Errorf("a width of %d is not positive", width)
	}
	b, x := newNet(name, o, in...)
	y, output := head(b, b.pooled(b.stages(x, o.width(width))))
	return b.finish(y, output)
}

// stages are five convolutions of w, 2w, 2w, 4w, 4w channels; the second and
// the fourth halve height and width.
func (b *net) stages(x *graph.Value, w int) *graph.Value {
	for i, s := range []struct{ out, stride int }{{w, 1}, {2 * w, 2}, {2 * w, 1}, {4 * w, 2}, {4 * w, 1}} {
		x = b.torchBlock(fmt.Sprintf("features.%d", i), x, s.out, s.stride)
	}
	return x
}

// classes are logits, one a class.
func classes(n int) func(b *net, x *graph.Value) (*graph.Value, string) {
	return func(b *net, x *graph.Value) (*graph.Value, string) { return b.torchLinear("head", x, n), "logits" }
}

// attributes are probabilities, one an attribute that is present or not.
func attributes(n int) func(b *net, x *graph.Value) (*graph.Value, string) {
	return func(b *net, x *graph.Value) (*graph.Value, string) {
		return b.Op("Sigmoid", b.torchLinear("head", x, n)), "probabilities"
	}
}

// embedding is a vector of length 1, as torch.nn.functional.normalize writes
// it: x / max(|x|, 1e-12).
func embedding(n int) func(b *net, x *graph.Value) (*graph.Value, string) {
	return func(b *net, x *graph.Value) (*graph.Value, string) {
		x = b.torchLinear("head", x, n)
		length := b.Attr("ReduceL2", []graph.Attr{graph.MakeAttr("axes", []int{-1}), graph.MakeAttr("keepdims", 1)}, x)
		return b.Op("Div", x, b.Op("Clip", length, b.Scalar(1e-12, x))), "embedding"
	}
}

// imageTable takes an image and a row of a table: the features of both, put side
// by side, are classified by two layers.
func imageTable(o Options, width, columns int) (*graph.Graph, error) {
	in, err := image(o.In, 3, 24, 24)
	if err != nil {
		return nil, err
	}
	if width < 1 || columns < 1 {
		return nil, fmt.Errorf("a width of %d and %d columns: both are at least 1", width, columns)
	}
	b, x := newNet("image-table", o, in...)
	x.Name = "image"
	t := b.input("table", tensor.Float32, columns)
	w := o.width(width)
	x = b.pooled(b.stages(x, w))
	t = b.relu(b.torchLinear("table.0", t, 4*w))
	t = b.relu(b.torchLinear("table.1", t, 4*w))
	b.at("joined")
	x = b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 1)}, x, t)
	x = b.relu(b.torchLinear("joined.0", x, 4*w))
	return b.finish(b.torchLinear("joined.1", x, o.Classes), "logits")
}
