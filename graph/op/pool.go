package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

func inferPool(c *Infer) error {
	c.Out(1, tensor.Int64, nil)
	x, err := c.ranked()
	if x == nil {
		return err
	}
	kernel := c.Node.Ints("kernel_shape")
	if len(x.Shape) != len(kernel)+2 {
		return fmt.Errorf("kernel %v does not fit input %v", kernel, x.Shape)
	}
	sp, err := windowShape(c.Node, kernel, x.Shape[2:])
	if err != nil {
		return err
	}
	out := append(append(graph.Shape{}, x.Shape[:2]...), sp...)
	c.Out(0, x.DType, out)
	c.Out(1, tensor.Int64, out)
	return nil
}

// pooling is the geometry of a pooling over an input with known sizes.
type pooling struct {
	*Window
	rows    int   // N*C
	in, out []int // spatial sizes
	ni, no  int   // their products
	shape   []int // of the result
}

func poolOf(n *graph.Node, shape []int) (*pooling, error) {
	kernel := n.Ints("kernel_shape")
	if len(shape) != len(kernel)+2 {
		return nil, fmt.Errorf("kernel %v does not fit input %v", kernel, shape)
	}
	in := shape[2:]
	w, err := WindowOf(n, kernel, in)
	if err != nil {
		return nil, err
	}
	out := make([]int, len(in))
	for i := range in {
		if out[i], err = w.Out(i, in[i]); err != nil {
			return nil, err
		}
	}
	return &pooling{Window: w, rows: shape[0] * shape[1], in: in, out: out, ni: prod(in), no: prod(out),
		shape: append(append([]int{}, shape[:2]...), out...)}, nil
}

// poolArgs reads a tensor and the geometry of a pooling over an input of the
// given shape.
func poolArgs(n *graph.Node, t *tensor.Tensor, shape []int) ([]float64, *pooling, error) {
	x, err := floats(t)
	if err != nil {
		return nil, nil, err
	}
	p, err := poolOf(n, shape)
	return x, p, err
}

// averageWeights gives for every output place one over the number of
// positions that count.
func (p *pooling) averageWeights(n *graph.Node) []float64 {
	count := make([]float64, p.no)
	if n.Int("count_include_pad", 0) == 0 {
		p.visit(p.in, p.out, func(o, i, tap int) { count[o]++ })
	} else {
		// padding counts, what a ceil_mode place reaches beyond it does not
		padded, full := *p.Window, make([]int, len(p.in))
		padded.Begin, padded.End = make([]int, len(p.in)), make([]int, len(p.in))
		for d := range p.in {
			full[d] = p.in[d] + p.Begin[d] + p.End[d]
		}
		padded.visit(full, p.out, func(o, i, tap int) { count[o]++ })
	}
	for o := range count {
		count[o] = 1 / count[o]
	}
	return count
}

