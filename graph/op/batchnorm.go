package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// channels views a tensor [N, C, ...] as n blocks of c rows of k values.
func channels(shape []int) (n, c, k int, err error) {
	if len(shape) < 2 {
		return 0, 0, 0, fmt.Errorf("input of shape %v has no channel axis", shape)
	}
	return shape[0], shape[1], prod(shape[2:]), nil
}

// channelled is a tensor [N, C, ...] and the sizes that channels gives of it.
func channelled(t *tensor.Tensor) (x []float64, n, c, k int, err error) {
	if x, err = floats(t); err != nil {
		return
	}
	n, c, k, err = channels(t.Shape)
	return
}

// channelArgs is a tensor [N, C, ...] of k values for each channel of a sample,
// and parameters [C].
func channelArgs(t *tensor.Tensor, params []*tensor.Tensor) (x []float64, p [][]float64, c, k int, err error) {
	if x, _, c, k, err = channelled(t); err != nil {
		return
	}
	p, err = perChannel(params, c)
	return
}

// perChannel reads parameters of one number for each channel.
func perChannel(in []*tensor.Tensor, c int) ([][]float64, error) {
	out := make([][]float64, len(in))
	for i, t := range in {
		f, err := floats(t)
		if err != nil {
			return nil, err
		}
		if len(f) != c {
			return nil, fmt.Errorf("a parameter of shape %v does not fit %d channels", t.Shape, c)
		}
		out[i] = f
	}
	return out, nil
}

// alongChannels reshapes a vector [C] so that it broadcasts against x [N C ...].
func alongChannels(b *Builder, v, x *graph.Value) *graph.Value {
	s := make([]int, len(x.Shape)-1)
	for i := range s {
		s[i] = 1
	}
	s[0] = -1
	return b.Op("Reshape", v, b.Ints(s...))
}

