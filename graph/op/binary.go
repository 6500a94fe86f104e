package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// binary describes an elementwise operator of two inputs that broadcast.
type binary struct {
	name   string
	float  func(x, y float64) float64
	int    func(x, y int64) int64
	dims   func(x, y graph.Dim) (graph.Dim, bool) // on contents of shapes; nil: not followed
	isBool bool                                   // the result is bool
	grad   func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (dx, dw *graph.Value)
}

func (s binary) def() Def {
	d := Def{Name: s.name,
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			y, err := c.In(1)
			if err != nil {
				return err
			}
			shape, err := broadcast(x.Shape, y.Shape)
			if err != nil {
				return err
			}
			if x.DType != y.DType && x.DType != 0 && y.DType != 0 && s.name != "Pow" && s.name != "BitShift" {
				return fmt.Errorf("inputs are %v and %v: types must agree", x.DType, y.DType)
			}
			t := x.DType
			if s.isBool {
				t = tensor.Bool
			}
			c.Out(0, t, shape)
			if s.dims != nil && x.DType.IsInt() {
				s.follow(c)
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			return single(s.eval(n, in[0], in[1]))
		},
	}
	d.Grad = func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		if s.grad == nil {
			return []*graph.Value{nil, nil}, nil
		}
		x, y := n.In(0), n.In(1)
		dx, dw := s.grad(b, n, dy[0], x, y, n.Out(0))
		return []*graph.Value{sumTo(b, dx, x), sumTo(b, dw, y)}, nil
	}
	return d
}

// follow computes contents of shapes elementwise; a single element broadcasts.
func (s binary) follow(c *Infer) {
	a, ok1 := c.Contents(0)
	e, ok2 := c.Contents(1)
	if !ok1 || !ok2 || len(a) != len(e) && len(a) != 1 && len(e) != 1 {
		return
	}
	n := max(len(a), len(e))
	if len(a) == 0 || len(e) == 0 {
		n = 0
	}
	out := make([]graph.Dim, n)
	for i := range out {
		d, ok := s.dims(a[min(i, len(a)-1)], e[min(i, len(e)-1)])
		if !ok {
			return
		}
		out[i] = d
	}
	c.SetContents(out)
}

func (s binary) eval(n *graph.Node, x, y *tensor.Tensor) (*tensor.Tensor, error) {
	shape, err := broadcastInts(x.Shape, y.Shape)
	if err != nil {
		return nil, err
	}
	t := x.DType
	if s.isBool {
		t = tensor.Bool
	}
	out, err := alloc(t, shape...)
	if err != nil {
		return nil, err
	}
	sx, sy := broadcastStrides(x.Shape, shape), broadcastStrides(y.Shape, shape)
	offs := make([]int32, out.Len())
	odometer(shape, sy, func(i, off int) { offs[i] = int32(off) })
	if s.int != nil && !x.DType.IsFloat() && !y.DType.IsFloat() {
		a, err := x.Int64s()
		if err != nil {
			return nil, err
		}
		b, err := y.Int64s()
		if err != nil {
			return nil, err
		}
		if s.name == "Div" || s.name == "Mod" {
			for _, v := range b {
				if v == 0 {
					return nil, fmt.Errorf("integer division by zero")
				}
			}
		}
		r := make([]int64, out.Len())
		odometer(shape, sx, func(i, off int) { r[i] = s.int(a[off], b[offs[i]]) })
		return out, fillInts(out, r)
	}
	a, err := floats(x)
	if err != nil {
		return nil, err
	}
	b, err := floats(y)
	if err != nil {
		return nil, err
	}
	f := s.float
	if f == nil {
		return nil, fmt.Errorf("%s does not take %v", s.name, x.DType)
	}
	r := make([]float64, out.Len())
	odometer(shape, sx, func(i, off int) { r[i] = f(a[off], b[offs[i]]) })
	return out, fill(out, r)
}

// sumTo reduces a gradient to the shape of a broadcast input.
func sumTo(b *Builder, d, like *graph.Value) *graph.Value {
	if d == nil || like == nil || d.Shape.Equal(like.Shape) {
		return d
	}
	return b.Pare("SumTo", nil, d, like)
}

func flag(c bool) float64 {
	if c {
		return 1
	}
	return 0
}

func flagInt(c bool) int64 {
	if c {
		return 1
	}
	return 0
}

