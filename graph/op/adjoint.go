package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// Operators of the pare domain that undo or carry broadcasting and reshaping
// in gradients. `like` gives only its shape.

func likeInfer(c *Infer) error {
	x, err := c.In(0)
	if err != nil {
		return err
	}
	l := x
	if len(c.Node.Inputs) > 1 {
		if l, err = c.In(1); err != nil {
			return err
		}
	}
	c.Out(0, x.DType, l.Shape)
	return nil
}

// repeats checks that small broadcasts to big.
func repeats(small, big graph.Shape) error {
	s, err := broadcast(big, small)
	if err == nil && s != nil && len(s) != len(big) {
		err = fmt.Errorf("shape %v does not broadcast to %v", small, big)
	}
	return err
}

func constant(v float64) func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	return func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		x := make([]float64, in[0].Len())
		for i := range x {
			x[i] = v
		}
		return single(ofFloats(in[0].DType, in[0].Shape, x))
	}
}

// alongBroadcast is an operator name(x, like) where one input broadcasts to the
// other: big and small are their positions. carry visits the pairs of elements;
// inverse is the operator's gradient.
func alongBroadcast(name, inverse string, big, small int, carry func(out, x []float64) func(big, small int)) Def {
	return Def{Domain: graph.Pare, Name: name,
		Infer: func(c *Infer) error {
			if err := repeats(c.Shape(small), c.Shape(big)); err != nil {
				return err
			}
			return likeInfer(c)
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			wide, narrow := in[big].Shape, in[small].Shape
			if s, err := broadcastInts(wide, narrow); err != nil || len(s) != len(wide) {
				return nil, fmt.Errorf("shape %v does not broadcast to %v", narrow, wide)
			}
			out := make([]float64, in[1].Len())
			odometer(wide, broadcastStrides(narrow, wide), carry(out, x))
			return single(ofFloats(in[0].DType, in[1].Shape, out))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare(inverse, nil, dy[0], n.In(0)), nil}, nil
		}}
}

func noGrad(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
	return make([]*graph.Value, len(n.Inputs)), nil
}

var _ = register(
	Def{Domain: graph.Pare, Name: "OnesLike", Infer: likeInfer, Eval: constant(1), Grad: noGrad},
	Def{Domain: graph.Pare, Name: "ZerosLike", Infer: likeInfer, Eval: constant(0), Grad: noGrad},

	// SumTo(x, like) sums x over the axes along which like was broadcast.
	alongBroadcast("SumTo", "BroadcastTo", 0, 1, func(out, x []float64) func(big, small int) {
		return func(big, small int) { out[small] += x[big] }
	}),

	// BroadcastTo(x, like) repeats x to the shape of like.
	alongBroadcast("BroadcastTo", "SumTo", 1, 0, func(out, x []float64) func(big, small int) {
		return func(big, small int) { out[big] = x[small] }
	}),

	// ReshapeLike(x, like) has the elements of x in the shape of like.
	Def{Domain: graph.Pare, Name: "ReshapeLike", Infer: likeInfer,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			if in[0].Len() != in[1].Len() {
				return nil, fmt.Errorf("cannot reshape %v to %v", in[0].Shape, in[1].Shape)
			}
			return single(in[0].Reshape(in[1].Shape...), nil)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("ReshapeLike", nil, dy[0], n.In(0)), nil}, nil
		}},

	// ReluGrad(dy, y) is dy where y > 0 and 0 elsewhere.
	Def{Domain: graph.Pare, Name: "ReluGrad", Infer: sameShapes,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			d, y, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			out := make([]float64, len(d))
			for i, v := range y {
				if v > 0 {
					out[i] = d[i]
				}
			}
			return single(ofFloats(in[0].DType, in[0].Shape, out))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("ReluGrad", nil, dy[0], n.In(1)), nil}, nil
		}},

	// ClipGrad(dy, y, lo, hi) is dy where lo < y < hi and 0 elsewhere; either
	// bound may be missing.
	Def{Domain: graph.Pare, Name: "ClipGrad", Infer: sameShapes,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			d, y, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			bounds := [2]float64{math.Inf(-1), math.Inf(1)}
			for i := range bounds {
				if t := arg(in, i+2); t != nil {
					b, err := floats(t)
					if err != nil {
						return nil, err
					}
					if len(b) != 1 {
						return nil, fmt.Errorf("a bound has %d elements, not one", len(b))
					}
					bounds[i] = b[0]
				}
			}
			out := make([]float64, len(d))
			for i, v := range y {
				if v > bounds[0] && v < bounds[1] {
					out[i] = d[i]
				}
			}
			return single(ofFloats(in[0].DType, in[0].Shape, out))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("ClipGrad", nil, dy[0], n.In(1), n.In(2), n.In(3)), nil, nil, nil}, nil
		}},

	// GeluGrad(dy, x) is dy*(Phi(x) + x*phi(x)), Phi and phi the normal
	// distribution and its density (Hendrycks & Gimpel 2016).
	Def{Domain: graph.Pare, Name: "GeluGrad", Infer: sameShapes,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			d, x, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			out := make([]float64, len(d))
			for i, v := range x {
				out[i] = d[i] * (.5*(1+math.Erf(v/math.Sqrt2)) + v*math.Exp(-v*v/2)/math.Sqrt(2*math.Pi))
			}
			return single(ofFloats(in[0].DType, in[0].Shape, out))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			// the second derivative is (2 - x^2)*phi(x)
			d, x := n.In(0), n.In(1)
			phi := b.Op("Mul", b.Scalar(1/math.Sqrt(2*math.Pi), x), b.Op("Exp", b.Op("Mul", square(b, x), b.Scalar(-.5, x))))
			second := b.Op("Mul", b.Op("Sub", b.Scalar(2, x), square(b, x)), phi)
			return []*graph.Value{b.Pare("GeluGrad", nil, dy[0], x), b.Op("Mul", b.Op("Mul", dy[0], d), second)}, nil
		}},
)

// sameShapes infers the shape of an adjoint from its two inputs, which must be
// of one shape.
func sameShapes(c *Infer) error {
	if a, e := c.Shape(0), c.Shape(1); a != nil && e != nil && !a.Equal(e) {
		return fmt.Errorf("shapes %v and %v differ", a, e)
	}
	return sameAs(c)
}