var _ = register(
	// BatchNormalization in its inference form: y = scale*(x-mean)/sqrt(var+eps) + bias.
	Def{Name: "BatchNormalization",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			for i := 1; i < 5; i++ {
				p, err := c.In(i)
				if err != nil {
					return err
				}
				if len(x.Shape) > 1 && len(p.Shape) == 1 && x.Shape[1].Known() && p.Shape[0].Known() && x.Shape[1] != p.Shape[0] {
					return fmt.Errorf("parameter %q of shape %v does not fit the channels of %v", p.Name, p.Shape, x.Shape)
				}
			}
			c.Out(0, x.DType, x.Shape)
			for i := 1; i < len(c.Node.Outputs); i++ {
				s := c.Shape(3)
				if len(x.Shape) > 1 {
					s = x.Shape[1:2]
				}
				c.Out(i, c.DType(3), s)
			}
			return nil
		},
		Fits: func(n *graph.Node, in [][]int) error {
			if len(in[0]) < 2 {
				return nil // Eval says what it makes of it
			}
			return fitsVectors(in, in[0][1], 1, 2, 3, 4)
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			if n.Int("training_mode", 0) != 0 {
				return evalNormTrainingMode(n, in)
			}
			x, p, c, k, err := channelArgs(in[0], in[1:5])
			if err != nil {
				return nil, err
			}
			eps := float64(n.Float("epsilon", 1e-5))
			y := make([]float64, len(x))
			for i, v := range x {
				j := i / k % c
				y[i] = (v-p[2][j])/math.Sqrt(p[3][j]+eps)*p[0][j] + p[1][j]
			}
			return single(ofFloats(in[0].DType, in[0].Shape, y))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			if n.Int("training_mode", 0) != 0 {
				return normTrainingMode(b, n), nil
			}
			x := n.In(0)
			istd := b.Op("Reciprocal", b.Op("Sqrt", b.Op("Add", n.In(4), b.Scalar(float64(n.Float("epsilon", 1e-5)), x))))
			g := alongChannels(b, b.Op("Mul", n.In(1), istd), x)
			xc := b.Op("Sub", x, alongChannels(b, n.In(3), x))
			return []*graph.Value{b.Op("Add", b.Op("Mul", xc, g), alongChannels(b, n.In(2), x))}, nil
		}},

	// BatchNormTrain(x, scale, bias) normalises by the batch: outputs y, the
	// mean, 1/sqrt(var+eps) and the (biased) variance of each channel
	// (Ioffe & Szegedy 2015, algorithm 1). Only y carries a gradient; where a
	// gradient flows into the statistics too, the node is decomposed.
	Def{Domain: graph.Pare, Name: "BatchNormTrain",
		Infer: func(c *Infer) error {
			if err := sameAs(c); err != nil {
				return err
			}
			for i := 1; i < 4; i++ {
				c.Out(i, c.DType(0), c.Shape(1))
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, p, c, k, err := channelArgs(in[0], in[1:3])
			if err != nil {
				return nil, err
			}
			mean, vari := batchMoments(x, c, k)
			istd := make([]float64, c)
			for j := range istd {
				istd[j] = 1 / math.Sqrt(vari[j]+float64(n.Float("epsilon", 1e-5)))
			}
			y := make([]float64, len(x))
			for i, v := range x {
				j := i / k % c
				y[i] = (v-mean[j])*istd[j]*p[0][j] + p[1][j]
			}
			return several(in[0].DType, [][]int{in[0].Shape, {c}, {c}, {c}}, y, mean, istd, vari)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			x := n.In(0)
			m := b.Node(graph.Pare, "BatchNormGrad", 3, []*graph.Value{zeroLike(b, dy[0], n.Out(0)), x, n.In(1), n.Out(1), n.Out(2)}, n.Attrs...)
			dx := m.Outputs[0]
			// the statistics as functions of x: mean, istd, var
			dm, dv := dy[1], dy[3]
			if dy[2] != nil { // istd = (var+eps)^(-1/2)
				cube := b.Op("Mul", n.Out(2), b.Op("Mul", n.Out(2), n.Out(2)))
				d := b.Op("Mul", b.Op("Mul", dy[2], cube), b.Scalar(-.5, x))
				if dv == nil {
					dv = d
				} else {
					dv = b.Op("Add", dv, d)
				}
			}
			if dm != nil || dv != nil {
				rows := sumChannels(b, b.Pare("OnesLike", nil, x))
				if dm != nil {
					dx = b.Op("Add", dx, b.Pare("BroadcastTo", nil, alongChannels(b, b.Op("Div", dm, rows), x), x))
				}
				if dv != nil {
					xc := b.Op("Sub", x, alongChannels(b, n.Out(1), x))
					g := b.Op("Mul", b.Op("Div", dv, rows), b.Scalar(2, x))
					dx = b.Op("Add", dx, b.Op("Mul", xc, alongChannels(b, g, x)))
				}
			}
			return []*graph.Value{dx, m.Outputs[1], m.Outputs[2]}, nil
		}},

	// BatchNormGrad(dy, x, scale, mean, istd) gives dx, dscale and dbias. mean
	// and istd are those of x.
	Def{Domain: graph.Pare, Name: "BatchNormGrad",
		Infer: inferNormGrad,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			dy, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			x, p, c, k, err := channelArgs(in[1], in[2:5])
			if err != nil {
				return nil, err
			}
			ds, db := make([]float64, c), make([]float64, c)
			for i, d := range dy {
				j := i / k % c
				db[j] += d
				ds[j] += d * (x[i] - p[1][j]) * p[2][j]
			}
			m := float64(len(x) / c)
			dx := make([]float64, len(x))
			for i, d := range dy {
				j := i / k % c
				xh := (x[i] - p[1][j]) * p[2][j]
				dx[i] = p[0][j] * p[2][j] * (d - db[j]/m - xh*ds[j]/m)
			}
			return several(in[1].DType, [][]int{in[1].Shape, {c}, {c}}, dx, ds, db)
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			dy, x, scale, mean, istd := n.In(0), n.In(1), n.In(2), n.In(3), n.In(4)
			xh := b.Op("Mul", b.Op("Sub", x, alongChannels(b, mean, x)), alongChannels(b, istd, x))
			db := sumChannels(b, dy)
			ds := sumChannels(b, b.Op("Mul", dy, xh))
			rows := sumChannels(b, b.Pare("OnesLike", nil, x))
			t := b.Op("Sub", dy, alongChannels(b, b.Op("Div", db, rows), x))
			t = b.Op("Sub", t, b.Op("Mul", xh, alongChannels(b, b.Op("Div", ds, rows), x)))
			return []*graph.Value{b.Op("Mul", t, alongChannels(b, b.Op("Mul", scale, istd), x)), ds, db}, nil
		}},
)

