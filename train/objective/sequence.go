package objective

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
)

// NextToken is the cross-entropy of the output at each position with the token at the next
// one, its mean over the positions whose next token counts. Where none counts it is 0.
var NextToken = &Loss{
	Name:    "next-token",
	Doc:     "the cross-entropy of each position with the token behind it, of the network's own input or of a target that is like it: for language models",
	Outputs: []string{"output"}, Targets: []string{"token"}, Target: Tokens, Layout: InTime, Logits: "softmax",
	Params: []Param{
		{Name: "ignore", Default: []float64{-100}, Whole: true, Doc: "token that is not to be foretold, such as padding"},
		{Name: "smoothing", Default: []float64{0}, Range: "[0,1)", Doc: "share of the target that is spread over all tokens"},
	},
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		x, y := out[0], target[0]
		if !agree(x.Shape[:2], y.Shape) {
			return nil, fmt.Errorf("output %q has shape %v and token %q %v: the same positions are needed", x.Name, x.Shape, y.Name, y.Shape)
		}
		// The tokens move, which are fewer numbers than the scores; the last position has
		// none behind it.
		first := slice(b, y, 0, 1)
		last := b.Op("Where", b.Op("Equal", first, first), b.Scalar(p.Num("ignore"), first), first)
		y = b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 1)}, slice(b, y, 1, 1<<31-1), last)
		rows, err := Rows(b, x, 2)
		if err != nil {
			return nil, err
		}
		return crossEntropy(b, rows, b.Op("Reshape", y, b.Ints(-1)), p)
	},
}

// slice takes the positions from lo up to hi along axis 1.
func slice(b *op.Builder, x *graph.Value, lo, hi int) *graph.Value {
	if b.G.Version("") < 10 {
		return b.Attr("Slice", []graph.Attr{graph.MakeAttr("axes", []int{1}), graph.MakeAttr("starts", []int{lo}), graph.MakeAttr("ends", []int{hi})}, x)
	}
	return b.Op("Slice", x, b.Ints(lo), b.Ints(hi), b.Ints(1))
}

// CTC is the negative logarithm of the probability of a sequence of marks under all
// alignments with the steps, divided by the number of marks, the mean over samples.
var CTC = &Loss{
	Name: "ctc", Paper: "Graves et al. 2006",
	Doc:     "the negative logarithm of the probability of a sequence, over all its alignments with the steps of the output: for speech and handwriting",
	Outputs: []string{"output"}, Targets: []string{"sequence"}, Target: Tokens, Layout: InTime, Logits: "softmax",
	Params: []Param{
		{Name: "blank", Default: []float64{0}, Whole: true, Range: "[-1,)", Doc: "class that stands for no mark, -1 for the last; targets are padded with -1"},
		{Name: "zero-infinity", Default: []float64{0}, Whole: true, Range: "[0,1]", Doc: "1: sequences that are too long for the steps have no loss; 0: they are refused"},
	},
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		classes, blank := out[0].Shape[2], p.Int("blank")
		switch {
		case !classes.Known():
			return nil, fmt.Errorf("the number of classes of output %q, %v, must be known", out[0].Name, out[0].Shape)
		case blank >= classes.Mul:
			return nil, fmt.Errorf("blank=%d is not among the %d classes of output %q", blank, classes.Mul, out[0].Name)
		case blank < 0:
			blank = classes.Mul - 1
		}
		attrs := []graph.Attr{graph.MakeAttr("blank", blank), graph.MakeAttr("zero_infinity", p.Int("zero-infinity"))}
		return b.Pare("CTC", attrs, out[0], target[0]), nil
	},
}
