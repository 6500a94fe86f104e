package op

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// Normalisations other than that of batches and layers. Each is written out as
// simpler operators where a gradient is wanted.

// moments sets every run of k numbers to mean 0 and variance 1.
func moments(x []float64, k int, eps float64) []float64 {
	y := make([]float64, len(x))
	for r := 0; k > 0 && r < len(x); r += k {
		mean, va := 0.0, 0.0
		for _, v := range x[r : r+k] {
			mean += v / float64(k)
		}
		for _, v := range x[r : r+k] {
			va += (v - mean) * (v - mean) / float64(k)
		}
		for i, v := range x[r : r+k] {
			y[r+i] = (v - mean) / math.Sqrt(va+eps)
		}
	}
	return y
}

// standardised writes moments out, over the given axes.
func standardised(b *Builder, x *graph.Value, as []int, eps float64) *graph.Value {
	xc := b.Op("Sub", x, reduce(b, "ReduceMean", x, as, true))
	va := reduce(b, "ReduceMean", square(b, xc), as, true)
	return b.Op("Div", xc, b.Op("Sqrt", b.Op("Add", va, b.Scalar(eps, x))))
}

func spatialAxes(rank int) []int {
	var as []int
	for d := 2; d < rank; d++ {
		as = append(as, d)
	}
	return as
}

// inferNorm checks that input 0 has channels.
func inferNorm(c *Infer) error {
	if s := c.Shape(0); s != nil && len(s) < 2 {
		return fmt.Errorf("input %v has no channels", s)
	}
	return sameAs(c)
}

// groupsOf gives the groups of a GroupNormalization, and whether scale and
// bias are given by group (opset 18) or by channel (opset 21).
func groupsOf(n *graph.Node, c int, scale []int) (groups int, each bool, err error) {
	groups = n.Int("num_groups", 0)
	if groups < 1 || c%groups != 0 {
		return 0, false, fmt.Errorf("%d channels do not divide into %d groups", c, groups)
	}
	switch {
	case len(scale) == 1 && scale[0] == c:
		return groups, true, nil
	case len(scale) == 1 && scale[0] == groups:
		return groups, false, nil
	}
	return 0, false, fmt.Errorf("scale %v fits neither %d channels nor %d groups", scale, c, groups)
}