func compare(name string, f func(x, y float64) bool, g func(x, y int64) bool) Def {
	return binary{name: name, isBool: true,
		float: func(x, y float64) float64 { return flag(f(x, y)) },
		int:   func(x, y int64) int64 { return flagInt(g(x, y)) }}.def()
}

func logical(name string, f func(x, y bool) bool) Def {
	return binary{name: name, isBool: true, int: func(x, y int64) int64 { return flagInt(f(x != 0, y != 0)) }}.def()
}

func exact(f func(x, y graph.Dim) graph.Dim) func(x, y graph.Dim) (graph.Dim, bool) {
	return func(x, y graph.Dim) (graph.Dim, bool) { return f(x, y), true }
}

// choose is the gradient of Max and Min: it goes to the chosen operand, to the
// first where both are equal.
func choose(cmp string) func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (dx, dw *graph.Value) {
	return func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (*graph.Value, *graph.Value) {
		m := cast(b, b.Op(cmp, x, y), dy.DType)
		return b.Op("Mul", dy, m), b.Op("Mul", dy, oneMinus(b, m))
	}
}

var _ = register(
	binary{name: "Add", float: func(x, y float64) float64 { return x + y }, int: func(x, y int64) int64 { return x + y },
		dims: exact(graph.Dim.Plus),
		grad: func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (*graph.Value, *graph.Value) { return dy, dy }}.def(),
	binary{name: "Sub", float: func(x, y float64) float64 { return x - y }, int: func(x, y int64) int64 { return x - y },
		dims: exact(graph.Dim.Minus),
		grad: func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (*graph.Value, *graph.Value) {
			return dy, b.Op("Neg", dy)
		}}.def(),
	binary{name: "Mul", float: func(x, y float64) float64 { return x * y }, int: func(x, y int64) int64 { return x * y },
		dims: exact(graph.Dim.Times),
		grad: func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (dx, dw *graph.Value) {
			return b.Op("Mul", dy, y), b.Op("Mul", dy, x)
		}}.def(),
	binary{name: "Div", float: func(x, y float64) float64 { return x / y }, int: func(x, y int64) int64 { return x / y },
		dims: func(x, y graph.Dim) (graph.Dim, bool) {
			if x.Known() && y.Known() && y.Mul != 0 {
				return graph.N(x.Mul / y.Mul), true
			}
			return x.Over(y)
		},
		grad: func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (dx, dw *graph.Value) {
			q := b.Op("Div", dy, y)
			return q, b.Op("Neg", b.Op("Mul", q, z))
		}}.def(),
	binary{name: "Pow", float: math.Pow, int: func(x, y int64) int64 { return int64(math.Pow(float64(x), float64(y))) },
		grad: func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (dx, dw *graph.Value) {
			e := cast(b, y, x.DType)
			dx = b.Op("Mul", dy, b.Op("Mul", e, b.Op("Pow", x, b.Op("Sub", e, b.Scalar(1, x)))))
			if !y.IsConst() || y.Role == graph.Param {
				safe := b.Op("Where", b.Op("Greater", x, b.Scalar(0, x)), x, b.Scalar(1, x))
				dw = b.Op("Mul", dy, b.Op("Mul", z, b.Op("Log", safe)))
			}
			return dx, dw
		}}.def(),
	binary{name: "PRelu", float: func(x, s float64) float64 {
		if x < 0 {
			return s * x
		}
		return x
	}, grad: func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (dx, dw *graph.Value) {
		neg := b.Op("Less", x, b.Scalar(0, x))
		dx = b.Op("Where", neg, b.Op("Mul", dy, y), dy)
		return dx, b.Op("Mul", dy, b.Op("Min", x, b.Scalar(0, x)))
	}}.def(),
	compare("Equal", func(x, y float64) bool { return x == y }, func(x, y int64) bool { return x == y }),
	compare("Greater", func(x, y float64) bool { return x > y }, func(x, y int64) bool { return x > y }),
	compare("GreaterOrEqual", func(x, y float64) bool { return x >= y }, func(x, y int64) bool { return x >= y }),
	compare("Less", func(x, y float64) bool { return x < y }, func(x, y int64) bool { return x < y }),
	compare("LessOrEqual", func(x, y float64) bool { return x <= y }, func(x, y int64) bool { return x <= y }),
	logical("And", func(x, y bool) bool { return x && y }),
	logical("Or", func(x, y bool) bool { return x || y }),
	logical("Xor", func(x, y bool) bool { return x != y }),
	binary{name: "Mod", float: func(x, y float64) float64 { return math.Mod(x, y) }, int: func(x, y int64) int64 {
		if m := x % y; m != 0 && (m < 0) != (y < 0) {
			return m + y
		} else {
			return m
		}
	}}.def(),
	Def{Name: "Not", Infer: sameAs, Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		out := tensor.New(tensor.Bool, in[0].Shape...)
		for i, v := range tensor.Of[bool](in[0]) {
			tensor.Of[bool](out)[i] = !v
		}
		return single(out, nil)
	}},
)