// inferNormGrad infers the gradient of a normalisation (dy, x, scale, ...): dx,
// dscale and dbias.
func inferNormGrad(c *Infer) error {
	c.Out(0, c.DType(1), c.Shape(1))
	c.Out(1, c.DType(1), c.Shape(2))
	c.Out(2, c.DType(1), c.Shape(2))
	return nil
}

// zeroLike is d, or zeros where it is nil.
func zeroLike(b *Builder, d, like *graph.Value) *graph.Value {
	if d != nil {
		return d
	}
	return b.Pare("ZerosLike", nil, like)
}

// several wraps results of one type.
func several(d tensor.DType, shapes [][]int, data ...[]float64) ([]*tensor.Tensor, error) {
	var out []*tensor.Tensor
	for i, x := range data {
		t, err := ofFloats(d, shapes[i], x)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// batchMoments gives mean and biased variance of each of c channels.
func batchMoments(x []float64, c, k int) (mean, vari []float64) {
	mean, vari = make([]float64, c), make([]float64, c)
	m := float64(len(x) / c)
	for i, v := range x {
		mean[i/k%c] += v / m
	}
	for i, v := range x {
		d := v - mean[i/k%c]
		vari[i/k%c] += d * d / m
	}
	return
}

// normTrainingMode decomposes BatchNormalization with training_mode 1.
func normTrainingMode(b *Builder, n *graph.Node) []*graph.Value {
	x := n.In(0)
	m := b.Node(graph.Pare, "BatchNormTrain", 4, []*graph.Value{x, n.In(1), n.In(2)}, graph.MakeAttr("epsilon", n.Float("epsilon", 1e-5)))
	mom := float64(n.Float("momentum", .9))
	move := func(running, batch *graph.Value) *graph.Value {
		return b.Op("Add", b.Op("Mul", running, b.Scalar(mom, x)), b.Op("Mul", batch, b.Scalar(1-mom, x)))
	}
	return []*graph.Value{m.Outputs[0], move(n.In(3), m.Outputs[1]), move(n.In(4), m.Outputs[3])}
}

// evalNormTrainingMode is BatchNormalization with training_mode 1 (opset 14 on).
func evalNormTrainingMode(n *graph.Node, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	x, p, c, k, err := channelArgs(in[0], in[1:5])
	if err != nil {
		return nil, err
	}
	mean, vari := batchMoments(x, c, k)
	mom, eps := float64(n.Float("momentum", .9)), float64(n.Float("epsilon", 1e-5))
	y, rm, rv := make([]float64, len(x)), make([]float64, c), make([]float64, c)
	for i, v := range x {
		j := i / k % c
		y[i] = (v-mean[j])/math.Sqrt(vari[j]+eps)*p[0][j] + p[1][j]
	}
	for j := range rm {
		rm[j], rv[j] = mom*p[2][j]+(1-mom)*mean[j], mom*p[3][j]+(1-mom)*vari[j]
	}
	return several(in[0].DType, [][]int{in[0].Shape, {c}, {c}}, y, rm, rv)
}
