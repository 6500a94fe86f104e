package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// reducedAxes gives the axes of a reduction: an attribute, an input from some
// opset on, or all of them.
func reducedAxes(n *graph.Node, given []int, rank int) ([]int, error) {
	as := n.Ints("axes")
	if given != nil {
		as = given
	}
	if len(as) == 0 {
		if n.Int("noop_with_empty_axes", 0) != 0 {
			return nil, nil
		}
		for i := range rank {
			as = append(as, i)
		}
	}
	return axes(as, rank)
}

// reduction defines an operator that folds axes of its input.
func reduction(name string, init float64, f func(acc, x float64) float64, end func(acc float64, n int) float64, grad func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value) Def {
	return Def{Name: name,
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			if x.Shape == nil {
				c.Out(0, x.DType, nil)
				return nil
			}
			var given []int
			if c.Node.In(1) != nil {
				var ok bool
				if given, ok = c.Ints(1); !ok {
					c.Out(0, x.DType, nil)
					return nil
				}
			}
			as, err := reducedAxes(c.Node, given, len(x.Shape))
			if err != nil {
				return err
			}
			gone := map[int]bool{}
			for _, a := range as {
				gone[a] = true
			}
			out := graph.Shape{}
			for i, d := range x.Shape {
				switch {
				case !gone[i]:
					out = append(out, d)
				case c.Node.Int("keepdims", 1) != 0:
					out = append(out, graph.N(1))
				}
			}
			c.Out(0, x.DType, out)
			if d, ok := c.Contents(0); ok && name == "ReduceProd" && len(x.Shape) == 1 {
				p := graph.N(1)
				for _, e := range d {
					p = p.Times(e)
				}
				c.SetContents([]graph.Dim{p})
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			given, err := intsOf(arg(in, 1))
			if err != nil {
				return nil, err
			}
			as, err := reducedAxes(n, given, in[0].Rank())
			if err != nil {
				return nil, err
			}
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			kept, full := append([]int{}, in[0].Shape...), []int{}
			count := 1
			gone := map[int]bool{}
			for _, a := range as {
				count *= kept[a]
				kept[a] = 1
				gone[a] = true
			}
			for i, d := range kept {
				if !gone[i] || n.Int("keepdims", 1) != 0 {
					full = append(full, d)
				}
			}
			size, _ := tensor.Size(kept)
			acc := make([]float64, size)
			for i := range acc {
				acc[i] = init
			}
			if name == "ReduceLogSumExp" {
				logSumExp(acc, x, in[0].Shape, kept)
			} else {
				odometer(in[0].Shape, broadcastStrides(kept, in[0].Shape), func(i, off int) { acc[off] = f(acc[off], x[i]) })
			}
			for i := range acc {
				acc[i] = end(acc[i], count)
			}
			return single(ofFloats(in[0].DType, full, acc))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			x, y, d := n.In(0), n.Out(0), dy[0]
			if n.Int("keepdims", 1) == 0 { // give dy and y their axes back
				like := b.Node("", n.Op, 1, n.Inputs, withAttr(n.Attrs, "keepdims", 1)...).Outputs[0]
				d = b.Pare("ReshapeLike", nil, d, like)
				y = b.Pare("ReshapeLike", nil, y, like)
			}
			if grad == nil {
				return nil, fmt.Errorf("no gradient is known")
			}
			return []*graph.Value{grad(b, n, d, x, y), nil}, nil
		}}
}

func withAttr(as []graph.Attr, name string, v any) []graph.Attr {
	out := []graph.Attr{}
	for _, a := range as {
		if a.Name != name {
			out = append(out, a)
		}
	}
	return append(out, graph.MakeAttr(name, v))
}

func logSumExp(acc, x []float64, shape, kept []int) {
	m := make([]float64, len(acc))
	for i := range m {
		m[i] = math.Inf(-1)
	}
	st := broadcastStrides(kept, shape)
	odometer(shape, st, func(i, off int) { m[off] = math.Max(m[off], x[i]) })
	odometer(shape, st, func(i, off int) { acc[off] += math.Exp(x[i] - m[off]) })
	for i := range acc {
		acc[i] = m[i] + math.Log(acc[i])
	}
}

