package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// variadic folds a two-input operator over any number of inputs that broadcast.
func variadic(s binary, mean bool, grad func(b *Builder, n *graph.Node, dy *graph.Value) []*graph.Value) Def {
	return Def{Name: s.name,
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			if err := s.takes(x.DType); err != nil {
				return err
			}
			shape := x.Shape
			for i := range c.Node.Inputs {
				y, err := c.In(i)
				if err != nil {
					return err
				}
				if y.DType != x.DType && y.DType != tensor.Undefined && x.DType != tensor.Undefined {
					return fmt.Errorf("inputs are %v and %v: types must agree", x.DType, y.DType)
				}
				if shape, err = broadcast(shape, y.Shape); err != nil {
					return err
				}
			}
			c.Out(0, x.DType, shape)
			if len(c.Node.Inputs) == 2 && s.dims != nil {
				s.follow(c, shape)
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			acc := in[0]
			var err error
			for _, x := range in[1:] {
				if acc, err = s.eval(acc, x); err != nil {
					return nil, err
				}
			}
			if mean {
				return single(binary{name: "Mean", float: func(x, y float64) float64 { return x / y }, mixed: true}.
					eval(acc, tensor.Scalar(float64(len(in)))))
			}
			return single(acc, nil)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			if len(n.Inputs) == 1 {
				return dy[:1], nil
			}
			d := grad(b, n, dy[0])
			for i, x := range n.Inputs {
				d[i] = sumTo(b, d[i], x)
			}
			return d, nil
		}}
}

// chosen is the gradient of Max and Min: it goes to the input that is the
// result, to the first of several.
func chosen(b *Builder, n *graph.Node, dy *graph.Value) []*graph.Value {
	y, zero := n.Out(0), b.Scalar(0, dy)
	out := make([]*graph.Value, len(n.Inputs))
	var taken *graph.Value
	for i, x := range n.Inputs {
		is := b.Op("Equal", x, y)
		if taken == nil {
			taken = is
		} else {
			is, taken = b.Op("And", is, b.Op("Not", taken)), b.Op("Or", is, taken)
		}
		out[i] = b.Op("Where", is, dy, zero)
	}
	return out
}

func every(b *Builder, n *graph.Node, dy *graph.Value) []*graph.Value {
	out := make([]*graph.Value, len(n.Inputs))
	for i := range out {
		out[i] = dy
	}
	return out
}

// knownDims follows contents that are equal or numbers.
func knownDims(f func(x, y int) int) func(x, y graph.Dim) (graph.Dim, bool) {
	return func(x, y graph.Dim) (graph.Dim, bool) {
		if x == y {
			return x, true
		}
		return graph.N(f(x.Mul, y.Mul)), x.Known() && y.Known()
	}
}

// Max and Min propagate NaN, as numpy and ONNX Runtime do.
var _ = register(
	variadic(binary{name: "Sum", float: func(x, y float64) float64 { return x + y }}, false, every),
	variadic(binary{name: "Mean", float: func(x, y float64) float64 { return x + y }}, true,
		func(b *Builder, n *graph.Node, dy *graph.Value) []*graph.Value {
			return every(b, n, b.Op("Mul", dy, b.Scalar(1/float64(len(n.Inputs)), dy)))
		}),
	variadic(binary{name: "Max", float: math.Max, int: func(x, y int64) int64 { return max(x, y) },
		uint: func(x, y uint64) uint64 { return max(x, y) }, dims: knownDims(func(x, y int) int { return max(x, y) })}, false, chosen),
	variadic(binary{name: "Min", float: math.Min, int: func(x, y int64) int64 { return min(x, y) },
		uint: func(x, y uint64) uint64 { return min(x, y) }, dims: knownDims(func(x, y int) int { return min(x, y) })}, false, chosen),
)
