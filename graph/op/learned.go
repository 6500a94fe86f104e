package op

import (
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// LearnedDomain is that of the operators of classical machine learning, which stand
// before and behind networks (https://github.com/onnx/onnx/blob/main/docs/Operators-ml.md).
const LearnedDomain = "ai.onnx.ml"

// learned are those that are written out.
var learned = map[string]contrib{
	"ArrayFeatureExtractor": func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
		x, at := n.In(0), n.In(1)
		if rank(x) < 1 || at == nil {
			return nil, fmt.Errorf("its rank is not known")
		}
		if rank(x) == 1 {
			x = b.Unsqueeze(x, 0)
		}
		return one(b.Attr("Gather", []graph.Attr{graph.MakeAttr("axis", -1)}, x, b.Op("Reshape", at, b.Ints(-1))))
	},
	"Binarizer": func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
		x := n.In(0)
		return one(cast(b, b.Op("Greater", x, b.Scalar(float64(n.Float("threshold", 0)), x)), x.DType))
	},
	"FeatureVectorizer": features,
	"Imputer":           imputed,
	"LinearClassifier":  linearClasses,
	"LinearRegressor":   linearTargets,
	"Normalizer":        rowsNormalised,
	"Scaler": func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
		offset, scale := floatsAttr(n, "offset"), floatsAttr(n, "scale")
		if offset == nil || scale == nil {
			return nil, fmt.Errorf("its offset or its scale is missing")
		}
		x := cast(b, n.In(0), tensor.Float32)
		return one(b.Op("Mul", b.Op("Sub", x, frozen(b, offset, len(offset))), frozen(b, scale, len(scale))))
	},
}

// floatsAttr are the numbers of an attribute, or nil.
func floatsAttr(n *graph.Node, name string) []float32 {
	if a := n.Attr(name); a != nil {
		return a.Floats
	}
	return nil
}

func stringsAttr(n *graph.Node, name string) []string {
	if a := n.Attr(name); a != nil {
		return a.Strings
	}
	return nil
}

// frozen is a constant of float32 that is no weight.
func frozen(b *Builder, x []float32, shape ...int) *graph.Value {
	return b.Const(tensor.From(slices.Clone(x), shape...))
}

// features puts inputs, [batch n] or [n], side by side.
func features(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	sizes := n.Ints("inputdimensions")
	var parts []*graph.Value
	for i := range n.Inputs {
		x := n.In(i)
		if rank(x) == 1 {
			x = b.Unsqueeze(x, 0)
		}
		if rank(x) != 2 || sizes != nil && (i >= len(sizes) || x.Shape[1] != graph.N(sizes[i])) {
			return nil, fmt.Errorf("input %d is not of the size that is said", i)
		}
		parts = append(parts, cast(b, x, tensor.Float32))
	}
	if parts == nil {
		return nil, fmt.Errorf("it has no inputs")
	}
	return one(concat(b, 1, parts...))
}

// imputed puts other values in the place of one that stands for what is missing.
func imputed(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	if err := since(b, 11); err != nil {
		return nil, err
	}
	x := n.In(0)
	if values := floatsAttr(n, "imputed_value_floats"); values != nil {
		gone := float64(n.Float("replaced_value_float", 0))
		missing := b.Op("IsNaN", x)
		if !math.IsNaN(gone) {
			missing = b.Op("Equal", x, b.Scalar(gone, x))
		}
		return one(b.Op("Where", missing, cast(b, frozen(b, values, len(values)), x.DType), x))
	}
	values := n.Ints("imputed_value_int64s")
	if values == nil {
		return nil, fmt.Errorf("its values are missing")
	}
	return one(b.Op("Where", b.Op("Equal", x, b.Scalar(float64(n.Int("replaced_value_int64", 0)), x)), cast(b, b.Ints(values...), x.DType), x))
}

// rowsNormalised divides rows by their maximum, the sum of their magnitudes, or their
// length; those where that is 0 stay.
func rowsNormalised(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	x := n.In(0)
	if k := rank(x); k != 1 && k != 2 {
		return nil, fmt.Errorf("%v is neither [batch n] nor [n]", x.Shape)
	}
	x = cast(b, x, tensor.Float32)
	last := []int{rank(x) - 1}
	var d *graph.Value
	switch norm := n.Str("norm", "MAX"); norm {
	case "MAX":
		d = reduce(b, "ReduceMax", x, last, true)
	case "L1":
		d = reduce(b, "ReduceSum", b.Op("Abs", x), last, true)
	case "L2":
		d = b.Op("Sqrt", reduce(b, "ReduceSum", b.Op("Mul", x, x), last, true))
	default:
		return nil, fmt.Errorf("its norm %q is not known", norm)
	}
	if err := since(b, 11); err != nil { // Equal of numbers
		return nil, err
	}
	return one(b.Op("Div", x, b.Op("Where", b.Op("Equal", d, b.Scalar(0, d)), b.Scalar(1, d), d)))
}