// variadic folds a two-input operator over any number of inputs.
func variadic(name string, s binary, mean bool) Def {
	return Def{Name: name,
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			shape := x.Shape
			for i := 1; i < len(c.Node.Inputs); i++ {
				if shape, err = broadcast(shape, c.Shape(i)); err != nil {
					return err
				}
			}
			c.Out(0, x.DType, shape)
			if len(c.Node.Inputs) == 2 && s.dims != nil && x.DType.IsInt() {
				s.follow(c)
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			acc := in[0]
			var err error
			for _, x := range in[1:] {
				if acc, err = s.eval(n, acc, x); err != nil {
					return nil, err
				}
			}
			if mean {
				f, err := floats(acc)
				if err != nil {
					return nil, err
				}
				out := make([]float64, len(f))
				for i, v := range f {
					out[i] = v / float64(len(in))
				}
				return single(ofFloats(acc.DType, acc.Shape, out))
			}
			return single(acc, nil)
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			if len(n.Inputs) == 1 {
				return []*graph.Value{b.Op("Identity", n.In(0))}, nil
			}
			acc := n.In(0)
			for _, x := range n.Inputs[1:] {
				switch name {
				case "Max":
					acc = b.Op("Where", b.Op("GreaterOrEqual", acc, x), acc, x)
				case "Min":
					acc = b.Op("Where", b.Op("LessOrEqual", acc, x), acc, x)
				default:
					acc = b.Op("Add", acc, x)
				}
			}
			if mean {
				acc = b.Op("Div", acc, b.Scalar(float64(len(n.Inputs)), acc))
			}
			return []*graph.Value{acc}, nil
		},
	}
}

// maxOf and minOf propagate NaN, as numpy and ONNX Runtime do.
func maxOf(x, y float64) float64 { return math.Max(x, y) }
func minOf(x, y float64) float64 { return math.Min(x, y) }

var _ = register(
	variadic("Sum", binary{name: "Sum", float: func(x, y float64) float64 { return x + y }, int: func(x, y int64) int64 { return x + y }}, false),
	variadic("Mean", binary{name: "Mean", float: func(x, y float64) float64 { return x + y }}, true),
	variadic("Max", binary{name: "Max", float: maxOf, int: func(x, y int64) int64 { return max(x, y) }, dims: knownDims(func(x, y int) int { return max(x, y) })}, false),
	variadic("Min", binary{name: "Min", float: minOf, int: func(x, y int64) int64 { return min(x, y) }, dims: knownDims(func(x, y int) int { return min(x, y) })}, false),
)

func knownDims(f func(x, y int) int) func(x, y graph.Dim) (graph.Dim, bool) {
	return func(x, y graph.Dim) (graph.Dim, bool) {
		if x == y {
			return x, true
		}
		return graph.N(f(x.Mul, y.Mul)), x.Known() && y.Known()
	}
}

