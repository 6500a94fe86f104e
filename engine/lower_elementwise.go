package engine

import (
	"math"

	"pare/graph"
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
		if len(v.Shape) == 4 && l.has(v, nhwc) {
			return nhwc
		}
	}
	return plain
}

// elementwise2 lowers an operator of two inputs of equal shape.
func elementwise2(l *lowering, n *graph.Node, name string, f func(x, y, z []float32)) bool {
	x, y, z := n.In(0), n.In(1), n.Out(0)
	if !x.Shape.Equal(y.Shape) || x.DType != tensor.Float32 || y.DType != tensor.Float32 {
		return false
	}
	lay := l.prefer(x, y)
	xb, yb := l.get(x, lay, n), l.get(y, lay, n)
	zb := l.make(z, lay)
	t := &flat{two: f}
	l.emit(n, name, []*buffer{xb, yb}, []*buffer{zb}, func() func() error {
		t.x, t.y, t.z = xb.data, yb.data, zb.data
		return func() error { t.run(l.pool); return nil }
	})
	return true
}

// elementwise1 lowers an operator of one input.
func elementwise1(l *lowering, n *graph.Node, name string, f func(x, z []float32)) bool {
	x, z := n.In(0), n.Out(0)
	if x.DType != tensor.Float32 {
		return false
	}
	lay := l.prefer(x)
	xb, zb := l.get(x, lay, n), l.make(z, lay)
	t := &flat{one: f}
	l.emit(n, name, []*buffer{xb}, []*buffer{zb}, func() func() error {
		t.x, t.z = xb.data, zb.data
		return func() error { t.run(l.pool); return nil }
	})
	return true
}

// arithmetic lowers Add, Sub, Mul and Div, with a scalar or a repeated tail on
// one side.
func arithmetic(name string, vec func(x, y, z []float32), f func(x, y float32) float32) lower {
	return func(l *lowering, n *graph.Node) bool {
		if n.In(0).DType != tensor.Float32 {
			return false
		}
		if elementwise2(l, n, name, vec) {
			return true
		}
		x, y, z := n.In(0), n.In(1), n.Out(0)
		whole := sizeOf(z)
		swap := false
		if sizeOf(x) != whole {
			x, y, swap = y, x, true
		}
		if sizeOf(x) != whole || whole == 0 {
			return false
		}
		k := sizeOf(y)
		if k == 1 {
			lay := l.prefer(x)
			if !x.Shape.Equal(z.Shape) { // y has more axes, of length 1
				lay = plain
			}
			xb, yb, zb := l.get(x, lay, n), l.get(y, plain, n), l.make(z, lay)
			t := &flat{}
			l.emit(n, name+" scalar", []*buffer{xb, yb}, []*buffer{zb}, func() func() error {
				t.x, t.z = xb.data, zb.data
				t.one = func(x, z []float32) {
					s := yb.data[0]
					if swap {
						for i, v := range x {
							z[i] = f(s, v)
						}
						return
					}
					switch name {
					case "multiply":
						kernel.Scale(s, x, z)
					case "divide":
						kernel.Scale(1/s, x, z)
					default:
						for i, v := range x {
							z[i] = f(v, s)
						}
					}
				}
				return func() error { t.run(l.pool); return nil }
			})
			return true
		}
		if !isTail(dims(y), dims(z)) {
			return byChannel(l, n, name, x, y, z, swap, f) || byRowScalar(l, n, name, x, y, z, swap, f)
		}
		xb, yb, zb := l.get(x, plain, n), l.get(y, plain, n), l.make(z, plain)
		t := &repeat{k: k, rows: whole / k, swap: swap, f: vec}
		l.emit(n, name+" by row", []*buffer{xb, yb}, []*buffer{zb}, func() func() error {
			t.x, t.y, t.z = xb.data, yb.data, zb.data
			return func() error { l.pool.Run(t.parts(), t); return nil }
		})
		return true
	}
}

// repeat applies a vector operation to every row of x and the same y.
type repeat struct {
	x, y, z []float32
	k, rows int
	swap    bool
	f       func(x, y, z []float32)
}

func (t *repeat) per() int   { return max(1, chunk/t.k) }
func (t *repeat) parts() int { return (t.rows + t.per() - 1) / t.per() }

