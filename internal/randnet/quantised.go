package randnet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Quantised is a small network of one operator between quantised values, or a few.
type Quantised struct {
	Graph *graph.Graph // of one float32 input "x", and one float32 output
	X     *tensor.Tensor
	Step  float64 // the scale of the output; 0: it is not quantised
	Exact bool    // the output is an exact whole number
	Kind  string
}

// QuantisedKinds are the networks that NewQuantised makes.
var QuantisedKinds = []string{"conv", "depthwise", "groups", "QLinearConv", "matmul", "gemm", "batches", "QLinearMatMul", "QLinearMatMul of batches", "MatMulInteger", "ConvInteger", "dynamic",
	"add", "mul", "concat", "concat channels", "MaxPool", "AveragePool", "GlobalAveragePool", "move", "table", "again", "relu", "block", "sparse conv", "sparse matmul", "sparse gemm", "sparse MatMulInteger"}

// quantiser builds one.
type quantiser struct {
	*op.Builder
	*rand.Rand
	x      *graph.Value
	feed   *tensor.Tensor
	signed bool // activations
	tame   bool // only what runtimes take
	sparse bool // nearly all weights are 0
}

// NewQuantised makes a network of a kind with random sizes, types and zero points. tame keeps
// to what ONNX Runtime takes.
func NewQuantised(kind string, seed uint64, tame bool) (*Quantised, error) {
	g := graph.New("quantised", 17)
	q := &quantiser{Builder: op.NewBuilder(g, "q"), Rand: rand.New(rand.NewPCG(seed, 17)), tame: tame}
	q.signed = q.IntN(2) == 0
	c, h, w := 1+q.IntN(20), 3+q.IntN(9), 3+q.IntN(9)
	if kind == "groups" {
		c = 2 * (1 + q.IntN(6))
	}
	shape := []int{1 + q.IntN(2), c, h, w}
	switch kind {
	case "matmul", "QLinearMatMul", "MatMulInteger", "dynamic":
		shape = []int{1 + q.IntN(2), 1 + q.IntN(20), 1 + q.IntN(90)}
	case "gemm":
		shape = []int{1 + q.IntN(20), 1 + q.IntN(90)}
	case "batches", "QLinearMatMul of batches":
		shape = []int{1 + q.IntN(3), 1 + q.IntN(4), 1 + q.IntN(20), 1 + q.IntN(40)}
	}
	name, sparse := strings.CutPrefix(kind, "sparse ")
	if q.sparse = sparse; sparse { // so large that skipping zeros pays
		shape = map[string][]int{"conv": {1, 48, 14, 14}, "matmul": {1, 70, 300}, "gemm": {66, 600}, "MatMulInteger": {2, 70, 300}}[name]
	}
	q.x = &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(shape...)}
	g.Inputs = []*graph.Value{q.x}
	q.feed = tensor.New(tensor.Float32, shape...)
	for i := range q.feed.F32() {
		q.feed.F32()[i] = float32(q.NormFloat64()) + .3
	}
	n := &Quantised{Graph: g, X: q.feed, Kind: kind}
	y, step := q.network(name, n)
	if q.Err() != nil {
		return nil, fmt.Errorf("%s: %w", kind, q.Err())
	}
	n.Step = step
	g.Outputs = []*graph.Value{y}
	return n, op.InferAll(g)
}

func (q *quantiser) scalar(v float64) *graph.Value { return q.Const(tensor.Scalar(float32(v))) }

// dtype is that of activations.
func (q *quantiser) dtype() tensor.DType {
	if q.signed {
		return tensor.Int8
	}
	return tensor.Uint8
}

func bytesOf(d tensor.DType, shape []int, v func(i int) int) *tensor.Tensor {
	t := tensor.New(d, shape...)
	for i := range t.Len() {
		switch x := t.Data.(type) {
		case []int8:
			x[i] = int8(v(i))
		case []uint8:
			x[i] = uint8(v(i))
		}
	}
	return t
}

// zero is a zero point of a type.
func (q *quantiser) zero(d tensor.DType, z int) *graph.Value {
	return q.Const(bytesOf(d, []int{}, func(int) int { return z }))
}

// quant is a quantised value with its scale and zero point.
type quant struct {
	v, scale, zero *graph.Value
	step           float64
}

// quantise puts a QuantizeLinear behind a value, by the range that it has; it cuts a little.
func (q *quantiser) quantise(v *graph.Value) quant {
	lo, hi := -1., 1.
	if q.Err() == nil {
		q.G.Outputs = []*graph.Value{v}
		if err := op.InferAll(q.G); err == nil {
			if out, err := op.Run(q.G, map[string]*tensor.Tensor{"x": q.feed}, v); err == nil {
				lo, hi = 0, 0
				for _, x := range out[v.Name].F32() {
					lo, hi = min(lo, float64(x)), max(hi, float64(x))
				}
			}
		}
	}
	step := float64(float32(max(hi-lo, 1e-3) / (200 + 60*q.Float64())))
	z := max(0, min(255, int(math.Round(-lo/step))))
	if q.signed {
		z -= 128
	}
	s, zero := q.scalar(step), q.zero(q.dtype(), z)
	return quant{q.Op("QuantizeLinear", v, s, zero), s, zero, step}
}

