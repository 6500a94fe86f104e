package op

import (
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// NegativeLogLikelihoodLoss(x [N C d…], target [N d…], weight [C]) is
// -weight[target]*x[target] at every place, or its sum, or its mean by the
// weights of the places that count. A target that is ignore_index is
// ignored.

// lossPlaces is the geometry of a loss: element (n, c, k) of x lies at
// (n*c+c)*inner+k, its target at n*inner+k.
type lossPlaces struct {
	c, inner  int
	target    []int
	weight    []float64 // of each place: 0 where it is ignored
	total     float64   // of the weights
	reduction string
	shape     []int // of the result
}

func lossOf(n *graph.Node, x []int, target, weight *tensor.Tensor) (*lossPlaces, error) {
	if len(x) < 2 || len(x) != target.Rank()+1 || x[0] != target.Shape[0] || !slices.Equal(x[2:], target.Shape[1:]) {
		return nil, fmt.Errorf("scores %v and targets %v do not go together", x, target.Shape)
	}
	l := &lossPlaces{c: x[1], inner: prod(x[2:]), reduction: n.Str("reduction", "mean"), shape: []int{}}
	var err error
	if l.target, err = intsOf(target); err != nil {
		return nil, err
	}
	w := make([]float64, l.c)
	for i := range w {
		w[i] = 1
	}
	if weight != nil {
		if w, err = floats(weight); err != nil || len(w) != l.c {
			return nil, fmt.Errorf("weights %v do not fit %d classes", weight.Shape, l.c)
		}
	}
	ignore := n.Attr("ignore_index")
	l.weight = make([]float64, len(l.target))
	for i, t := range l.target {
		if ignore != nil && t == int(ignore.I) {
			l.target[i] = 0
			continue
		}
		if t < 0 || t >= l.c {
			return nil, fmt.Errorf("target %d is outside the %d classes", t, l.c)
		}
		l.weight[i] = w[t]
		l.total += w[t]
	}
	switch l.reduction {
	case "none":
		l.shape = target.Shape
	case "mean", "sum":
	default:
		return nil, fmt.Errorf("unknown reduction %q", l.reduction)
	}
	return l, nil
}

// lossAndScores reads the inputs of a loss: scores, targets and weights.
func lossAndScores(n *graph.Node, in []*tensor.Tensor) (*lossPlaces, []float64, error) {
	l, err := lossOf(n, in[0].Shape, in[1], arg(in, 2))
	if err != nil {
		return nil, nil, err
	}
	x, err := floats(in[0])
	return l, x, err
}

// at is the offset of the target's score at place i.
func (l *lossPlaces) at(i int) int {
	return (i/l.inner*l.c+l.target[i])*l.inner + i%l.inner
}

// scale is the derivative of result j by -x at place i.
func (l *lossPlaces) scale(i int) float64 {
	if l.reduction == "mean" {
		return l.weight[i] / l.total
	}
	return l.weight[i]
}

// of computes the loss of log-probabilities.
func (l *lossPlaces) of(x []float64) []float64 {
	if l.reduction == "none" {
		out := make([]float64, len(l.target))
		for i := range out {
			if l.weight[i] != 0 {
				out[i] = -l.weight[i] * x[l.at(i)]
			}
		}
		return out
	}
	sum := 0.0
	for i := range l.target {
		if l.weight[i] != 0 {
			sum -= l.weight[i] * x[l.at(i)]
		}
	}
	if l.reduction == "mean" {
		sum /= l.total
	}
	return []float64{sum}
}

func inferLoss(c *Infer) error {
	x, t, err := c.pair()
	if err != nil {
		return err
	}
	if x.Shape != nil && t.Shape != nil && len(x.Shape) != len(t.Shape)+1 {
		return fmt.Errorf("scores %v and targets %v do not go together", x.Shape, t.Shape)
	}
	s := graph.Shape{}
	if c.Node.Str("reduction", "mean") == "none" {
		s = t.Shape
	}
	c.Out(0, x.DType, s)
	c.Out(1, x.DType, x.Shape)
	return nil
}

var _ = register(
	Def{Name: "NegativeLogLikelihoodLoss", Infer: inferLoss,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			l, x, err := lossAndScores(n, in)
			if err != nil {
				return nil, err
			}
			return single(ofFloats(in[0].DType, l.shape, l.of(x)))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("NegativeLogLikelihoodLossGrad", n.Attrs, dy[0], n.In(1), n.In(2), n.In(0)), nil, nil}, nil
		}},

	// NegativeLogLikelihoodLossGrad(dy, target, weight, like): the loss is
	// linear in the scores.
	Def{Domain: graph.Pare, Name: "NegativeLogLikelihoodLossGrad",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(3)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			l, err := lossOf(n, in[3].Shape, in[1], in[2])
			if err != nil {
				return nil, err
			}
			dy, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			dx := make([]float64, in[3].Len())
			for i := range l.target {
				if l.weight[i] != 0 {
					dx[l.at(i)] = -l.scale(i) * dy[min(i, len(dy)-1)]
				}
			}
			return single(ofFloats(in[0].DType, in[3].Shape, dx))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			in := []*graph.Value{dy[0], n.In(1)}
			if n.In(2) != nil {
				in = append(in, n.In(2))
			}
			return []*graph.Value{b.Attr("NegativeLogLikelihoodLoss", n.Attrs, in...), nil, nil, nil}, nil
		}},

	// SoftmaxCrossEntropyLoss is the loss of the logarithm of the softmax over
	// the classes, which is its second output.
	Def{Name: "SoftmaxCrossEntropyLoss", Infer: inferLoss,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			l, x, err := lossAndScores(n, in)
			if err != nil {
				return nil, err
			}
			logp := make([]float64, len(x))
			row := make([]float64, l.c)
			for r := range in[0].Shape[0] {
				for k := range l.inner {
					at := func(c int) int { return (r*l.c+c)*l.inner + k }
					for c := range row {
						row[c] = x[at(c)]
					}
					for c, s := 0, logSum(row); c < l.c; c++ {
						logp[at(c)] = row[c] - s
					}
				}
			}
			return several(in[0].DType, [][]int{l.shape, in[0].Shape}, l.of(logp), logp)
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			x := n.In(0)
			if x.Shape == nil {
				return nil, fmt.Errorf("the rank of the scores is not known")
			}
			// the logarithm of the softmax along the classes, for any opset
			m := reduce(b, "ReduceLogSumExp", x, []int{1}, true)
			logp := b.Op("Sub", x, m)
			in := append([]*graph.Value{logp}, n.Inputs[1:]...)
			return []*graph.Value{b.Attr("NegativeLogLikelihoodLoss", n.Attrs, in...), logp}, nil
		}},

	// Hardmax is 1 at the first maximum along an axis and 0 elsewhere.
	Def{Name: "Hardmax", Infer: sameAs, Grad: noGrad,
		Eval: func(n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, outer, size, inner, err := softmaxArgs(n, opset, in[0])
			if err != nil {
				return nil, err
			}
			y := make([]float64, len(x))
			for o := range outer {
				for i := range inner {
					best, top := 0, math.Inf(-1)
					for k := range size {
						if v := x[(o*size+k)*inner+i]; v > top {
							best, top = k, v
						}
					}
					y[(o*size+best)*inner+i] = 1
				}
			}
			return single(ofFloats(in[0].DType, in[0].Shape, y))
		}},
)