func same(acc float64, _ int) float64                   { return acc }
func plus(acc, x float64) float64                       { return acc + x }
func plusSquare(acc, x float64) float64                 { return acc + x*x }
func plusAbs(acc, x float64) float64                    { return acc + math.Abs(x) }
func sqrtEnd(acc float64, _ int) float64                { return math.Sqrt(acc) }
func logEnd(acc float64, _ int) float64                 { return math.Log(acc) }
func meanEnd(acc float64, n int) float64                { return acc / float64(n) }
func spread(b *Builder, d, x *graph.Value) *graph.Value { return b.Pare("BroadcastTo", nil, d, x) }

// ties shares the gradient evenly among the elements that equal the result.
func ties(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
	m := cast(b, b.Op("Equal", x, spread(b, y, x)), x.DType)
	return b.Op("Mul", spread(b, b.Op("Div", dy, b.Pare("SumTo", nil, m, y)), x), m)
}

var _ = register(
	reduction("ReduceSum", 0, plus, same, func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value { return spread(b, dy, x) }),
	reduction("ReduceMean", 0, plus, meanEnd, func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
		// the number of elements behind each result, known or not before running
		count := b.Pare("SumTo", nil, b.Pare("OnesLike", nil, x), y)
		return spread(b, b.Op("Div", dy, count), x)
	}),
	reduction("ReduceMax", math.Inf(-1), math.Max, same, ties),
	reduction("ReduceMin", math.Inf(1), math.Min, same, ties),
	reduction("ReduceProd", 1, func(a, x float64) float64 { return a * x }, same, func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
		return b.Op("Div", spread(b, b.Op("Mul", dy, y), x), x)
	}),
	reduction("ReduceL1", 0, plusAbs, same, func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
		return b.Op("Mul", spread(b, dy, x), b.Op("Sign", x))
	}),
	reduction("ReduceL2", 0, plusSquare, sqrtEnd, func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
		return b.Op("Mul", spread(b, b.Op("Div", dy, y), x), x)
	}),
	reduction("ReduceSumSquare", 0, plusSquare, same, func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
		return b.Op("Mul", b.Op("Mul", spread(b, dy, x), x), b.Scalar(2, x))
	}),
	reduction("ReduceLogSum", 0, plus, logEnd, func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
		return spread(b, b.Op("Div", dy, b.Op("Exp", y)), x)
	}),
	reduction("ReduceLogSumExp", 0, plus, same, func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value {
		return b.Op("Mul", spread(b, dy, x), b.Op("Exp", b.Op("Sub", x, y)))
	}),
	argReduce("ArgMax", func(x, best float64) bool { return x > best }),
	argReduce("ArgMin", func(x, best float64) bool { return x < best }),
)

// argReduce gives the position of the first (or last) extreme along an axis.
func argReduce(name string, better func(x, best float64) bool) Def {
	return Def{Name: name,
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			if x.Shape == nil {
				c.Out(0, tensor.Int64, nil)
				return nil
			}
			a, err := axis(c.Node.Int("axis", 0), len(x.Shape))
			if err != nil {
				return err
			}
			out := append(graph.Shape{}, x.Shape[:a]...)
			if c.Node.Int("keepdims", 1) != 0 {
				out = append(out, graph.N(1))
			}
			c.Out(0, tensor.Int64, append(out, x.Shape[a+1:]...))
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, err := floats(in[0])
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
			shape := append([]int{}, in[0].Shape[:a]...)
			if n.Int("keepdims", 1) != 0 {
				shape = append(shape, 1)
			}
			out := tensor.New(tensor.Int64, append(shape, in[0].Shape[a+1:]...)...)
			last := n.Int("select_last_index", 0) != 0
			for o := range outer {
				for i := range inner {
					best := 0
					for k := range size {
						v, m := x[(o*size+k)*inner+i], x[(o*size+best)*inner+i]
						if better(v, m) || last && v == m {
							best = k
						}
					}
					tensor.Of[int64](out)[o*inner+i] = int64(best)
				}
			}
			return single(out, nil)
		}}
}
