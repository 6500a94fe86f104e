package op

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// rowsFrom splits a shape at an axis: rows before, values a row after.
func rowsFrom(n *graph.Node, shape []int) (rows, k int, err error) {
	a, err := axis(n.Int("axis", -1), len(shape))
	if err != nil {
		return 0, 0, err
	}
	return prod(shape[:a]), prod(shape[a:]), nil
}

// normAxes lists the axes from `axis` on.
func normAxes(n *graph.Node, rank int) []int {
	a, _ := axis(n.Int("axis", -1), rank)
	var out []int
	for d := a; d < rank; d++ {
		out = append(out, d)
	}
	return out
}

// unled is a shape without the ones in front that a longer one than the normalised axes has.
func unled(p, row []int) []int {
	for len(p) > len(row) && p[0] == 1 {
		p = p[1:]
	}
	return p
}

// fitsRow returns an error where a parameter cannot be repeated over the normalised axes.
func fitsRow(p, row []int) error {
	if s, err := broadcastInts(unled(p, row), row); err != nil || !slices.Equal(s, row) {
		return fmt.Errorf("a parameter of shape %v does not fit the normalised axes %v", p, row)
	}
	return nil
}

// repeated broadcasts a parameter to the shape of the normalised axes.
func repeated(p *tensor.Tensor, row []int) ([]float64, error) {
	f, err := floats(p)
	if err != nil {
		return nil, err
	}
	if err := fitsRow(p.Shape, row); err != nil {
		return nil, err
	}
	out := make([]float64, prod(row))
	odometer(row, broadcastStrides(unled(p.Shape, row), row), func(i, off int) { out[i] = f[off] })
	return out, nil
}

// whole adds what broadcasts a parameter of LayerNormalization to the shape of
// the normalised axes.
func whole(b *Builder, n *graph.Node, p *graph.Value) *graph.Value {
	x := n.In(0)
	rank := len(x.Shape)
	a := rank - len(normAxes(n, rank))
	if p.Shape != nil && x.Shape != nil && p.Shape.Equal(x.Shape[a:]) {
		return p
	}
	return b.Op("Expand", p, slice(b, b.Op("Shape", x), 0, a, rank))
}

// momentGrad is the gradient of output i, the mean (1) or 1/std (2), by x.
func momentGrad(b *Builder, n *graph.Node, i int, dy *graph.Value) *graph.Value {
	x := n.In(0)
	count := b.Pare("SumTo", nil, b.Pare("OnesLike", nil, x), dy)
	d := b.Op("Div", dy, count)
	if i == 1 {
		return spread(b, d, x)
	}
	xc := b.Op("Sub", x, reduce(b, "ReduceMean", x, normAxes(n, len(x.Shape)), true))
	cube := b.Op("Mul", n.Out(2), square(b, n.Out(2)))
	return b.Op("Neg", b.Op("Mul", xc, spread(b, b.Op("Mul", d, cube), x)))
}