// weighed is x*W' + b, whose W [targets features] and b are weights.
func weighed(b *Builder, n *graph.Node, targets int) (*graph.Value, error) {
	x, w, c := n.In(0), floatsAttr(n, "coefficients"), floatsAttr(n, "intercepts")
	if rank(x) != 2 || targets < 1 || len(w) == 0 || len(w)%targets != 0 || c != nil && len(c) != targets {
		return nil, fmt.Errorf("%d coefficients and %d intercepts for %d targets", len(w), len(c), targets)
	}
	if k := x.Shape[1]; k.Known() && k.Mul != len(w)/targets {
		return nil, fmt.Errorf("%d coefficients for %v features", len(w)/targets, k)
	}
	name := func(part string) string { return b.G.Fresh(b.Stem + "/" + part) }
	matrix := tensor.From(slices.Clone(w), targets, len(w)/targets)
	in := []*graph.Value{cast(b, x, tensor.Float32), b.G.Const(name("coefficients"), matrix, graph.Auto)}
	if c != nil {
		in = append(in, b.G.Const(name("intercepts"), tensor.Vector(slices.Clone(c)...), graph.Auto))
	}
	return b.Attr("Gemm", []graph.Attr{graph.MakeAttr("transB", 1)}, in...), nil
}

// linearTargets is LinearRegressor.
func linearTargets(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	if err := since(b, 11); err != nil {
		return nil, err
	}
	targets := n.Int("targets", 1)
	if targets == 1 && n.Str("post_transform", "NONE") != "NONE" {
		return nil, fmt.Errorf("what follows on one score is not the same everywhere: ONNX Runtime leaves it as it is")
	}
	y, err := weighed(b, n, targets)
	if err == nil {
		y, err = transformed(b, n, y)
	}
	return []*graph.Value{y}, err
}

// transformed applies what a node says is to follow on scores.
func transformed(b *Builder, n *graph.Node, y *graph.Value) (*graph.Value, error) {
	switch after := n.Str("post_transform", "NONE"); after {
	case "NONE":
		return y, nil
	case "LOGISTIC":
		return b.Op("Sigmoid", y), nil
	case "SOFTMAX":
		return b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", 1)}, y), nil
	default:
		return nil, fmt.Errorf("what follows on its scores, %q, is not known", after)
	}
}

// linearClasses is LinearClassifier: the label of the best class, and the scores of all.
// One row of coefficients for two classes is the score of the second.
func linearClasses(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	if err := since(b, 11); err != nil {
		return nil, err
	}
	labels, err := labelsOf(n, "classlabels_ints", "classlabels_strings")
	if err != nil {
		return nil, err
	}
	rows := len(floatsAttr(n, "intercepts"))
	s, err := weighed(b, n, rows)
	if err != nil {
		return nil, err
	}
	var y, at *graph.Value
	switch {
	case rows == 1 && labels.Len() == 2:
		at = cast(b, b.Squeeze(b.Op("Greater", s, b.Scalar(0, s)), 1), tensor.Int64)
		switch after := n.Str("post_transform", "NONE"); after {
		case "NONE":
			y = concat(b, 1, b.Op("Sub", b.Scalar(1, s), s), s)
		case "LOGISTIC":
			y = concat(b, 1, b.Op("Sigmoid", b.Op("Neg", s)), b.Op("Sigmoid", s))
		default:
			return nil, fmt.Errorf("what follows on its one score, %q, is not known", after)
		}
	case rows == labels.Len() && rows > 1:
		if y, err = transformed(b, n, s); err != nil {
			return nil, err
		}
		at = b.Attr("ArgMax", []graph.Attr{graph.MakeAttr("axis", 1), graph.MakeAttr("keepdims", 0)}, s)
	default:
		return nil, fmt.Errorf("%d rows for %d classes", rows, labels.Len())
	}
	return []*graph.Value{b.Op("Gather", b.Const(labels), at), y}, nil
}

// labelsOf are the labels of classes, integers or strings.
func labelsOf(n *graph.Node, ints, texts string) (*tensor.Tensor, error) {
	if a := n.Attr(ints); a != nil && len(a.Ints) > 0 {
		return tensor.Vector(slices.Clone(a.Ints)...), nil
	}
	if s := stringsAttr(n, texts); len(s) > 0 {
		return tensor.Vector(slices.Clone(s)...), nil
	}
	return nil, fmt.Errorf("its classes have no labels")
}