// Where chooses elementwise between two inputs; all three broadcast.
var _ = register(Def{Name: "Where",
	Infer: func(c *Infer) error {
		x, err := c.In(1)
		if err != nil {
			return err
		}
		s, err := broadcast(c.Shape(0), c.Shape(1))
		if err != nil {
			return err
		}
		if s, err = broadcast(s, c.Shape(2)); err != nil {
			return err
		}
		c.Out(0, x.DType, s)
		cond, ok0 := c.Contents(0)
		a, ok1 := c.Contents(1)
		e, ok2 := c.Contents(2)
		if ok0 && ok1 && ok2 && len(cond) == len(a) && len(a) == len(e) {
			out := make([]graph.Dim, len(a))
			for i := range out {
				if out[i] = e[i]; cond[i] != graph.N(0) {
					out[i] = a[i]
				}
			}
			c.SetContents(out)
		}
		return nil
	},
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		s, err := broadcastInts(in[0].Shape, in[1].Shape)
		if err != nil {
			return nil, err
		}
		if s, err = broadcastInts(s, in[2].Shape); err != nil {
			return nil, err
		}
		out, err := alloc(in[1].DType, s...)
		if err != nil {
			return nil, err
		}
		cond := tensor.Of[bool](in[0])
		if cond == nil {
			return nil, fmt.Errorf("the condition is %v, not bool", in[0].DType)
		}
		pick := make([]bool, out.Len())
		odometer(s, broadcastStrides(in[0].Shape, s), func(i, off int) { pick[i] = cond[off] })
		for k, src := range in[1:3] {
			set := copier(out, src)
			odometer(s, broadcastStrides(src.Shape, s), func(i, off int) {
				if pick[i] == (k == 0) {
					set(i, off)
				}
			})
		}
		return single(out, nil)
	},
	Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		zero := b.Scalar(0, dy[0])
		return []*graph.Value{nil, sumTo(b, b.Op("Where", n.In(0), dy[0], zero), n.In(1)),
			sumTo(b, b.Op("Where", n.In(0), zero, dy[0]), n.In(2))}, nil
	}})

// copier copies single elements between tensors of one type.
func copier(dst, src *tensor.Tensor) func(i, j int) {
	switch d := dst.Data.(type) {
	case []float32:
		return copyOf(d, tensor.Of[float32](src))
	case []float64:
		return copyOf(d, tensor.Of[float64](src))
	case []int64:
		return copyOf(d, tensor.Of[int64](src))
	case []int32:
		return copyOf(d, tensor.Of[int32](src))
	case []int16:
		return copyOf(d, tensor.Of[int16](src))
	case []int8:
		return copyOf(d, tensor.Of[int8](src))
	case []uint8:
		return copyOf(d, tensor.Of[uint8](src))
	case []uint16:
		return copyOf(d, tensor.Of[uint16](src))
	case []uint32:
		return copyOf(d, tensor.Of[uint32](src))
	case []uint64:
		return copyOf(d, tensor.Of[uint64](src))
	case []bool:
		return copyOf(d, tensor.Of[bool](src))
	case []string:
		return copyOf(d, tensor.Of[string](src))
	}
	return func(i, j int) {}
}

func copyOf[T any](d, s []T) func(i, j int) { return func(i, j int) { d[i] = s[j] } }

// Clip limits to [min, max]: attributes before opset 11, inputs from then on.
var _ = register(Def{Name: "Clip", Infer: sameAs,
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		lo, hi, err := clipRange(n, arg(in, 1), arg(in, 2))
		if err != nil {
			return nil, err
		}
		x, err := floats(in[0])
		if err != nil {
			return nil, err
		}
		out := make([]float64, len(x))
		for i, v := range x {
			out[i] = v
			if v < lo {
				out[i] = lo
			}
			if out[i] > hi {
				out[i] = hi
			}
		}
		return single(ofFloats(in[0].DType, in[0].Shape, out))
	},
	Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		x := n.In(0)
		lo, hi := clipBounds(b, n)
		d := dy[0]
		if lo != nil {
			d = b.Op("Mul", d, cast(b, b.Op("GreaterOrEqual", x, lo), x.DType))
		}
		if hi != nil {
			d = b.Op("Mul", d, cast(b, b.Op("LessOrEqual", x, hi), x.DType))
		}
		return []*graph.Value{d, nil, nil}, nil
	}})

func clipBounds(b *Builder, n *graph.Node) (lo, hi *graph.Value) {
	lo, hi = n.In(1), n.In(2)
	if a := n.Attr("min"); a != nil {
		lo = b.Scalar(float64(a.F), n.In(0))
	}
	if a := n.Attr("max"); a != nil {
		hi = b.Scalar(float64(a.F), n.In(0))
	}
	return
}

func clipRange(n *graph.Node, lo, hi *tensor.Tensor) (float64, float64, error) {
	l, h := math.Inf(-1), math.Inf(1)
	if a := n.Attr("min"); a != nil {
		l = float64(a.F)
	}
	if a := n.Attr("max"); a != nil {
		h = float64(a.F)
	}
	for i, t := range []*tensor.Tensor{lo, hi} {
		if t == nil {
			continue
		}
		f, err := floats(t)
		if err != nil || len(f) != 1 {
			return 0, 0, fmt.Errorf("a bound of Clip must be one number")
		}
		if i == 0 {
			l = f[0]
		} else {
			h = f[0]
		}
	}
	return l, h, nil
}
