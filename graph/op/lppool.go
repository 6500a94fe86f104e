package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

var _ = register(
	// LpPool is the p-norm of each window.
	Def{Name: "LpPool", Infer: inferPool,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, g, err := poolArgs(n, in[0], in[0].Shape)
			if err != nil {
				return nil, err
			}
			p := float64(n.Int("p", 2))
			y := make([]float64, g.rows*g.no)
			g.visit(g.in, g.out, func(o, i, tap int) {
				for r := range g.rows {
					y[r*g.no+o] += math.Pow(math.Abs(x[r*g.ni+i]), p)
				}
			})
			for i := range y {
				y[i] = math.Pow(y[i], 1/p)
			}
			return single(ofFloats(in[0].DType, g.shape, y))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			// the mean over the window, padding counted, times its size
			x, p := n.In(0), float64(n.Int("p", 2))
			as, err := fullWindows(n, x.Shape)
			if err != nil {
				return nil, err
			}
			mean := b.Attr("AveragePool", as, b.Op("Pow", b.Op("Abs", x), b.Scalar(p, x)))
			sum := b.Op("Mul", mean, b.Scalar(float64(prod(n.Ints("kernel_shape"))), x))
			return []*graph.Value{b.Op("Pow", sum, b.Scalar(1/p, x))}, nil
		}},

	// GlobalLpPool is the p-norm of each channel.
	Def{Name: "GlobalLpPool", Infer: global("GlobalLpPool", "ReduceL2").Infer,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, rows, c, k, err := channelled(in[0])
			if err != nil {
				return nil, err
			}
			p, y := float64(n.Int("p", 2)), make([]float64, rows*c)
			for i, v := range x {
				y[i/k] += math.Pow(math.Abs(v), p)
			}
			for i := range y {
				y[i] = math.Pow(y[i], 1/p)
			}
			s := append([]int{}, in[0].Shape[:2]...)
			for range in[0].Shape[2:] {
				s = append(s, 1)
			}
			return single(ofFloats(in[0].DType, s, y))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			x, p := n.In(0), float64(n.Int("p", 2))
			sum := reduce(b, "ReduceSum", b.Op("Pow", b.Op("Abs", x), b.Scalar(p, x)), spatialAxes(len(x.Shape)), true)
			return []*graph.Value{b.Op("Pow", sum, b.Scalar(1/p, x))}, nil
		}},
)

// fullWindows are the attributes of an AveragePool that counts padding, enough
// of it that every window is full.
func fullWindows(n *graph.Node, shape graph.Shape) ([]graph.Attr, error) {
	as := withAttr(n.Attrs, "count_include_pad", 1)
	if n.Int("ceil_mode", 0) == 0 {
		return as, nil
	}
	size, ok := shape.Ints()
	if !ok {
		return nil, fmt.Errorf("the size of %v is not known", shape)
	}
	p, err := poolOf(n, size)
	if err != nil {
		return nil, err
	}
	pads := append([]int{}, p.Begin...)
	for i := range p.in {
		reach := (p.out[i]-1)*p.Stride[i] + p.Dilation[i]*(p.Kernel[i]-1) + 1
		pads = append(pads, max(p.End[i], reach-p.in[i]-p.Begin[i]))
	}
	return withAttr(withAttr(withAttr(as, "ceil_mode", 0), "auto_pad", "NOTSET"), "pads", pads), nil
}