// Do works on some rows.
func (t *repeat) Do(w *kernel.Worker, i int) {
	for r := i * t.per(); r < min(t.rows, (i+1)*t.per()); r++ {
		x, z := t.x[r*t.k:(r+1)*t.k], t.z[r*t.k:(r+1)*t.k]
		if t.swap {
			t.f(t.y, x, z)
		} else {
			t.f(x, t.y, z)
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

// byChannel lowers an operation with one number for each channel [C,1,1] of an
// image.
func byChannel(l *lowering, n *graph.Node, name string, x, y, z *graph.Value, swap bool, f func(x, y float32) float32) bool {
	sz := dims(z)
	if !x.Shape.Equal(z.Shape) || !perChannel(dims(y), sz) {
		return false
	}
	xb, yb, zb := l.get(x, nhwc, n), l.get(y, plain, n), l.make(z, nhwc)
	t := &repeat{k: sz[1], rows: sz[0] * sz[2] * sz[3], swap: swap, f: func(x, y, z []float32) {
		for i, v := range x {
			z[i] = f(v, y[i])
		}
	}}
	l.emit(n, name+" by channel", []*buffer{xb, yb}, []*buffer{zb}, func() func() error {
		t.x, t.y, t.z = xb.data, yb.data, zb.data
		return func() error { l.pool.Run(t.parts(), t); return nil }
	})
	return true
}

var (
	_ = fast(arithmetic("add", kernel.Add, func(x, y float32) float32 { return x + y }), "Add")
	_ = fast(arithmetic("subtract", kernel.Sub, func(x, y float32) float32 { return x - y }), "Sub")
	_ = fast(arithmetic("multiply", kernel.Mul, func(x, y float32) float32 { return x * y }), "Mul")
	_ = fast(arithmetic("divide", kernel.Div, func(x, y float32) float32 { return x / y }), "Div")
)

// unaries are the functions of one input that get a step of their own.
var unaries = map[string]func(x, z []float32){
	"Relu": kernel.Relu, "Neg": func(x, z []float32) { kernel.Scale(-1, x, z) }, "Exp": kernel.Exp, "Log": kernel.Log, "Erf": kernel.Erf,
	"Tanh": kernel.Tanh, "Sqrt": kernel.Sqrt, "Abs": kernel.Abs, "Reciprocal": kernel.Reciprocal, "Sigmoid": kernel.Sigmoid, "HardSwish": kernel.HardSwish,
}

func init() {
	for name, f := range unaries {
		lowers[name] = func(l *lowering, n *graph.Node) bool { return elementwise1(l, n, "elementwise "+name, f) }
	}
}

var _ = fast(func(l *lowering, n *graph.Node) bool {
	if n.Str("approximate", "none") == "tanh" {
		return elementwise1(l, n, "GELU (tanh)", kernel.GeluTanh)
	}
	return elementwise1(l, n, "GELU", kernel.Gelu)
}, "Gelu")

var _ = fast(func(l *lowering, n *graph.Node) bool { return elementwise2(l, n, "GELU gradient", kernel.GeluGrad) }, "pare.GeluGrad")

// clipBounds are the numbers of two bounds, either of which may be missing; ok
// is false where one is not known or may change.
func (l *lowering) clipBounds(a, b *graph.Value) (lo, hi float32, ok bool) {
	lo, hi = float32(math.Inf(-1)), float32(math.Inf(1))
	for i, v := range []*graph.Value{a, b} {
		if v == nil {
			continue
		}
		if !l.once(v) || v.Const.Len() != 1 || v.Const.F32() == nil {
			return 0, 0, false
		}
		*[]*float32{&lo, &hi}[i] = v.Const.F32()[0]
	}
	return lo, hi, true
}

// clipOver are the bounds of a Clip.
func (l *lowering) clipOver(n *graph.Node) (lo, hi float32, ok bool) {
	lo, hi, ok = l.clipBounds(n.In(1), n.In(2))
	if a := n.Attr("min"); a != nil {
		lo = a.F
	}
	if a := n.Attr("max"); a != nil {
		hi = a.F
	}
	return lo, hi, ok
}

var _ = fast(func(l *lowering, n *graph.Node) bool {
	lo, hi, ok := l.clipOver(n)
	return ok && elementwise1(l, n, "clip", func(x, z []float32) { kernel.Clip(x, lo, hi, z) })
}, "Clip")
