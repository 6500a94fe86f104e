package objective

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

var (
	axisParam   = Param{Name: "axis", Whole: true, Doc: "axis of the classes, of the output as the network gives it; left out: the one that the target lacks, or the last"}
	ignoreClass = Param{Name: "ignore", Whole: true, Doc: "class number of places that do not count"}
	weightParam = Param{Name: "weights", List: true, Range: "[0,)", Doc: "weight of each class, w0:w1:…"}
)

// CrossEntropy is -log softmax(output)[class], its mean by the weights of the rows that
// count, as PyTorch's. Where no row counts it is 0.
var CrossEntropy = &Loss{
	Name: "cross-entropy", Paper: "Szegedy et al. 2016 (smoothing)",
	Doc:     "the negative logarithm of the softmax at the class: for networks that choose one of several classes, at one place or many",
	Outputs: []string{"output"}, Targets: []string{"class"}, Target: Classes, Layout: ByRows, Logits: "softmax",
	Params: []Param{
		{Name: "smoothing", Default: []float64{0}, Range: "[0,1)", Doc: "share of the target that is spread over all classes"},
		ignoreClass, weightParam, axisParam,
	},
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		return crossEntropy(b, out[0], target[0], p)
	},
}

func crossEntropy(b *op.Builder, out, class *graph.Value, p Params) (*graph.Value, error) {
	attrs := []graph.Attr{graph.MakeAttr("label_smoothing", p.Num("smoothing"))}
	if p.Has("ignore") {
		attrs = append(attrs, graph.MakeAttr("ignore_index", p.Int("ignore")))
	}
	if p.Has("weights") {
		w, err := classWeights(out, p)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, graph.MakeAttr("class_weights", w))
	}
	return b.Pare("SoftmaxCrossEntropy", attrs, out, class), nil
}

// classWeights are the weights of all classes.
func classWeights(out *graph.Value, p Params) ([]float32, error) {
	classes := out.Shape[len(out.Shape)-1]
	if v := p["weights"]; classes != graph.N(len(v)) {
		return nil, fmt.Errorf("weights: %d are given for the %v classes of output %q", len(v), classes, out.Name)
	}
	w := make([]float32, 0, len(p["weights"]))
	for _, x := range p["weights"] {
		w = append(w, float32(x))
	}
	return w, nil
}

// NLL is -output[class] of an output that is log-probabilities, its mean by the weights of
// the rows that count. Where no row counts it is 0.
var NLL = &Loss{
	Name:    "nll",
	Doc:     "the negative of the output at the class: for networks that give the logarithms of probabilities; one that ends in LogSoftmax may as well have cross-entropy",
	Outputs: []string{"output"}, Targets: []string{"class"}, Target: Classes, Layout: ByRows,
	Params: []Param{ignoreClass, weightParam, axisParam},
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		x, class := out[0], target[0]
		attrs := []graph.Attr{graph.MakeAttr("reduction", "mean")}
		if !p.Has("ignore") && !p.Has("weights") {
			return b.Attr("NegativeLogLikelihoodLoss", attrs, x, class), nil
		}
		attrs = []graph.Attr{graph.MakeAttr("reduction", "sum")}
		in := []*graph.Value{x, class}
		var weight *graph.Value
		if p.Has("weights") {
			w, err := classWeights(x, p)
			if err != nil {
				return nil, err
			}
			weight = b.Const(tensor.Vector(w...))
			in = append(in, weight)
		}
		var count *graph.Value
		if p.Has("ignore") {
			attrs = append(attrs, graph.MakeAttr("ignore_index", p.Int("ignore")))
			count, class = counts(b, class, p.Num("ignore"))
		}
		if weight != nil {
			if w := b.Op("Gather", weight, class); count == nil {
				count = w
			} else {
				count = b.Op("Mul", count, w)
			}
		}
		return share(b, b.Attr("NegativeLogLikelihoodLoss", attrs, in...), total(b, count)), nil
	},
}

// MSEClasses is the mean square of what differs from 1 at the class and 0 elsewhere.
var MSEClasses = &Loss{
	Name:    "mse-classes",
	Doc:     "the mean square of what differs from 1 for the class and 0 for all others: for small networks and old recipes",
	Outputs: []string{"output"}, Targets: []string{"class"}, Target: Classes, Layout: ByRows,
	Params: []Param{axisParam},
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		classes := out[0].Shape[1]
		if !classes.Known() {
			return nil, fmt.Errorf("the number of classes of output %q, %v, must be known", out[0].Name, out[0].Shape)
		}
		return mean(b, square(b, b.Op("Sub", out[0], oneHot(b, target[0], classes.Mul)))), nil
	},
}
