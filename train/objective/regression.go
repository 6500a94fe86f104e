package objective

import (
	"pare/graph"
	"pare/graph/op"
)

// MSE is the mean of the squared differences.
var MSE = &Loss{
	Name: "mse", Doc: "the mean of the squared differences: for numbers whose errors are like a normal distribution's",
	Outputs: []string{"output"}, Targets: []string{"target"}, Target: Numbers, Layout: Alike,
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		return mean(b, square(b, b.Op("Sub", out[0], target[0]))), nil
	},
}

// L1 is the mean of the absolute differences.
var L1 = &Loss{
	Name: "l1", Doc: "the mean of the absolute differences: for numbers of which some are far off",
	Outputs: []string{"output"}, Targets: []string{"target"}, Target: Numbers, Layout: Alike,
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		return mean(b, b.Op("Abs", b.Op("Sub", out[0], target[0]))), nil
	},
}

// SmoothL1 is d²/(2·beta) of differences d below beta, and |d| - beta/2 of others.
var SmoothL1 = &Loss{
	Name: "smooth-l1", Paper: "Girshick 2015",
	Doc:     "squared differences where they are small and absolute ones where they are large, with slope 1: for boxes",
	Outputs: []string{"output"}, Targets: []string{"target"}, Target: Numbers, Layout: Alike,
	Params: []Param{{Name: "beta", Default: []float64{1}, Range: "(0,)", Doc: "difference from which on it is linear"}},
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		beta := p.Num("beta")
		return times(b, huber(b, out[0], target[0], beta), 1/beta), nil
	},
}

// Huber is d²/2 of differences d below delta, and delta·(|d| - delta/2) of others.
var Huber = &Loss{
	Name: "huber", Paper: "Huber 1964",
	Doc:     "squared differences where they are small and absolute ones where they are large, with slope delta",
	Outputs: []string{"output"}, Targets: []string{"target"}, Target: Numbers, Layout: Alike,
	Params: []Param{{Name: "delta", Default: []float64{1}, Range: "(0,)", Doc: "difference from which on it is linear"}},
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		return huber(b, out[0], target[0], p.Num("delta")), nil
	},
}

// huber is q·(d - q/2) of the difference d and q = d held within ±delta.
func huber(b *op.Builder, out, target *graph.Value, delta float64) *graph.Value {
	d := b.Op("Sub", out, target)
	q := b.Op("Clip", d, b.Scalar(-delta, d), b.Scalar(delta, d))
	return mean(b, b.Op("Mul", q, b.Op("Sub", d, times(b, q, .5))))
}

// Cosine is 1 less the cosine of the angle between output and target along the last
// axis, the mean over the rest.
var Cosine = &Loss{
	Name:    "cosine",
	Doc:     "one less the cosine of the angle to the target, along the last axis: for embeddings",
	Outputs: []string{"output"}, Targets: []string{"target"}, Target: Numbers, Layout: Alike,
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		return cosine(b, out[0], target[0]), nil
	},
}

// tiny is added under roots, so that vectors of zeros have a gradient.
const tiny = 1e-12

func cosine(b *op.Builder, x, y *graph.Value) *graph.Value {
	last := len(x.Shape) - 1
	sum := func(v *graph.Value) *graph.Value { return b.Sum(v, false, last) }
	norms := b.Op("Mul", norm(b, x, false), norm(b, y, false))
	return minusFrom(b, 1, mean(b, b.Op("Div", sum(b.Op("Mul", x, y)), norms)))
}

// norm is the length of vectors along the last axis.
func norm(b *op.Builder, x *graph.Value, keep bool) *graph.Value {
	return b.Op("Sqrt", plus(b, b.Sum(square(b, x), keep, len(x.Shape)-1), tiny))
}