var _ = register(
	// InstanceNormalization: each channel of each sample to mean 0 and variance 1
	// (Ulyanov et al. 2016).
	Def{Name: "InstanceNormalization", Infer: inferNorm,
		Fits: func(n *graph.Node, in [][]int) error {
			if len(in) < 3 || in[1] == nil || in[2] == nil {
				return errors.New("scale or bias is missing")
			}
			return fitsVectors(in, in[0][1], 1, 2)
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, p, c, k, err := channelArgs(in[0], in[1:3])
			if err != nil {
				return nil, err
			}
			y := moments(x, k, float64(n.Float("epsilon", 1e-5)))
			for i := range y {
				y[i] = y[i]*p[0][i/k%c] + p[1][i/k%c]
			}
			return single(ofFloats(in[0].DType, in[0].Shape, y))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			x := n.In(0)
			if len(x.Shape) < 3 {
				return nil, fmt.Errorf("input %v has no spatial axes", x.Shape)
			}
			y := standardised(b, x, spatialAxes(len(x.Shape)), float64(n.Float("epsilon", 1e-5)))
			return []*graph.Value{b.Op("Add", b.Op("Mul", y, alongChannels(b, n.In(1), x)), alongChannels(b, n.In(2), x))}, nil
		}},

	// GroupNormalization: each group of channels of each sample to mean 0 and
	// variance 1 (Wu & He 2018).
	Def{Name: "GroupNormalization", Infer: inferNorm,
		Fits: func(n *graph.Node, in [][]int) error {
			if len(in) < 3 || in[1] == nil || in[2] == nil {
				return errors.New("scale or bias is missing")
			}
			groups, each, err := groupsOf(n, in[0][1], in[1])
			if err != nil {
				return err
			}
			if each {
				groups = in[0][1]
			}
			return fitsVectors(in, groups, 1, 2)
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, _, c, k, err := channelled(in[0])
			if err != nil {
				return nil, err
			}
			groups, each, err := groupsOf(n, c, in[1].Shape)
			if err != nil {
				return nil, err
			}
			size := groups
			if each {
				size = c
			}
			p, err := perChannel(in[1:3], size)
			if err != nil {
				return nil, err
			}
			y := moments(x, c/groups*k, float64(n.Float("epsilon", 1e-5)))
			for i := range y {
				j := i / k % c * size / c
				y[i] = y[i]*p[0][j] + p[1][j]
			}
			return single(ofFloats(in[0].DType, in[0].Shape, y))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			x := n.In(0)
			if len(x.Shape) < 2 || !x.Shape[1].Known() {
				return nil, fmt.Errorf("the channels of %v are not known", x.Shape)
			}
			scale, ok := n.In(1).Shape.Ints()
			if !ok {
				return nil, fmt.Errorf("the scale's shape %v is not known", n.In(1).Shape)
			}
			c := x.Shape[1].Mul
			groups, each, err := groupsOf(n, c, scale)
			if err != nil {
				return nil, err
			}
			y := standardised(b, b.Op("Reshape", x, b.Ints(0, groups, -1)), []int{2}, float64(n.Float("epsilon", 1e-5)))
			param := func(v *graph.Value) *graph.Value { return b.Op("Reshape", v, b.Ints(1, groups, 1)) }
			if each {
				y = b.Pare("ReshapeLike", nil, y, x)
				param = func(v *graph.Value) *graph.Value { return alongChannels(b, v, x) }
			}
			y = b.Op("Add", b.Op("Mul", y, param(n.In(1))), param(n.In(2)))
			if !each {
				y = b.Pare("ReshapeLike", nil, y, x)
			}
			return []*graph.Value{y}, nil
		}},

	// RMSNormalization divides by the root of the mean square over the axes from
	// `axis` on (Zhang & Sennrich 2019).
	Def{Name: "RMSNormalization",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			if x.Shape != nil {
				if _, err := axis(c.Node.Int("axis", -1), len(x.Shape)); err != nil {
					return err
				}
				if s, err := broadcast(x.Shape, c.Shape(1)); err != nil || s != nil && len(s) != len(x.Shape) {
					return fmt.Errorf("scale %v does not fit %v", c.Shape(1), x.Shape)
				}
			}
			c.Out(0, c.DType(1), x.Shape)
			return nil
		},
		Fits: func(n *graph.Node, in [][]int) error {
			if len(in) < 2 || in[1] == nil {
				return errors.New("input 1, the scale, is missing")
			}
			if s, err := broadcastInts(in[0], in[1]); err != nil || !slices.Equal(s, in[0]) {
				return fmt.Errorf("scale %v does not fit %v", in[1], in[0])
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, scale, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			_, k, err := rowsFrom(n, in[0].Shape)
			if err != nil {
				return nil, err
			}
			if s, err := broadcastInts(in[0].Shape, in[1].Shape); err != nil || !slices.Equal(s, in[0].Shape) {
				return nil, fmt.Errorf("scale %v does not fit %v", in[1].Shape, in[0].Shape)
			}
			y, eps := make([]float64, len(x)), float64(n.Float("epsilon", 1e-5))
			for r := 0; r < len(x); r += k {
				s := 0.0
				for _, v := range x[r : r+k] {
					s += v * v / float64(k)
				}
				for i, v := range x[r : r+k] {
					y[r+i] = v / math.Sqrt(s+eps)
				}
			}
			odometer(in[0].Shape, broadcastStrides(in[1].Shape, in[0].Shape), func(i, off int) { y[i] *= scale[off] })
			return single(ofFloats(in[1].DType, in[0].Shape, y))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			x, scale := n.In(0), n.In(1)
			if x.Shape == nil {
				return nil, fmt.Errorf("the rank of the input is not known")
			}
			ms := reduce(b, "ReduceMean", square(b, x), normAxes(n, len(x.Shape)), true)
			y := b.Op("Div", x, b.Op("Sqrt", b.Op("Add", ms, b.Scalar(float64(n.Float("epsilon", 1e-5)), x))))
			if x.DType != scale.DType {
				y = cast(b, y, scale.DType)
			}
			return []*graph.Value{b.Op("Mul", y, scale)}, nil
		}},

	// MeanVarianceNormalization subtracts the mean and divides by the standard
	// deviation plus 1e-9.
	Def{Name: "MeanVarianceNormalization", Infer: sameAs,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			as, err := axes(meanAxes(n), in[0].Rank())
			if err != nil {
				return nil, err
			}
			kept := withoutAxes(in[0].Shape, as, 1, true)
			st := broadcastStrides(kept, in[0].Shape)
			mean, va := make([]float64, prod(kept)), make([]float64, prod(kept))
			count := float64(len(x)) / float64(max(1, len(mean)))
			odometer(in[0].Shape, st, func(i, off int) { mean[off] += x[i] / count })
			odometer(in[0].Shape, st, func(i, off int) { va[off] += (x[i] - mean[off]) * (x[i] - mean[off]) / count })
			y := make([]float64, len(x))
			odometer(in[0].Shape, st, func(i, off int) { y[i] = (x[i] - mean[off]) / (math.Sqrt(va[off]) + 1e-9) })
			return single(ofFloats(in[0].DType, in[0].Shape, y))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			x := n.In(0)
			xc := b.Op("Sub", x, reduce(b, "ReduceMean", x, meanAxes(n), true))
			std := b.Op("Sqrt", reduce(b, "ReduceMean", square(b, xc), meanAxes(n), true))
			return []*graph.Value{b.Op("Div", xc, b.Op("Add", std, b.Scalar(1e-9, x)))}, nil
		}},

	// LpNormalization divides by the norm along an axis; zeros stay zeros.
	Def{Name: "LpNormalization", Infer: sameAs,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			a, err := axis(n.Int("axis", -1), in[0].Rank())
			if err != nil {
				return nil, err
			}
			p, err := normOrder(n)
			if err != nil {
				return nil, err
			}
			kept := withoutAxes(in[0].Shape, []int{a}, 1, true)
			st := broadcastStrides(kept, in[0].Shape)
			sum := make([]float64, prod(kept))
			odometer(in[0].Shape, st, func(i, off int) { sum[off] += math.Pow(math.Abs(x[i]), float64(p)) })
			y := make([]float64, len(x))
			odometer(in[0].Shape, st, func(i, off int) {
				if sum[off] != 0 {
					y[i] = x[i] / math.Pow(sum[off], 1/float64(p))
				}
			})
			return single(ofFloats(in[0].DType, in[0].Shape, y))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			p, err := normOrder(n)
			if err != nil {
				return nil, err
			}
			x := n.In(0)
			norm := reduce(b, fmt.Sprintf("ReduceL%d", p), x, []int{n.Int("axis", -1)}, true)
			none := b.Op("Equal", norm, b.Scalar(0, x))
			return []*graph.Value{b.Op("Div", x, b.Op("Where", none, b.Scalar(1, x), norm))}, nil
		}},

	// LRN divides by a power of the mean square over neighbouring channels
	// (Krizhevsky et al. 2012): x/(bias + alpha/size*sum)^beta.
	Def{Name: "LRN", Infer: inferNorm,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, rows, c, k, err := channelled(in[0])
			if err != nil {
				return nil, err
			}
			size, alpha, beta, bias, err := lrnOf(n)
			if err != nil {
				return nil, err
			}
			y := make([]float64, len(x))
			for r := range rows {
				for ch := range c {
					lo, hi := max(0, ch-(size-1)/2), min(c-1, ch+size/2)
					for i := range k {
						s := 0.0
						for j := lo; j <= hi; j++ {
							v := x[(r*c+j)*k+i]
							s += v * v
						}
						at := (r*c+ch)*k + i
						y[at] = x[at] / math.Pow(bias+alpha/float64(size)*s, beta)
					}
				}
			}
			return single(ofFloats(in[0].DType, in[0].Shape, y))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			x := n.In(0)
			size, alpha, beta, bias, err := lrnOf(n)
			if err != nil {
				return nil, err
			}
			if len(x.Shape) < 2 || !x.Shape[1].Known() {
				return nil, fmt.Errorf("the channels of %v are not known", x.Shape)
			}
			// the mean over a window of channels, as a pooling of [N 1 C rest]
			flat := b.Op("Reshape", square(b, x), b.Ints(0, 1, x.Shape[1].Mul, -1))
			mean := b.Attr("AveragePool", []graph.Attr{graph.MakeAttr("kernel_shape", []int{size, 1}),
				graph.MakeAttr("pads", []int{(size - 1) / 2, 0, size / 2, 0}), graph.MakeAttr("count_include_pad", 1)}, flat)
			mean = b.Pare("ReshapeLike", nil, mean, x)
			base := b.Op("Add", b.Op("Mul", mean, b.Scalar(alpha, x)), b.Scalar(bias, x))
			return []*graph.Value{b.Op("Div", x, b.Op("Pow", base, b.Scalar(beta, x)))}, nil
		}},
)

func meanAxes(n *graph.Node) []int {
	if as := n.Ints("axes"); as != nil {
		return as
	}
	return []int{0, 2, 3}
}

func normOrder(n *graph.Node) (int, error) {
	p := n.Int("p", 2)
	if p != 1 && p != 2 {
		return 0, fmt.Errorf("a norm of order %d: only 1 and 2 are defined", p)
	}
	return p, nil
}

func lrnOf(n *graph.Node) (size int, alpha, beta, bias float64, err error) {
	size = n.Int("size", 0)
	if size < 1 || size > 1<<20 {
		return 0, 0, 0, 0, fmt.Errorf("size %d of the window must be 1 or more channels", size)
	}
	return size, float64(n.Float("alpha", 1e-4)), float64(n.Float("beta", .75)), float64(n.Float("bias", 1)), nil
}
