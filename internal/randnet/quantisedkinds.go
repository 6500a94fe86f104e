package randnet

import (
	"pare/graph"
	"pare/tensor"
)

// network builds a network of a kind: its output and the step of it.
func (q *quantiser) network(kind string, n *Quantised) (*graph.Value, float64) {
	switch kind {
	case "conv", "depthwise", "groups":
		return q.closed(q.convolution(q.in(), kind))
	case "QLinearConv":
		return q.linearConv()
	case "matmul", "gemm":
		return q.closed(q.product(kind))
	case "QLinearMatMul", "QLinearMatMul of batches":
		return q.linearMatMul(kind)
	case "batches":
		a, b := q.sides()
		y := q.Op("MatMul", q.back(a), q.back(b))
		if q.IntN(2) == 0 {
			return y, 0
		}
		return q.closed(y)
	case "MatMulInteger":
		n.Exact = true
		return q.Attr("Cast", []graph.Attr{graph.MakeAttr("to", int(tensor.Float32))}, q.integers(q.in())), 0
	case "ConvInteger":
		n.Exact = true
		return q.convInteger(), 0
	case "dynamic":
		return q.dynamic(), 0
	case "add", "mul":
		return q.pair(map[string]string{"add": "Add", "mul": "Mul"}[kind])
	case "concat":
		a := q.in()
		b := q.quantise(q.Op("Mul", q.x, q.scalar(.7)))
		return q.closed(q.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", q.IntN(4))}, q.back(a), q.back(b), q.back(a)))
	case "concat channels":
		a := q.quantise(q.convolution(q.in(), "conv"))
		return q.closed(q.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 1)}, q.back(a), q.back(a)))
	case "MaxPool", "AveragePool":
		k := 1 + q.IntN(3)
		attrs := q.window(k, true)
		if kind == "AveragePool" {
			attrs = append(attrs, graph.MakeAttr("count_include_pad", q.IntN(2)))
		}
		return q.closed(q.Attr(kind, attrs, q.back(q.in())))
	case "GlobalAveragePool":
		return q.closed(q.Op(kind, q.back(q.in())))
	case "move":
		return q.move()
	case "table":
		return q.table()
	case "again": // by another zero point, or another scale
		x := q.in()
		y := x
		if q.IntN(2) == 0 {
			y.zero = q.zero(q.dtype(), 100)
		} else {
			y.step = float64(float32(x.step * 1.3))
			y.scale = q.scalar(y.step)
		}
		y.v = q.Op("QuantizeLinear", q.back(x), y.scale, y.zero)
		return q.back(y), y.step
	case "relu":
		return q.closed(q.Op("Relu", q.back(q.in())))
	case "block":
		return q.block()
	}
	panic("randnet: no kind " + kind)
}

// product is a Gemm or a MatMul by weights, with a bias.
func (q *quantiser) product(kind string) *graph.Value {
	x := q.in()
	k, m := dim(q.x, len(q.x.Shape)-1), q.outputs(60)
	if kind == "gemm" {
		shape, axis := []int{k, m}, 1
		var attrs []graph.Attr
		if q.IntN(2) == 0 {
			shape, axis, attrs = []int{m, k}, 0, []graph.Attr{graph.MakeAttr("transB", 1)}
		}
		w, scale := q.weightBack(shape, axis)
		in := []*graph.Value{q.back(x), w}
		if b := q.bias(m, x, scale); b != nil {
			in = append(in, b)
		}
		return q.Attr("Gemm", attrs, in...)
	}
	w, scale := q.weightBack([]int{k, m}, 1)
	y := q.Op("MatMul", q.back(x), w)
	if b := q.bias(m, x, scale); b != nil {
		y = q.Op("Add", y, b)
	}
	return y
}

// sides are two values whose product there is, batch by batch.
func (q *quantiser) sides() (a, b quant) {
	a = q.in()
	turned := q.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 1, 3, 2})}, q.x)
	return a, q.quantise(q.Op("Mul", turned, q.scalar(.8)))
}

// ranged guesses the scale and the zero point of a result that numbers stand behind.
func (q *quantiser) ranged(y *graph.Value) quant { return q.quantise(y) }

func (q *quantiser) linearConv() (*graph.Value, float64) {
	x := q.in()
	k := 1 + q.IntN(3)
	attrs := q.window(k, true)
	shape := []int{1 + q.IntN(20), dim(q.x, 1), k, k}
	w, scale, zero := q.weight(shape, 0)
	wide := q.Attr("DequantizeLinear", []graph.Attr{graph.MakeAttr("axis", 0)}, w, scale, zero)
	y := q.ranged(q.Attr("Conv", attrs, q.back(x), wide))
	in := []*graph.Value{x.v, x.scale, x.zero, w, scale, zero, y.scale, y.zero}
	if q.IntN(2) == 0 {
		t := tensor.New(tensor.Int32, shape[0])
		for i := range tensor.Of[int32](t) {
			tensor.Of[int32](t)[i] = int32(q.IntN(4001) - 2000)
		}
		in = append(in, q.Const(t))
	}
	y.v = q.Attr("QLinearConv", attrs, in...)
	return q.back(y), y.step
}

