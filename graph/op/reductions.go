package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

func plus(acc, x float64) float64       { return acc + x }
func plusSquare(acc, x float64) float64 { return acc + x*x }
func plusAbs(acc, x float64) float64    { return acc + math.Abs(x) }

func spread(b *Builder, d, x *graph.Value) *graph.Value { return b.Pare("BroadcastTo", nil, d, x) }

// ties shares the gradient evenly among the elements that equal the result.
func ties(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
	m := cast(b, b.Op("Equal", x, spread(b, y, x)), x.DType)
	return b.Op("Mul", spread(b, b.Op("Div", dy, b.Pare("SumTo", nil, m, y)), x), m)
}

// others is the product of the other elements, which dividing the product by
// an element does not give where that is 0. (Where elements are 0, a second
// derivative takes that they stay 0.)
func others(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
	zero, one := b.Scalar(0, x), b.Scalar(1, x)
	isZero := b.Op("Equal", x, zero)
	safe := b.Op("Where", isZero, one, x)
	zeros := b.Pare("SumTo", nil, cast(b, isZero, x.DType), y)
	p := b.Node("", "ReduceProd", 1, append([]*graph.Value{safe}, n.Inputs[1:]...), withAttr(n.Attrs, "keepdims", 1)...).Outputs[0]
	p = b.Op("Mul", dy, p)
	none := spread(b, b.Op("Where", b.Op("Equal", zeros, zero), p, zero), x)
	single := spread(b, b.Op("Where", b.Op("Equal", zeros, one), p, zero), x)
	return b.Op("Where", isZero, single, b.Op("Div", none, safe))
}

// meanGrad divides by the number of elements reduced into each result, which may be
// known only when running.
func meanGrad(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
	if x.Shape != nil && y.Shape != nil {
		if q, ok := x.Shape.Size(0, len(x.Shape)).Over(y.Shape.Size(0, len(y.Shape))); ok && q.Known() && q.Mul > 0 {
			return spread(b, b.Op("Mul", dy, b.Scalar(1/float64(q.Mul), dy)), x)
		}
	}
	count := b.Pare("SumTo", nil, b.Pare("OnesLike", nil, x), y)
	return spread(b, b.Op("Div", dy, count), x)
}

var _ = register(
	reduction{name: "ReduceSum", float: plus, int: func(a, x int64) int64 { return a + x },
		grad: func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value { return spread(b, dy, x) }}.def(),
	reduction{name: "ReduceMean", float: plus, end: func(a float64, n int) float64 { return a / float64(n) },
		int: func(a, x int64) int64 { return a + x }, grad: meanGrad}.def(),
	reduction{name: "ReduceMax", init: math.Inf(-1), float: math.Max, first: math.MinInt64,
		int: func(a, x int64) int64 { return max(a, x) }, grad: ties}.def(),
	reduction{name: "ReduceMin", init: math.Inf(1), float: math.Min, first: math.MaxInt64,
		int: func(a, x int64) int64 { return min(a, x) }, grad: ties}.def(),
	reduction{name: "ReduceProd", init: 1, float: func(a, x float64) float64 { return a * x }, first: 1,
		int: func(a, x int64) int64 { return a * x }, grad: others}.def(),
	reduction{name: "ReduceL1", float: plusAbs, int: func(a, x int64) int64 { return a + max(x, -x) },
		grad: func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
			return b.Op("Mul", spread(b, dy, x), b.Op("Sign", x))
		}}.def(),
	reduction{name: "ReduceL2", float: plusSquare, end: func(a float64, _ int) float64 { return math.Sqrt(a) },
		grad: func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value { // 0 at 0, as in PyTorch
			zero := b.Scalar(0, y)
			none := b.Op("Equal", y, zero)
			q := b.Op("Div", b.Op("Where", none, zero, dy), b.Op("Where", none, b.Scalar(1, y), y))
			return b.Op("Mul", spread(b, q, x), x)
		}}.def(),
	reduction{name: "ReduceSumSquare", float: plusSquare, int: func(a, x int64) int64 { return a + x*x },
		grad: func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
			return b.Op("Mul", b.Op("Mul", spread(b, dy, x), x), b.Scalar(2, x))
		}}.def(),
	reduction{name: "ReduceLogSum", float: plus, end: func(a float64, _ int) float64 { return math.Log(a) },
		grad: func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
			return spread(b, b.Op("Div", dy, b.Op("Exp", y)), x)
		}}.def(),
	reduction{name: "ReduceLogSumExp", float: plus,
		grad: func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
			return b.Op("Mul", spread(b, dy, x), b.Op("Exp", b.Op("Sub", x, y)))
		}}.def(),
	argReduce("ArgMax", 1),
	argReduce("ArgMin", -1),
)

// argReduce gives the position of the first (or last) extreme along an axis.
func argReduce(name string, sign int) Def {
	return Def{Name: name, Grad: noGrad,
		Infer: func(c *Infer) error {
			x, err := c.rankedTo(tensor.Int64)
			if x == nil {
				return err
			}
			a, err := axis(c.Node.Int("axis", 0), len(x.Shape))
			if err != nil {
				return err
			}
			c.Out(0, tensor.Int64, withoutAxes(x.Shape, []int{a}, graph.N(1), c.Node.Int("keepdims", 1) != 0))
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			order, err := comparer(in[0])
			if err != nil {
				return nil, err
			}
			a, err := axis(n.Int("axis", 0), in[0].Rank())
			if err != nil {
				return nil, err
			}
			outer, _ := tensor.Size(in[0].Shape[:a])
			inner, _ := tensor.Size(in[0].Shape[a+1:])
			size := in[0].Shape[a]
			out, err := alloc(tensor.Int64, withoutAxes(in[0].Shape, []int{a}, 1, n.Int("keepdims", 1) != 0)...)
			if err != nil {
				return nil, err
			}
			if size == 0 && out.Len() > 0 {
				return nil, fmt.Errorf("axis %d of shape %v has no elements", a, in[0].Shape)
			}
			last := n.Int("select_last_index", 0) != 0
			for o := range outer {
				for i := range inner {
					best := 0
					for k := 1; k < size; k++ {
						c := sign * order((o*size+k)*inner+i, (o*size+best)*inner+i)
						if c > 0 || last && c == 0 {
							best = k
						}
					}
					tensor.Of[int64](out)[o*inner+i] = int64(best)
				}
			}
			return single(out, nil)
		}}
}
