package objective

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
)

// MatchKL is T²·KL(softmax(teacher/T) || softmax(output/T)), the mean over rows.
var MatchKL = &Loss{
	Name: "match-kl", Paper: "Hinton et al. 2015",
	Doc:     "the divergence of the softened softmax from the teacher's: distillation of networks that choose one of several classes",
	Outputs: []string{"output"}, Targets: []string{"teacher"}, Target: Teacher, Layout: ByRows, Logits: "softmax",
	Params: []Param{{Name: "temperature", Default: []float64{4}, Range: "(0,)", Doc: "what scores are divided by before the softmax"}, axisParam},
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		axis := []graph.Attr{graph.MakeAttr("axis", -1)}
		inv := b.Scalar(1/p.Num("temperature"), out[0])
		ls := b.Attr("LogSoftmax", axis, b.Op("Mul", out[0], inv))
		lt := b.Attr("LogSoftmax", axis, b.Op("Mul", target[0], inv))
		return mean(b, b.Op("Mul", b.Op("Exp", lt), b.Op("Sub", lt, ls))), nil // over rows and classes
	},
	Factor: func(out []*graph.Value, p Params) (float64, error) {
		classes := out[0].Shape[1]
		if !classes.Known() {
			return 0, fmt.Errorf("the number of classes of output %q, %v, must be known", out[0].Name, out[0].Shape)
		}
		return p.Num("temperature") * p.Num("temperature") * float64(classes.Mul), nil
	},
}

// MatchMSE is RelativeMSE with what the teacher gives.
var MatchMSE = &Loss{
	Name:    "match-mse",
	Doc:     "the mean square of what differs from the teacher's output, relative to how much that output varies over the batch: distillation of any output",
	Outputs: []string{"output"}, Targets: []string{"teacher"}, Target: Teacher, Layout: Alike,
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		return RelativeMSE(b, out[0], target[0])
	},
}

// leastSpread is the share of the mean square that the spread is taken to be at least.
const leastSpread = 1e-2

// RelativeMSE is the mean square of x - target, divided by the mean square of what the
// target differs from its mean over the batch (axis 0): 0 where x is the target, 1 where x
// is no better than that mean. Outputs of unlike size weigh alike so. The divisor is at
// least a hundredth of the target's mean square: a target that does not vary, as one in a
// batch of a single sample, is matched relative to its size. x and target have one
// shape; the gradient is that by x.
func RelativeMSE(b *op.Builder, x, target *graph.Value) (*graph.Value, error) {
	return b.Op("Div", mean(b, square(b, b.Op("Sub", x, target))), relativeTo(b, target)), b.Err()
}

// relativeTo is how much a target varies over the batch.
func relativeTo(b *op.Builder, target *graph.Value) *graph.Value {
	middle := b.Reduce("ReduceMean", target, true, 0)
	spread := mean(b, square(b, b.Op("Sub", target, middle)))
	size := times(b, mean(b, square(b, target)), leastSpread)
	return b.Op("Max", spread, size, b.Scalar(tiny, spread))
}

// MatchBCE is the divergence of sigmoid(output/T) from sigmoid(teacher/T), as chances of
// yes and no, times T², the mean over all places.
var MatchBCE = &Loss{
	Name:    "match-bce",
	Doc:     "the binary cross-entropy with the teacher's sigmoid, less the teacher's own entropy: distillation of several labels at once, and of masks",
	Outputs: []string{"output"}, Targets: []string{"teacher"}, Target: Teacher, Layout: Alike, Logits: "sigmoid",
	Params: []Param{{Name: "temperature", Default: []float64{1}, Range: "(0,)", Doc: "what scores are divided by before the sigmoid"}},
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		x, t := times(b, out[0], 1/p.Num("temperature")), times(b, target[0], 1/p.Num("temperature"))
		// KL = softplus(x) - softplus(t) - sigmoid(t)·(x - t)
		soft := b.Op("Sub", b.Op("Softplus", x), b.Op("Softplus", t))
		return mean(b, b.Op("Sub", soft, b.Op("Mul", b.Op("Sigmoid", t), b.Op("Sub", x, t)))), nil
	},
	Factor: func(_ []*graph.Value, p Params) (float64, error) {
		return p.Num("temperature") * p.Num("temperature"), nil
	},
}

// MatchCosine is Cosine with what the teacher gives.
var MatchCosine = &Loss{
	Name:    "match-cosine",
	Doc:     "one less the cosine of the angle to the teacher's output, along the last axis: distillation of embeddings",
	Outputs: []string{"output"}, Targets: []string{"teacher"}, Target: Teacher, Layout: Alike,
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		return cosine(b, out[0], target[0]), nil
	},
}
