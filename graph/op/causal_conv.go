package op

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// CausalConvWithState convolves every channel with its own kernel over the
// present and past places; the last places are passed on as a state.

func inferCausal(c *Infer) error {
	x, w, err := c.pair()
	if err != nil {
		return err
	}
	if x.Shape != nil && len(x.Shape) != 3 || w.Shape != nil && len(w.Shape) != 3 {
		return fmt.Errorf("input %v and kernel %v must be of rank 3", x.Shape, w.Shape)
	}
	c.Out(0, x.DType, x.Shape)
	if x.Shape == nil || w.Shape == nil {
		c.Out(1, x.DType, nil)
		return nil
	}
	c.Out(1, x.DType, graph.Shape{x.Shape[0], x.Shape[1], w.Shape[2].Minus(graph.N(1))})
	return nil
}

// fitsCausal is Fits.
func fitsCausal(_ *graph.Node, in [][]int) error {
	x, w := in[0], in[1]
	if len(x) != 3 || len(w) != 3 || w[0] != x[1] || w[1] != 1 || w[2] < 1 {
		return fmt.Errorf("input %v and kernel %v do not go together", x, w)
	}
	if want := []int{x[0], x[1], w[2] - 1}; len(in) > 3 && in[3] != nil && !slices.Equal(in[3], want) {
		return fmt.Errorf("a state of %v, %v is needed", in[3], want)
	}
	return fitsVectors(in, x[1], 2)
}

var _ = register(
	Def{Name: "CausalConvWithState", Infer: inferCausal, Fits: fitsCausal,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			if err := fitsCausal(n, shapesOf(in)); err != nil {
				return nil, err
			}
			x, w := in[0].Shape, in[1].Shape
			k, long := w[2], x[2]+w[2]-1
			var f [4][]float64
			for i := range f {
				if t := arg(in, i); t != nil {
					var err error
					if f[i], err = floats(t); err != nil {
						return nil, err
					}
				}
			}
			silu, err := swished(n)
			if err != nil {
				return nil, err
			}
			y, state, line := make([]float64, len(f[0])), make([]float64, x[0]*x[1]*(k-1)), make([]float64, long)
			for r := range x[0] * x[1] {
				clear(line)
				if f[3] != nil {
					copy(line, f[3][r*(k-1):(r+1)*(k-1)])
				}
				copy(line[k-1:], f[0][r*x[2]:(r+1)*x[2]])
				c := r % x[1]
				for i := range x[2] {
					s := 0.0
					if f[2] != nil {
						s = f[2][c]
					}
					for j := range k {
						s += line[i+j] * f[1][c*k+j]
					}
					if silu {
						s *= sigmoid(s)
					}
					y[r*x[2]+i] = s
				}
				copy(state[r*(k-1):(r+1)*(k-1)], line[x[2]:])
			}
			return several(in[0].DType, [][]int{x, {x[0], x[1], k - 1}}, y, state)
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			x, ok := n.In(0).Shape.Ints()
			w, known := n.In(1).Shape.Ints()
			if !ok || !known || len(x) != 3 || len(w) != 3 {
				return nil, fmt.Errorf("the shapes %v and %v are not known", n.In(0).Shape, n.In(1).Shape)
			}
			silu, err := swished(n)
			if err != nil {
				return nil, err
			}
			last := []graph.Attr{graph.MakeAttr("axis", 2)}
			past := n.In(3)
			if past == nil {
				z, err := alloc(n.In(0).DType, x[0], x[1], w[2]-1)
				if err != nil {
					return nil, err
				}
				past = b.Const(z)
			}
			line := b.Attr("Concat", last, past, n.In(0))
			in := []*graph.Value{line, n.In(1)}
			if n.In(2) != nil {
				in = append(in, n.In(2))
			}
			y := b.Attr("Conv", []graph.Attr{graph.MakeAttr("group", x[1])}, in...)
			if silu {
				y = b.Op("Mul", y, b.Op("Sigmoid", y))
			}
			at := make([]int, w[2]-1)
			for i := range at {
				at[i] = x[2] + i
			}
			return []*graph.Value{y, b.Attr("Gather", last, line, b.Ints(at...))}, nil
		},
		MACs: func(n *graph.Node) int64 {
			x, w := n.In(0).Shape, n.In(1).Shape
			return int64(x.Size(0, len(x)).Times(w[2]).Mul)
		}},

	// SwiGLU(a, b) is a*sigmoid(alpha*a)*b (Shazeer 2020).
	Def{Name: "SwiGLU", Infer: sameShapes,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			if !slices.Equal(in[0].Shape, in[1].Shape) {
				return nil, fmt.Errorf("shapes %v and %v differ", in[0].Shape, in[1].Shape)
			}
			x, w, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			alpha, y := float64(n.Float("alpha", 1)), make([]float64, len(x))
			for i, v := range x {
				y[i] = v * sigmoid(alpha*v) * w[i]
			}
			return single(ofFloats(in[0].DType, in[0].Shape, y))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			x := n.In(0)
			s := b.Op("Sigmoid", b.Op("Mul", x, b.Scalar(float64(n.Float("alpha", 1)), x)))
			return []*graph.Value{b.Op("Mul", b.Op("Mul", x, s), n.In(1))}, nil
		}},
)

// swished says whether the activation x*sigmoid(x) is applied.
func swished(n *graph.Node) (bool, error) {
	switch a := n.Str("activation", "none"); a {
	case "none":
		return false, nil
	case "silu", "swish":
		return true, nil
	default:
		return false, fmt.Errorf("unknown activation %q", a)
	}
}
