package op

import (
	"fmt"
	"hash/fnv"
	"math"

	"pare/graph"
	"pare/tensor"

	"gonum.org/v1/gonum/mathext/prng"
)

// Random operators draw from the Mersenne twister as NumPy's RandomState does,
// which ONNX's own evaluation uses: the same seed gives the same numbers.
// Without a seed it is the node's name, so that a network gives the same
// numbers each time.

type twister struct {
	src   *prng.MT19937
	spare float64 // the second of two normal numbers
	has   bool
}

func twisterOf(n *graph.Node) *twister {
	t := &twister{src: prng.NewMT19937()}
	switch a := n.Attr("seed"); {
	case a != nil && a.Kind == graph.AttrInt:
		t.src.Seed(uint64(a.I))
	case a != nil:
		t.src.Seed(uint64(int64(a.F)))
	default:
		h := fnv.New32a()
		h.Write([]byte(n.Name))
		t.src.Seed(uint64(h.Sum32()))
	}
	return t
}

// uniform is a number in [0, 1) of 53 bits.
func (t *twister) uniform() float64 {
	a, b := t.src.Uint32()>>5, t.src.Uint32()>>6
	return (float64(a)*(1<<26) + float64(b)) / (1 << 53)
}

// normal is a standard normal number by the polar method (Marsaglia & Bray 1964).
func (t *twister) normal() float64 {
	if t.has {
		t.has = false
		return t.spare
	}
	for {
		x, y := 2*t.uniform()-1, 2*t.uniform()-1
		if r := x*x + y*y; r < 1 && r != 0 {
			f := math.Sqrt(-2 * math.Log(r) / r)
			t.spare, t.has = f*x, true
			return f * y
		}
	}
}

// drawn defines an operator that fills a tensor with random numbers, of a
// shape of its own or like its input.
func drawn(name string, like bool, next func(n *graph.Node, t *twister) float64) Def {
	shapeOf := func(n *graph.Node) ([]int, error) {
		s := n.Ints("shape")
		if s == nil {
			return nil, fmt.Errorf("no shape is given")
		}
		return s, nil
	}
	typeOf := func(n *graph.Node, in tensor.DType) (tensor.DType, error) {
		def := tensor.Float32
		if like {
			def = in
		}
		d := tensor.DType(n.Int("dtype", int(def)))
		if !d.IsFloat() {
			return 0, fmt.Errorf("dtype %v is not a floating-point type", d)
		}
		return d, nil
	}
	return Def{Name: name, Grad: noGrad,
		Infer: func(c *Infer) error {
			d, err := typeOf(c.Node, c.DType(0))
			if err != nil {
				return err
			}
			if like {
				c.Out(0, d, c.Shape(0))
				return nil
			}
			s, err := shapeOf(c.Node)
			if err != nil {
				return err
			}
			if _, ok := tensor.Size(s); !ok {
				return fmt.Errorf("shape %v is not possible", s)
			}
			c.Out(0, d, graph.Dims(s...))
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			var s []int
			var in0 tensor.DType
			if like {
				s, in0 = in[0].Shape, in[0].DType
			} else {
				var err error
				if s, err = shapeOf(n); err != nil {
					return nil, err
				}
			}
			d, err := typeOf(n, in0)
			if err != nil {
				return nil, err
			}
			out, err := alloc(d, s...)
			if err != nil {
				return nil, err
			}
			t, x := twisterOf(n), make([]float64, out.Len())
			for i := range x {
				x[i] = next(n, t)
			}
			return single(out, fill(out, x))
		}}
}

func nextUniform(n *graph.Node, t *twister) float64 {
	lo, hi := float64(n.Float("low", 0)), float64(n.Float("high", 1))
	return lo + t.uniform()*(hi-lo)
}

func nextNormal(n *graph.Node, t *twister) float64 {
	return float64(n.Float("mean", 0)) + t.normal()*float64(n.Float("scale", 1))
}