func (q *quantiser) linearMatMul(kind string) (*graph.Value, float64) {
	if kind == "QLinearMatMul of batches" {
		a, b := q.sides()
		y := q.ranged(q.Op("MatMul", q.back(a), q.back(b)))
		y.v = q.Op("QLinearMatMul", a.v, a.scale, a.zero, b.v, b.scale, b.zero, y.scale, y.zero)
		return q.back(y), y.step
	}
	x := q.in()
	w, scale, zero := q.weight([]int{dim(q.x, 2), 1 + q.IntN(60)}, 1)
	y := q.ranged(q.Op("MatMul", q.back(x), q.Attr("DequantizeLinear", []graph.Attr{graph.MakeAttr("axis", 1)}, w, scale, zero)))
	y.v = q.Op("QLinearMatMul", x.v, x.scale, x.zero, w, scale, zero, y.scale, y.zero)
	return q.back(y), y.step
}

// integers is a product of whole numbers.
func (q *quantiser) integers(x quant) *graph.Value {
	w, _, zero := q.weight([]int{dim(q.x, 2), q.outputs(60)}, 1)
	in := []*graph.Value{x.v, w}
	if q.IntN(3) > 0 {
		in = append(in, x.zero, zero)
	}
	return q.Op("MatMulInteger", in...)
}

// dynamic quantises by the range of the input.
func (q *quantiser) dynamic() *graph.Value {
	d := q.Node("", "DynamicQuantizeLinear", 3, []*graph.Value{q.x}).Outputs
	w, scale, zero := q.weight([]int{dim(q.x, 2), 1 + q.IntN(60)}, 1)
	y := q.Attr("Cast", []graph.Attr{graph.MakeAttr("to", int(tensor.Float32))}, q.Op("MatMulInteger", d[0], w, d[2], zero))
	y = q.Op("Mul", y, q.Op("Mul", d[1], scale))
	if q.IntN(2) == 0 {
		t := tensor.New(tensor.Float32, dim(w, 1))
		for i := range t.F32() {
			t.F32()[i] = float32(q.NormFloat64())
		}
		y = q.Op("Add", y, q.Const(t))
	}
	return y
}

// pair is an operator of two values of one shape.
func (q *quantiser) pair(name string) (*graph.Value, float64) {
	a, b := q.in(), q.quantise(q.Op("Mul", q.Op("Sigmoid", q.x), q.scalar(2)))
	return q.closed(q.Op(name, q.back(a), q.back(b)))
}

// move changes shapes and the order of axes.
func (q *quantiser) move() (*graph.Value, float64) {
	x := q.in()
	s := q.x.Shape
	y := q.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", q.Perm(4))}, q.back(x))
	y = q.Op("Reshape", y, q.Ints(s[0].Mul*s[1].Mul, -1))
	y = q.back(quant{v: q.Op("QuantizeLinear", y, x.scale, x.zero), scale: x.scale, zero: x.zero})
	y = q.Op("Reshape", y, q.Ints(-1))
	if q.IntN(2) == 0 {
		z := q.quantise(y)
		return q.back(z), z.step
	}
	return y, x.step
}

// table is a chain of functions of a number.
func (q *quantiser) table() (*graph.Value, float64) {
	y := q.back(q.in())
	for range 1 + q.IntN(3) {
		switch name := []string{"Sigmoid", "Tanh", "HardSwish", "Erf", "LeakyRelu", "Elu", "times", "plus", "Softplus"}[q.IntN(9)]; name {
		case "times":
			y = q.Op("Mul", y, q.scalar(-.7))
		case "plus":
			y = q.Op("Add", q.scalar(.2), y)
		default:
			y = q.Op(name, y)
		}
	}
	z := q.quantise(y)
	return q.back(z), z.step
}

// block is a residual block and what comes behind.
func (q *quantiser) block() (*graph.Value, float64) {
	x := q.in()
	c := dim(q.x, 1)
	conv := func(x quant, ci, co, k, groups int) quant {
		w, scale := q.weightBack([]int{co, ci / groups, k, k}, 0)
		in := []*graph.Value{q.back(x), w}
		if b := q.bias(co, x, scale); b != nil {
			in = append(in, b)
		}
		p := k / 2
		return q.quantise(q.Op("Relu", q.Attr("Conv", []graph.Attr{graph.MakeAttr("pads", []int{p, p, p, p}), graph.MakeAttr("group", groups)}, in...)))
	}
	h := 1 + q.IntN(30)
	y := conv(x, c, h, 1, 1)
	y = conv(y, h, h, 3, h)
	y = conv(y, h, c, 3, 1)
	z := q.quantise(q.Op("Relu", q.Op("Add", q.back(y), q.back(x))))
	p := q.quantise(q.Op("GlobalAveragePool", q.back(z)))
	f := quant{v: q.Op("Flatten", p.v), scale: p.scale, zero: p.zero}
	w, _ := q.weightBack([]int{5, c}, 0)
	out := q.quantise(q.Attr("Gemm", []graph.Attr{graph.MakeAttr("transB", 1)}, q.back(f), w))
	return q.back(out), out.step
}

// convInteger is a convolution of whole numbers.
func (q *quantiser) convInteger() *graph.Value {
	x, k := q.in(), 1+q.IntN(3)
	w, _, zero := q.weight([]int{1 + q.IntN(20), dim(q.x, 1), k, k}, 0)
	in := []*graph.Value{x.v, w}
	if q.IntN(3) > 0 {
		if q.tame && zero.Const.Len() > 1 { // runtimes want one
			zero = q.Const(bytesOf(zero.DType, []int{}, func(int) int { return 3 }))
		}
		in = append(in, x.zero, zero)
	}
	return q.Attr("Cast", []graph.Attr{graph.MakeAttr("to", int(tensor.Float32))}, q.Attr("ConvInteger", q.window(k, true), in...))
}