var _ = register(
	// LayerNormalization(x, scale, bias): each row to mean 0 and variance 1
	// (Ba et al. 2016). Optional outputs: mean and 1/std of the rows.
	Def{Name: "LayerNormalization",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			c.Out(0, x.DType, x.Shape)
			if x.Shape == nil {
				return nil
			}
			a, err := axis(c.Node.Int("axis", -1), len(x.Shape))
			if err != nil {
				return err
			}
			s := append(graph.Shape{}, x.Shape...)
			for d := a; d < len(s); d++ {
				s[d] = graph.N(1)
			}
			if w := c.Shape(1); w != nil {
				if _, err := broadcast(x.Shape[a:], w); err != nil {
					return fmt.Errorf("scale %v does not fit the normalised axes of %v", w, x.Shape)
				}
			}
			c.Out(1, x.DType, s)
			c.Out(2, x.DType, s)
			return nil
		},
		Fits: func(n *graph.Node, in [][]int) error {
			if len(in) < 2 || in[1] == nil {
				return errors.New("input 1, the scale, is missing")
			}
			row := in[0][len(in[0])-len(normAxes(n, len(in[0]))):]
			for _, p := range in[1:] {
				if p == nil {
					continue
				}
				if err := fitsRow(p, row); err != nil {
					return err
				}
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			rows, k, err := rowsFrom(n, in[0].Shape)
			if err != nil {
				return nil, err
			}
			row := in[0].Shape[in[0].Rank()-len(normAxes(n, in[0].Rank())):]
			scale, err := repeated(in[1], row)
			if err != nil {
				return nil, err
			}
			var bias []float64
			if b := arg(in, 2); b != nil {
				if bias, err = repeated(b, row); err != nil {
					return nil, err
				}
			}
			eps := float64(n.Float("epsilon", 1e-5))
			y, mean, istd := make([]float64, len(x)), make([]float64, rows), make([]float64, rows)
			for r := range rows {
				row := x[r*k : (r+1)*k]
				for _, v := range row {
					mean[r] += v / float64(k)
				}
				va := 0.0
				for _, v := range row {
					va += (v - mean[r]) * (v - mean[r]) / float64(k)
				}
				istd[r] = 1 / math.Sqrt(va+eps)
				for i, v := range row {
					y[r*k+i] = (v - mean[r]) * istd[r] * scale[i]
					if bias != nil {
						y[r*k+i] += bias[i]
					}
				}
			}
			s := append([]int{}, in[0].Shape...)
			for d := range normAxes(n, len(s)) {
				s[len(s)-1-d] = 1
			}
			return several(in[0].DType, [][]int{in[0].Shape, s, s}, y, mean, istd)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			x := n.In(0)
			scale, bias := whole(b, n, n.In(1)), n.In(2)
			m := b.Node(graph.Pare, "LayerNormGrad", 3, []*graph.Value{zeroLike(b, dy[0], n.Out(0)), x, scale}, n.Attrs...)
			out := []*graph.Value{m.Outputs[0], sumTo(b, m.Outputs[1], n.In(1)), nil}
			if bias != nil {
				out[2] = sumTo(b, m.Outputs[2], bias)
			}
			for i := 1; i < len(dy); i++ {
				if dy[i] != nil {
					out[0] = b.Op("Add", out[0], momentGrad(b, n, i, dy[i]))
				}
			}
			return out[:len(n.Inputs)], nil
		}},

	// LayerNormGrad(dy, x, scale) gives dx, dscale and dbias.
	Def{Domain: graph.Pare, Name: "LayerNormGrad",
		Infer: inferNormGrad,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			dy, x, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			scale, err := floats(in[2])
			if err != nil {
				return nil, err
			}
			rows, k, err := rowsFrom(n, in[1].Shape)
			if err != nil {
				return nil, err
			}
			if len(scale) != k {
				return nil, fmt.Errorf("scale %v does not fit rows of %d", in[2].Shape, k)
			}
			eps, kf := float64(n.Float("epsilon", 1e-5)), float64(k)
			dx, ds, db := make([]float64, len(x)), make([]float64, k), make([]float64, k)
			for r := range rows {
				row, g := x[r*k:(r+1)*k], dy[r*k:(r+1)*k]
				mean, va := 0.0, 0.0
				for _, v := range row {
					mean += v / kf
				}
				for _, v := range row {
					va += (v - mean) * (v - mean) / kf
				}
				istd := 1 / math.Sqrt(va+eps)
				s1, s2 := 0.0, 0.0
				for i, v := range row {
					xh := (v - mean) * istd
					ds[i] += g[i] * xh
					db[i] += g[i]
					s1 += g[i] * scale[i] / kf
					s2 += g[i] * scale[i] * xh / kf
				}
				for i, v := range row {
					dx[r*k+i] = istd * (g[i]*scale[i] - s1 - (v-mean)*istd*s2)
				}
			}
			return several(in[1].DType, [][]int{in[1].Shape, in[2].Shape, in[2].Shape}, dx, ds, db)
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			dy, x, scale := n.In(0), n.In(1), n.In(2)
			as := normAxes(n, len(x.Shape))
			mean := func(v *graph.Value) *graph.Value { return reduce(b, "ReduceMean", v, as, true) }
			xc := b.Op("Sub", x, mean(x))
			istd := b.Op("Reciprocal", b.Op("Sqrt", b.Op("Add", mean(b.Op("Mul", xc, xc)), b.Scalar(float64(n.Float("epsilon", 1e-5)), x))))
			xh := b.Op("Mul", xc, istd)
			g := b.Op("Mul", dy, scale)
			t := b.Op("Sub", b.Op("Sub", g, mean(g)), b.Op("Mul", xh, mean(b.Op("Mul", g, xh))))
			return []*graph.Value{b.Op("Mul", t, istd), b.Pare("SumTo", nil, b.Op("Mul", dy, xh), scale), b.Pare("SumTo", nil, dy, scale)}, nil
		}},
)