// back is a quantised value as numbers.
func (q *quantiser) back(v quant) *graph.Value {
	return q.Op("DequantizeLinear", v.v, v.scale, v.zero)
}

// in is the input, quantised.
func (q *quantiser) in() quant { return q.quantise(q.x) }

// weight is a constant of 8 bits: scales and zero points of an axis, or one.
func (q *quantiser) weight(shape []int, axis int) (w, scale, zero *graph.Value) {
	d := tensor.Int8
	if q.IntN(3) == 0 && !(q.tame && q.signed) {
		d = tensor.Uint8
	}
	offset := 0
	if d == tensor.Uint8 {
		offset = 128
	}
	share := []float64{0, 0, .6}[q.IntN(3)]
	if q.sparse {
		share = .985
	}
	w = q.Const(bytesOf(d, shape, func(int) int {
		if q.Float64() < share {
			return offset
		}
		return max(-128, min(127, int(50*q.NormFloat64()))) + offset
	}))
	n := []int{}
	if q.IntN(3) > 0 {
		n = []int{shape[axis]}
	}
	s := tensor.New(tensor.Float32, n...)
	for i := range s.F32() {
		s.F32()[i] = float32(.01 + .02*q.Float64())
	}
	moved := 0
	if q.IntN(2) == 0 && !(q.tame && len(n) > 0) {
		moved = q.IntN(41) - 20
	}
	z := bytesOf(d, n, func(i int) int {
		if !q.tame && moved != 0 {
			return offset + moved + i%3
		}
		return offset + moved
	})
	return w, q.Const(s), q.Const(z)
}

// weightBack is a weight behind a DequantizeLinear.
func (q *quantiser) weightBack(shape []int, axis int) (w, scale *graph.Value) {
	w, scale, zero := q.weight(shape, axis)
	return q.Attr("DequantizeLinear", []graph.Attr{graph.MakeAttr("axis", axis)}, w, scale, zero), scale
}

// bias is int32 behind a DequantizeLinear, float32, or none.
func (q *quantiser) bias(n int, x quant, scale *graph.Value) *graph.Value {
	switch q.IntN(3) {
	case 0:
		t := tensor.New(tensor.Int32, n)
		for i := range tensor.Of[int32](t) {
			tensor.Of[int32](t)[i] = int32(q.IntN(4001) - 2000)
		}
		s := tensor.New(tensor.Float32, scale.Const.Shape...)
		for i, v := range scale.Const.F32() {
			s.F32()[i] = v * x.scale.Const.F32()[0]
		}
		return q.Attr("DequantizeLinear", []graph.Attr{graph.MakeAttr("axis", 0)}, q.Const(t), q.Const(s))
	case 1:
		t := tensor.New(tensor.Float32, n)
		for i := range t.F32() {
			t.F32()[i] = float32(q.NormFloat64())
		}
		return q.Const(t)
	}
	return nil
}

// closed puts an activation, perhaps, a QuantizeLinear and a DequantizeLinear behind a value.
func (q *quantiser) closed(y *graph.Value) (*graph.Value, float64) {
	switch q.IntN(4) {
	case 0:
		y = q.Op("Relu", y)
	case 1:
		y = q.Op("Clip", y, q.scalar(-.4), q.scalar(1.3))
	}
	z := q.quantise(y)
	return q.back(z), z.step
}

// window are attributes of a window over an image.
func (q *quantiser) window(k int, padded bool) []graph.Attr {
	s := 1 + q.IntN(2)
	a := []graph.Attr{graph.MakeAttr("kernel_shape", []int{k, k}), graph.MakeAttr("strides", []int{s, s})}
	if padded && k > 1 {
		a = append(a, graph.MakeAttr("pads", []int{q.IntN(2), q.IntN(2), q.IntN(2), q.IntN(2)}))
	}
	return a
}

func (q *quantiser) convolution(x quant, kind string) *graph.Value {
	ci, k := dim(q.x, 1), 1+q.IntN(3)
	attrs := q.window(k, true)
	shape := []int{q.outputs(20), ci, k, k}
	switch kind {
	case "depthwise":
		shape[0], shape[1] = ci, 1
		attrs = append(attrs, graph.MakeAttr("group", ci))
	case "groups":
		shape[0], shape[1] = 2*(1+q.IntN(9)), ci/2
		attrs = append(attrs, graph.MakeAttr("group", 2))
	}
	w, scale := q.weightBack(shape, 0)
	in := []*graph.Value{q.back(x), w}
	if b := q.bias(shape[0], x, scale); b != nil {
		in = append(in, b)
	}
	return q.Attr("Conv", attrs, in...)
}

// outputs is a number of outputs of a layer, larger where its weights are sparse.
func (q *quantiser) outputs(most int) int {
	if q.sparse {
		return 64 + q.IntN(40)
	}
	return 1 + q.IntN(most)
}