var _ = register(
	drawn("RandomUniform", false, nextUniform),
	drawn("RandomUniformLike", true, nextUniform),
	drawn("RandomNormal", false, nextNormal),
	drawn("RandomNormalLike", true, nextNormal),

	// Bernoulli is 1 with the probability that its input says, else 0.
	Def{Name: "Bernoulli", Grad: noGrad,
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			d := tensor.DType(c.Node.Int("dtype", int(x.DType)))
			if !d.Valid() || d == tensor.String {
				return fmt.Errorf("dtype %v is not a type of numbers", d)
			}
			c.Out(0, d, x.Shape)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			p, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			t, y := twisterOf(n), make([]float64, len(p))
			for i, v := range p {
				y[i] = flag(t.uniform() < v)
			}
			return single(ofFloats(tensor.DType(n.Int("dtype", int(in[0].DType))), in[0].Shape, y))
		}},

	// Multinomial draws classes from rows of logarithms of probabilities.
	Def{Name: "Multinomial", Grad: noGrad,
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			d := tensor.DType(c.Node.Int("dtype", int(tensor.Int32)))
			if d != tensor.Int32 && d != tensor.Int64 {
				return fmt.Errorf("dtype %v: classes must be int32 or int64", d)
			}
			if x.Shape != nil && len(x.Shape) != 2 {
				return fmt.Errorf("%v is not [rows classes]", x.Shape)
			}
			rows := unknownDim(c, 0, 0)
			if x.Shape != nil {
				rows = x.Shape[0]
			}
			c.Out(0, d, graph.Shape{rows, graph.N(c.Node.Int("sample_size", 1))})
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			if in[0].Rank() != 2 || in[0].Shape[1] == 0 {
				return nil, fmt.Errorf("%v is not [rows classes]", in[0].Shape)
			}
			rows, classes, draws := in[0].Shape[0], in[0].Shape[1], n.Int("sample_size", 1)
			out, err := alloc(tensor.DType(n.Int("dtype", int(tensor.Int32))), rows, draws)
			if err != nil {
				return nil, err
			}
			t, y := twisterOf(n), make([]float64, out.Len())
			for r := range rows {
				row := x[r*classes : (r+1)*classes]
				total := logSum(row)
				for k := range draws {
					u, class := t.uniform(), 0
					for ; class < classes-1; class++ {
						if u -= math.Exp(row[class] - total); u < 0 {
							break
						}
					}
					y[r*draws+k] = float64(class)
				}
			}
			return single(out, fill(out, y))
		}},

	// Dropout passes its input on, and in training sets elements to zero with a
	// probability, the others growing in turn (Srivastava et al. 2014).
	Def{Name: "Dropout",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			mask := tensor.Bool
			if c.Opset < 10 {
				mask = x.DType
			}
			c.Out(1, mask, x.Shape)
			c.Out(0, x.DType, x.Shape)
			if d, ok := c.Contents(0); ok && !trains(c) {
				c.SetContents(d)
			}
			return nil
		},
		Eval: func(n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			ratio, on, err := dropping(in)
			if err != nil {
				return nil, err
			}
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			t, y, keep := twisterOf(n), make([]float64, len(x)), make([]float64, len(x))
			for i, v := range x {
				if y[i], keep[i] = v, 1; on && ratio > 0 {
					keep[i] = flag(t.uniform() >= ratio)
					y[i] = v * keep[i] * growth(ratio)
				}
			}
			out, err := ofFloats(in[0].DType, in[0].Shape, y)
			if err != nil {
				return nil, err
			}
			d := tensor.Bool
			if opset < 10 {
				d = in[0].DType
			}
			mask, err := ofFloats(d, in[0].Shape, keep)
			return []*tensor.Tensor{out, mask}, err
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			training := n.In(2)
			if training == nil || training.IsConst() && !tensor.Of[bool](training.Const)[0] {
				return []*graph.Value{dy[0], nil, nil}, nil
			}
			if n.Out(1) == nil { // the mask is needed
				n.Outputs = append(n.Outputs[:1:1], &graph.Value{Name: b.G.Fresh(n.Name + "/mask"), From: n, DType: tensor.Bool, Shape: n.In(0).Shape})
			}
			var ratio *graph.Value
			if r := n.In(1); r != nil {
				ratio = cast(b, r, dy[0].DType)
			} else {
				ratio = b.Scalar(.5, dy[0])
			}
			zero, one := b.Scalar(0, dy[0]), b.Scalar(1, dy[0])
			left := b.Op("Sub", one, ratio)
			none := b.Op("Equal", left, zero)
			grow := b.Op("Where", none, zero, b.Op("Reciprocal", b.Op("Where", none, one, left)))
			grow = b.Op("Where", training, grow, one)
			return []*graph.Value{b.Op("Mul", b.Op("Mul", dy[0], cast(b, n.Out(1), dy[0].DType)), grow), nil, nil}, nil
		}},
)

// trains says whether a Dropout may drop anything.
func trains(c *Infer) bool {
	if c.Node.In(2) == nil {
		return false
	}
	k, ok := c.Ints(2)
	return !ok || len(k) != 1 || k[0] != 0
}

// dropping reads the ratio and whether a Dropout is in training, which it is
// by an input from opset 12 on, and never before.
func dropping(in []*tensor.Tensor) (ratio float64, on bool, err error) {
	ratio = .5
	if r := arg(in, 1); r != nil {
		f, err := floats(r)
		if err != nil || len(f) != 1 || !(f[0] >= 0 && f[0] <= 1) {
			return 0, false, fmt.Errorf("the ratio is %v, not one number from 0 to 1", f)
		}
		ratio = f[0]
	}
	if t := arg(in, 2); t != nil {
		b := tensor.Of[bool](t)
		if len(b) != 1 {
			return 0, false, fmt.Errorf("training_mode is %v, not one bool", t)
		}
		on = b[0]
	}
	return ratio, on, nil
}

// growth is what the elements that stay are multiplied by.
func growth(ratio float64) float64 {
	if ratio == 1 {
		return 0
	}
	return 1 / (1 - ratio)
}
