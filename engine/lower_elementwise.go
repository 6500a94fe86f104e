package engine

import (
	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// flat is an elementwise step over equal chunks of long slices.
type flat struct {
	x, y, z []float32
	two     func(x, y, z []float32)
	one     func(x, z []float32)
}

const chunk = 1 << 14

// Do works on one chunk.
func (t *flat) Do(w *kernel.Worker, i int) {
	lo, hi := i*chunk, min(len(t.z), (i+1)*chunk)
	if t.one != nil {
		t.one(t.x[lo:hi], t.z[lo:hi])
	} else {
		t.two(t.x[lo:hi], t.y[lo:hi], t.z[lo:hi])
	}
}

func (t *flat) run(p *kernel.Pool) { p.Run((len(t.z)+chunk-1)/chunk, t) }

// prefer chooses the layout in which an elementwise operator works.
func (l *lowering) prefer(vs ...*graph.Value) layout {
	for _, v := range vs {
		if len(v.Shape) > 2 && l.has(v, nhwc) {
			return nhwc
		}
	}
	return plain
}

// elementwise2 plans an operator of two inputs of equal shape.
func elementwise2(l *lowering, n *graph.Node, name string, f func(x, y, z []float32)) (done bool, why string) {
	x, y, z := n.In(0), n.In(1), n.Out(0)
	if !x.Shape.Equal(y.Shape) || x.DType != tensor.Float32 || y.DType != tensor.Float32 {
		return no("%v %v and %v %v are not of one shape and float32", x.DType, x.Shape, y.DType, y.Shape)
	}
	lay := l.prefer(x, y)
	xb, yb := l.get(x, lay, n), l.get(y, lay, n)
	zb := l.make(z, lay)
	t := &flat{two: f}
	l.emit(n, name, []*buffer{xb, yb}, []*buffer{zb}, func() { t.x, t.y, t.z = xb.data, yb.data, zb.data }, t.run)
	return true, ""
}

// elementwise1 plans an operator of one input.
func elementwise1(l *lowering, n *graph.Node, name string, f func(x, z []float32)) (done bool, why string) {
	x, z := n.In(0), n.Out(0)
	if x.DType != tensor.Float32 {
		return no("%q is %v; kernels compute in float32", x.Name, x.DType)
	}
	lay := l.prefer(x)
	xb, zb := l.get(x, lay, n), l.make(z, lay)
	t := &flat{one: f}
	l.emit(n, name, []*buffer{xb}, []*buffer{zb}, func() { t.x, t.z = xb.data, zb.data }, t.run)
	return true, ""
}

// arithmetic is an operation of two numbers.
type arithmetic struct {
	name   string
	vector func(x, y, z []float32)
	number func(x, y float32) float32
}

// arithmetics by operator.
var arithmetics = map[string]arithmetic{
	"Add": {"add", kernel.Add, func(x, y float32) float32 { return x + y }},
	"Sub": {"subtract", kernel.Sub, func(x, y float32) float32 { return x - y }},
	"Mul": {"multiply", kernel.Mul, func(x, y float32) float32 { return x * y }},
	"Div": {"divide", kernel.Div, func(x, y float32) float32 { return x / y }},
	"Max": {"maximum", kernel.Maximum, func(x, y float32) float32 { return max(x, y) }},
	"Min": {"minimum", kernel.Minimum, func(x, y float32) float32 { return min(x, y) }},
	"Pow": {"power", kernel.Pow, func(x, y float32) float32 {
		z := [1]float32{}
		kernel.PowOf([]float32{x}, y, z[:])
		return z[0]
	}},
	"PRelu": {"PReLU", kernel.PRelu, func(x, y float32) float32 {
		if x < 0 {
			return x * y
		}
		return x
	}},
}

// lowerArithmetic plans operators of two numbers, of equal shapes or with a scalar, a
// repeated tail, or a number for each channel or row on one side.
func lowerArithmetic(l *lowering, n *graph.Node) (done bool, why string) {
	a := arithmetics[n.Op]
	if len(n.Inputs) != 2 {
		return no("it has %d inputs; kernels take two", len(n.Inputs))
	}
	if t := n.In(0).DType; t != tensor.Float32 {
		return no("it is in %v; kernels compute in float32", t)
	}
	if e, ok := exponent(n); ok {
		return elementwise1(l, n, "power", func(x, z []float32) { kernel.PowOf(x, e, z) })
	}
	if t := n.In(1).DType; t != tensor.Float32 {
		return no("the exponent is in %v; kernels compute in float32", t)
	}
	if done, _ := elementwise2(l, n, a.name, a.vector); done {
		return true, ""
	}
	x, y, z := n.In(0), n.In(1), n.Out(0)
	whole := sizeOf(z)
	swap := false
	if sizeOf(x) != whole {
		x, y, swap = y, x, true
	}
	if sizeOf(x) != whole || whole == 0 {
		return no("%v and %v: both are repeated, or empty", n.In(0).Shape, n.In(1).Shape)
	}
	k := sizeOf(y)
	switch {
	case k == 1:
		byScalar(l, n, a, x, y, z, swap)
	case isTail(dims(y), dims(z)):
		xb, yb, zb := l.get(x, plain, n), l.get(y, plain, n), l.make(z, plain)
		t := newRepeat(k, whole/k, swap, a.vector)
		l.emit(n, a.name+" by row", []*buffer{xb, yb}, []*buffer{zb}, func() { t.x, t.y, t.z = xb.data, yb.data, zb.data }, t.run)
	case (len(x.Shape) == 4 || l.has(x, nhwc)) && byChannel(l, n, a, x, y, z, swap):
	case !byRowScalar(l, n, a.name, x, y, z, swap, a.number) && !byChannel(l, n, a, x, y, z, swap):
		return no("no kernel repeats %v over %v", y.Shape, z.Shape)
	}
	return true, ""
}

// exponent is the number that a Pow raises to, where that is one constant.
func exponent(n *graph.Node) (float32, bool) {
	v := n.In(1)
	if !n.Is("Pow") || v.Const == nil || v.Role != graph.Frozen || v.Const.Len() != 1 || len(v.Shape) > len(n.In(0).Shape) {
		return 0, false
	}
	f, err := v.Const.Float64s()
	if err != nil || float64(float32(f[0])) != f[0] {
		return 0, false
	}
	return float32(f[0]), true
}

// scalar applies an operation to every element of a slice and one number.
type scalar struct {
	flat
	arithmetic
	y     *buffer
	swap  bool // the number comes first
	splat [1024]float32
}

// Do works on one chunk.
func (t *scalar) Do(w *kernel.Worker, i int) {
	lo, hi := i*chunk, min(len(t.z), (i+1)*chunk)
	x, z, s := t.x[lo:hi], t.z[lo:hi], t.splat[0]
	switch {
	case t.name == "multiply":
		kernel.Scale(s, x, z)
		return
	case t.name == "divide" && !t.swap:
		kernel.Scale(1/s, x, z)
		return
	}
	for len(z) > 0 {
		n := min(len(z), len(t.splat))
		if t.swap {
			t.vector(t.splat[:n], x[:n], z[:n])
		} else {
			t.vector(x[:n], t.splat[:n], z[:n])
		}
		x, z = x[n:], z[n:]
	}
}

func (t *scalar) run(p *kernel.Pool) {
	kernel.Fill(t.splat[:], t.y.data[0])
	p.Run((len(t.z)+chunk-1)/chunk, t)
}

// byScalar plans an operation with one number y.
func byScalar(l *lowering, n *graph.Node, a arithmetic, x, y, z *graph.Value, swap bool) {
	lay := l.prefer(x)
	if !x.Shape.Equal(z.Shape) { // y has more axes, of length 1
		lay = plain
	}
	xb, yb, zb := l.get(x, lay, n), l.get(y, plain, n), l.make(z, lay)
	t := &scalar{arithmetic: a, y: yb, swap: swap}
	l.emit(n, a.name+" scalar", []*buffer{xb, yb}, []*buffer{zb}, func() { t.x, t.z = xb.data, zb.data }, t.run)
}

// repeat applies a vector operation to every row of x and the same y, of short rows
// to several at once.
type repeat struct {
	x, y, z []float32
	k, rows int
	swap    bool
	f       func(x, y, z []float32)
	wide    []float32 // y as often as rows are done at once
}

// short is how long what repeat does at once should be.
const shortRow = 512

func newRepeat(k, rows int, swap bool, f func(x, y, z []float32)) *repeat {
	t := &repeat{k: k, rows: rows, swap: swap, f: f}
	if n := min(rows, shortRow/k); n > 1 {
		t.wide = make([]float32, n*k)
	}
	return t
}

func (t *repeat) per() int { return max(1, chunk/t.k) }

func (t *repeat) run(p *kernel.Pool) {
	for i := 0; i < len(t.wide); i += t.k {
		copy(t.wide[i:], t.y[:t.k])
	}
	p.Run((t.rows+t.per()-1)/t.per(), t)
}

// Do works on some rows.
func (t *repeat) Do(w *kernel.Worker, i int) {
	y := t.wide
	if y == nil {
		y = t.y[:t.k]
	}
	for lo, hi := i*t.per()*t.k, min(t.rows, (i+1)*t.per())*t.k; lo < hi; lo += len(y) {
		n := min(len(y), hi-lo)
		x, z := t.x[lo:lo+n], t.z[lo:lo+n]
		if t.swap {
			t.f(y[:n], x, z)
		} else {
			t.f(x, y[:n], z)
		}
	}
}

// isTail says whether s, without leading ones, is the end of z.
func isTail(s, z []int) bool {
	for len(s) > 0 && s[0] == 1 {
		s = s[1:]
	}
	if len(s) > len(z) {
		return false
	}
	for i := range s {
		if s[i] != z[len(z)-len(s)+i] {
			return false
		}
	}
	return true
}

// byChannel lowers an operation with one number for each channel [C,1,...] of
// [N,C,...].
func byChannel(l *lowering, n *graph.Node, a arithmetic, x, y, z *graph.Value, swap bool) bool {
	sz := dims(z)
	if !x.Shape.Equal(z.Shape) || !perChannel(dims(y), sz) {
		return false
	}
	xb, yb, zb := l.get(x, nhwc, n), l.get(y, plain, n), l.make(z, nhwc)
	t := newRepeat(sz[1], sizeOf(z)/sz[1], swap, a.vector)
	l.emit(n, a.name+" by channel", []*buffer{xb, yb}, []*buffer{zb}, func() { t.x, t.y, t.z = xb.data, yb.data, zb.data }, t.run)
	return true
}

// unaries are the functions of one input that get a step of their own.
var unaries = map[string]func(x, z []float32){
	"Relu": kernel.Relu, "Neg": func(x, z []float32) { kernel.Scale(-1, x, z) }, "Exp": kernel.Exp, "Log": kernel.Log, "Erf": kernel.Erf,
	"Tanh": kernel.Tanh, "Sqrt": kernel.Sqrt, "Abs": kernel.Abs, "Reciprocal": kernel.Reciprocal, "Sigmoid": kernel.Sigmoid, "HardSwish": kernel.HardSwish,
	"Softplus": kernel.Softplus, "Sign": kernel.Sign,
}

// shaped are those that have attributes.
var shaped = map[string]func(n *graph.Node) func(x, z []float32){
	"LeakyRelu": func(n *graph.Node) func(x, z []float32) {
		a := n.Float("alpha", .01)
		return func(x, z []float32) { kernel.LeakyRelu(x, a, 1, z) }
	},
	"Elu": func(n *graph.Node) func(x, z []float32) {
		a := n.Float("alpha", 1)
		return func(x, z []float32) { kernel.Elu(x, a, 1, z) }
	},
	"Selu": func(n *graph.Node) func(x, z []float32) {
		a, g := n.Float("alpha", 1.67326319217681884765625), n.Float("gamma", 1.05070102214813232421875)
		return func(x, z []float32) { kernel.Elu(x, a*g, g, z) }
	},
	"HardSigmoid": func(n *graph.Node) func(x, z []float32) {
		a, b := n.Float("alpha", .2), n.Float("beta", .5)
		return func(x, z []float32) { kernel.HardSigmoid(x, a, b, z) }
	},
	"Swish": func(n *graph.Node) func(x, z []float32) {
		a := n.Float("alpha", 1)
		return func(x, z []float32) { kernel.Swish(x, a, z) }
	},
	"Mish": func(*graph.Node) func(x, z []float32) { return kernel.Mish },
}

func lowerUnary(l *lowering, n *graph.Node) (done bool, why string) {
	f := unaries[n.Op]
	if s := shaped[n.Op]; s != nil {
		f = s(n)
	}
	return elementwise1(l, n, "elementwise "+n.Op, f)
}

// lowerByNumber plans a function of one number by its definition in float64, without
// what evaluating whole tensors costs.
func lowerByNumber(l *lowering, n *graph.Node) (done bool, why string) {
	f := op.Lookup("", n.Op).Number(n)
	return elementwise1(l, n, "number by number "+n.Op, func(x, z []float32) {
		for i, v := range x[:len(z)] {
			z[i] = float32(f(float64(v)))
		}
	})
}

func lowerGelu(l *lowering, n *graph.Node) (done bool, why string) {
	if n.Str("approximate", "none") == "tanh" {
		return elementwise1(l, n, "GELU (tanh)", kernel.GeluTanh)
	}
	return elementwise1(l, n, "GELU", kernel.Gelu)
}

func lowerGeluGrad(l *lowering, n *graph.Node) (done bool, why string) {
	return elementwise2(l, n, "GELU gradient", kernel.GeluGrad)
}

func lowerClip(l *lowering, n *graph.Node) (done bool, why string) {
	lo, hi, ok := l.clipOver(n)
	if !ok {
		return noBounds()
	}
	return elementwise1(l, n, "clip", func(x, z []float32) { kernel.Clip(x, lo, hi, z) })
}

func noBounds() (done bool, why string) { return no("its bounds are not constant numbers") }