var _ = register(
	Def{Name: "MaxPool", Infer: inferPool,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			y, at, shape, err := maxPool(n, x, in[0].Shape)
			if err != nil {
				return nil, err
			}
			t, err := ofFloats(in[0].DType, shape, y)
			if err != nil {
				return nil, err
			}
			idx := tensor.New(tensor.Int64, shape...)
			for i, a := range at {
				if n.Int("storage_order", 0) != 0 {
					a = columnMajor(a, in[0].Shape[2:])
				}
				tensor.Of[int64](idx)[i] = int64(a)
			}
			return []*tensor.Tensor{t, idx}, nil
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("MaxPoolGrad", n.Attrs, dy[0], n.In(0))}, nil
		}},

	// MaxPoolGrad(dy, x) sends each gradient to the first maximum of its window.
	Def{Domain: graph.Pare, Name: "MaxPoolGrad",
		Infer: func(c *Infer) error { c.Out(0, c.DType(1), c.Shape(1)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			dy, x, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			_, at, _, err := maxPool(n, x, in[1].Shape)
			if err != nil {
				return nil, err
			}
			dx := make([]float64, len(x))
			for i, a := range at {
				dx[a] += dy[i]
			}
			return single(ofFloats(in[1].DType, in[1].Shape, dx))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("MaxPoolPick", n.Attrs, dy[0], n.In(1)), nil}, nil
		}},

	// MaxPoolPick(u, x) reads u where the windows of x have their maxima: the
	// adjoint of MaxPoolGrad.
	Def{Domain: graph.Pare, Name: "MaxPoolPick", Infer: inferPool,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			u, x, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			y, at, shape, err := maxPool(n, x, in[1].Shape)
			if err != nil {
				return nil, err
			}
			for i, a := range at {
				y[i] = u[a]
			}
			return single(ofFloats(in[0].DType, shape, y))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("MaxPoolGrad", n.Attrs, dy[0], n.In(1)), nil}, nil
		}},

	Def{Name: "AveragePool", Infer: inferPool,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, p, err := poolArgs(n, in[0], in[0].Shape)
			if err != nil {
				return nil, err
			}
			wt, ni, no := p.averageWeights(n), p.ni, p.no
			y := make([]float64, p.rows*no)
			p.visit(p.in, p.out, func(o, i, tap int) {
				for r := range p.rows {
					y[r*no+o] += x[r*ni+i] * wt[o]
				}
			})
			return single(ofFloats(in[0].DType, p.shape, y))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("AveragePoolGrad", n.Attrs, dy[0], n.In(0))}, nil
		}},

	// AveragePoolGrad(dy, like) spreads each gradient evenly over its window.
	Def{Domain: graph.Pare, Name: "AveragePoolGrad",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(1)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			dy, p, err := poolArgs(n, in[0], in[1].Shape)
			if err != nil {
				return nil, err
			}
			wt, ni, no := p.averageWeights(n), p.ni, p.no
			dx := make([]float64, p.rows*ni)
			p.visit(p.in, p.out, func(o, i, tap int) {
				for r := range p.rows {
					dx[r*ni+i] += dy[r*no+o] * wt[o]
				}
			})
			return single(ofFloats(in[0].DType, in[1].Shape, dx))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Attr("AveragePool", n.Attrs, dy[0]), nil}, nil
		}},

	global("GlobalAveragePool", "ReduceMean"),
	global("GlobalMaxPool", "ReduceMax"),
)

// maxPool gives the maxima, their flat positions in x (the first of equals),
// and the output's shape.
func maxPool(n *graph.Node, x []float64, shape []int) (y []float64, at []int, out []int, err error) {
	p, err := poolOf(n, shape)
	if err != nil {
		return nil, nil, nil, err
	}
	ni, no := p.ni, p.no
	y, at = make([]float64, p.rows*no), make([]int, p.rows*no)
	for i := range y {
		y[i], at[i] = math.Inf(-1), -1
	}
	p.visit(p.in, p.out, func(o, i, tap int) {
		for r := range p.rows {
			if v := x[r*ni+i]; v > y[r*no+o] || at[r*no+o] < 0 || v != v {
				y[r*no+o], at[r*no+o] = v, r*ni+i
			}
		}
	})
	return y, at, p.shape, nil
}

// columnMajor is the position in a tensor whose spatial axes are stored the
// first one fastest of the element at i where the last one is.
func columnMajor(i int, spatial []int) int {
	plane := prod(spatial)
	rest, at, step := i%plane, 0, plane
	for d := len(spatial) - 1; d >= 0; d-- {
		step /= spatial[d]
		at += rest % spatial[d] * step
		rest /= spatial[d]
	}
	return i/plane*plane + at
}

// global pools over all spatial positions; it is a reduction with a name.
func global(name, reduction string) Def {
	return Def{Name: name,
		Infer: func(c *Infer) error {
			x, err := c.ranked()
			if x == nil {
				return err
			}
			if len(x.Shape) < 3 {
				return fmt.Errorf("input %v has no spatial axes", x.Shape)
			}
			s := append(graph.Shape{}, x.Shape[:2]...)
			for range x.Shape[2:] {
				s = append(s, graph.N(1))
			}
			c.Out(0, x.DType, s)
			return nil
		},
		Eval: func(n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			m := &graph.Node{Attrs: []graph.Attr{graph.MakeAttr("axes", spatialAxes(in[0].Rank()))}}
			return Lookup("", reduction).Eval(m, opset, in)
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			return []*graph.Value{reduce(b, reduction, n.In(0), spatialAxes(len(n.In(0).Shape)), true)}, nil
		},
	}
}
