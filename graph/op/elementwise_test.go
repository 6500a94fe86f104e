package op

import (
	"math"
	"math/rand/v2"
	"testing"

	"pare/graph"
	"pare/tensor"
)

// TestUnary checks values against Go's own functions or formulas, and first
// and second derivatives.
func TestUnary(t *testing.T) {
	gelu := func(x float64) float64 { return x * (1 + math.Erf(x/math.Sqrt2)) / 2 }
	relu := func(x float64) float64 { return math.Max(x, 0) }
	sig := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	for _, c := range []struct {
		op     string
		f      func(x float64) float64
		lo, hi float64
		attrs  []graph.Attr
	}{
		{"Abs", math.Abs, .1, 2, nil}, {"Abs", math.Abs, -2, -.1, nil}, {"Neg", func(x float64) float64 { return -x }, -2, 2, nil},
		{"Exp", math.Exp, -2, 2, nil}, {"Log", math.Log, .5, 2, nil}, {"Sqrt", math.Sqrt, .5, 2, nil},
		{"Reciprocal", func(x float64) float64 { return 1 / x }, .5, 2, nil}, {"Floor", math.Floor, .1, .9, nil},
		{"Ceil", math.Ceil, .1, .9, nil}, {"Round", math.RoundToEven, .1, .4, nil}, {"Sin", math.Sin, -2, 2, nil},
		{"Cos", math.Cos, -2, 2, nil}, {"Tan", math.Tan, -1, 1, nil}, {"Asin", math.Asin, -.8, .8, nil}, {"Acos", math.Acos, -.8, .8, nil},
		{"Atan", math.Atan, -2, 2, nil}, {"Sinh", math.Sinh, -2, 2, nil}, {"Cosh", math.Cosh, -2, 2, nil}, {"Asinh", math.Asinh, -2, 2, nil},
		{"Acosh", math.Acosh, 1.5, 3, nil}, {"Atanh", math.Atanh, -.8, .8, nil}, {"Erf", math.Erf, -2, 2, nil}, {"Tanh", math.Tanh, -2, 2, nil},
		{"Relu", relu, .1, 2, nil}, {"Relu", relu, -2, -.1, nil}, {"Sigmoid", sig, -3, 3, nil},
		{"LeakyRelu", func(x float64) float64 { return float64(float32(.1)) * x }, -2, -.1, []graph.Attr{attr("alpha", .1)}},
		{"Elu", func(x float64) float64 { return .5 * (math.Exp(x) - 1) }, -2, -.1, []graph.Attr{attr("alpha", .5)}},
		{"Selu", func(x float64) float64 { return 1.05070102214813232421875 * x }, .1, 2, nil},
		{"Selu", func(x float64) float64 {
			return 1.05070102214813232421875 * 1.67326319217681884765625 * (math.Exp(x) - 1)
		}, -2, -.1, nil},
		{"Celu", func(x float64) float64 { return 2 * (math.Exp(x/2) - 1) }, -2, -.1, []graph.Attr{attr("alpha", 2.)}},
		{"ThresholdedRelu", func(x float64) float64 { return x }, 1.1, 2, nil}, {"ThresholdedRelu", func(x float64) float64 { return 0 }, .1, .9, nil},
		{"HardSigmoid", func(x float64) float64 { return .25*x + .5 }, -1, 1, []graph.Attr{attr("alpha", .25)}},
		{"HardSwish", func(x float64) float64 { return x * (x + 3) / 6 }, -2.9, 2.9, nil}, {"HardSwish", func(x float64) float64 { return x }, 3.1, 5, nil},
		{"Softplus", func(x float64) float64 { return math.Log(1 + math.Exp(x)) }, -3, 3, nil},
		{"Softsign", func(x float64) float64 { return x / (1 + math.Abs(x)) }, .1, 3, nil},
		{"Mish", func(x float64) float64 { return x * math.Tanh(math.Log(1+math.Exp(x))) }, -3, 3, nil},
		{"Gelu", gelu, -3, 3, nil},
		{"Gelu", func(x float64) float64 { return x * sig(2*math.Sqrt(2/math.Pi)*(x+.044715*x*x*x)) }, -3, 3, []graph.Attr{attr("approximate", "tanh")}},
		{"Swish", func(x float64) float64 { return x * sig(x) }, -3, 3, nil},
		{"Swish", func(x float64) float64 { return x * sig(1.5*x) }, -3, 3, []graph.Attr{attr("alpha", 1.5)}},
		{"Shrink", func(x float64) float64 { return x - .25 }, .6, 2, []graph.Attr{attr("bias", .25)}},
		{"Shrink", func(x float64) float64 { return 0 }, -.4, .4, nil},
		{"Identity", func(x float64) float64 { return x }, -2, 2, nil},
		{"Sign", func(x float64) float64 { return 1 }, .1, 2, nil},
	} {
		x := randu(5, c.lo, c.hi, 2, 3)
		want := tensor.New(tensor.Float64, 2, 3)
		for i, v := range tensor.Of[float64](x) {
			tensor.Of[float64](want)[i] = c.f(v)
		}
		closeTo(t, c.op, eval(t, 24, "", c.op, 1, []*tensor.Tensor{x}, c.attrs...)[0], want, 1e-12)
		x32, _ := Convert(x, tensor.Float32)
		want32, _ := Convert(want, tensor.Float32)
		closeTo(t, c.op+" float32", eval(t, 24, "", c.op, 1, []*tensor.Tensor{x32}, c.attrs...)[0], want32, 1e-6)
		g, in := oneNode(t, 24, "", c.op, 1, []*tensor.Tensor{x}, c.attrs...)
		checkGrad2(t, g, in)
	}
}

// TestKinks fixes the derivative where there is none: as PyTorch has it.
func TestKinks(t *testing.T) {
	at := func(op string, want float64, x []*tensor.Tensor, attrs ...graph.Attr) {
		t.Helper()
		g, in := oneNode(t, 20, "", op, 1, x, attrs...)
		d, err := Gradient(g, g.Outputs[0], nil, g.Inputs[:1])
		if err != nil {
			t.Fatal(err)
		}
		got := 0.0
		if d[0] != nil {
			res, err := Run(g, in, d[0])
			if err != nil {
				t.Fatal(err)
			}
			got = tensor.Of[float64](res[d[0].Name])[0]
		}
		if got != want {
			t.Errorf("%s: derivative at %v is %v, want %v", op, x[0].Data, got, want)
		}
	}
	zero, one := []*tensor.Tensor{f64(0)}, f64(1)
	at("Relu", 0, zero)
	at("Abs", 0, zero)
	at("Sign", 0, zero)
	at("LeakyRelu", .25, zero, attr("alpha", .25))
	at("Elu", .5, zero, attr("alpha", .5))
	at("HardSigmoid", .25, zero, attr("alpha", .25))
	at("Clip", 1, []*tensor.Tensor{f64(1), tensor.Scalar(-1.), tensor.Scalar(1.)})
	at("PRelu", .5, []*tensor.Tensor{f64(0), f64(.5)})
	at("Max", 1, []*tensor.Tensor{one, f64(1)})
	at("Min", 0, []*tensor.Tensor{f64(2), f64(1)})
	at("ReduceMax", .5, []*tensor.Tensor{f64(3, 3, 1)})
	at("ReduceMin", .5, []*tensor.Tensor{f64(1, 3, 1)})
	at("ReduceL2", 0, []*tensor.Tensor{f64(0, 0)})
	at("ReduceProd", 6, []*tensor.Tensor{f64(0, 2, 3)})
	at("ReduceProd", 0, []*tensor.Tensor{f64(2, 0, 0)})
	at("Pow", 0, []*tensor.Tensor{f64(0), f64(0)})
	at("Pow", 1, []*tensor.Tensor{f64(0), f64(1)})
}

// TestBroadcast compares every pair of broadcasting shapes with a computation
// by coordinates.
func TestBroadcast(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		full := make([]int, r.IntN(4))
		for i := range full {
			full[i] = 1 + r.IntN(3)
		}
		part := func() []int {
			s := append([]int{}, full[r.IntN(len(full)+1):]...)
			for i := range s {
				if r.IntN(3) == 0 {
					s[i] = 1
				}
			}
			return s
		}
		a, b := part(), part()
		x, y := randn(1, a...), randn(2, b...)
		got := eval(t, 14, "", "Sub", 1, []*tensor.Tensor{x, y})[0]
		rank := max(len(a), len(b))
		at := func(v *tensor.Tensor, idx []int) float64 {
			off := 0
			for d, s := range v.Shape {
				off = off*s + idx[rank-len(v.Shape)+d]%s
			}
			return tensor.Of[float64](v)[off]
		}
		idx := make([]int, rank)
		for i := range got.Len() {
			rest := i
			for d := rank - 1; d >= 0; d-- {
				idx[d] = rest % got.Shape[d]
				rest /= got.Shape[d]
			}
			if want := at(x, idx) - at(y, idx); tensor.Of[float64](got)[i] != want {
				t.Fatalf("%v - %v: element %v is %v, want %v", a, b, idx, tensor.Of[float64](got)[i], want)
			}
		}
		back := eval(t, 14, graph.Pare, "SumTo", 1, []*tensor.Tensor{got, x})[0]
		if !equalInts(back.Shape, a) {
			t.Errorf("SumTo(%v, %v) has shape %v", got.Shape, a, back.Shape)
		}
	}
}

func TestIntegers(t *testing.T) {
	big := int64(1)<<62 + 1
	for _, c := range []struct {
		op         string
		x, y, want *tensor.Tensor
		attrs      []graph.Attr
	}{
		{"Add", i64(big), i64(2), i64(big + 2), nil},
		{"Sub", tensor.Vector[uint8](1), tensor.Vector[uint8](2), tensor.Vector[uint8](255), nil},
		{"Mul", tensor.Vector[int8](100), tensor.Vector[int8](2), tensor.Vector[int8](-56), nil},
		{"Div", i64(-7, 7, big), i64(2, -2, 1), i64(-3, -3, big), nil},
		{"Div", tensor.Vector[uint64](1 << 63), tensor.Vector[uint64](2), tensor.Vector[uint64](1 << 62), nil},
		{"Mod", i64(-7, 7), i64(3, -3), i64(2, -2), nil},
		{"Mod", i64(-7, 7), i64(3, -3), i64(-1, 1), []graph.Attr{attr("fmod", 1)}},
		{"Pow", i64(3, -2), i64(39, 3), i64(4052555153018976267, -8), nil},
		{"Max", tensor.Vector[uint64](1 << 63), tensor.Vector[uint64](2), tensor.Vector[uint64](1 << 63), nil},
		{"Greater", tensor.Vector[uint64](1 << 63), tensor.Vector[uint64](2), tensor.Vector(true), nil},
		{"Less", i64(big, big), i64(big+1, big), tensor.Vector(true, false), nil},
		{"Equal", tensor.Vector("a", "b"), tensor.Vector("a", "c"), tensor.Vector(true, false), nil},
		{"Equal", f64(math.NaN(), 1), f64(math.NaN(), 1), tensor.Vector(false, true), nil},
		{"GreaterOrEqual", f64(math.NaN(), 1), f64(math.NaN(), 1), tensor.Vector(false, true), nil},
		{"Xor", tensor.Vector(true, true), tensor.Vector(true, false), tensor.Vector(false, true), nil},
		{"BitShift", tensor.Vector[uint8](1, 16), tensor.Vector[uint8](9, 1), tensor.Vector[uint8](0, 32), []graph.Attr{attr("direction", "LEFT")}},
		{"BitShift", tensor.Vector[uint64](1 << 63), tensor.Vector[uint64](62), tensor.Vector[uint64](2), []graph.Attr{attr("direction", "RIGHT")}},
		{"BitwiseXor", tensor.Vector[int16](12), tensor.Vector[int16](10), tensor.Vector[int16](6), nil},
	} {
		got := eval(t, 18, "", c.op, 1, []*tensor.Tensor{c.x, c.y}, c.attrs...)[0]
		if got.String() != c.want.String() || !sameData(got, c.want) {
			t.Errorf("%s(%v, %v) = %v %v, want %v", c.op, c.x.Data, c.y.Data, got, got.Data, c.want.Data)
		}
	}
	for _, op := range []string{"Div", "Mod"} {
		if _, err := Lookup("", op).Eval(&graph.Node{Op: op}, 13, []*tensor.Tensor{i64(1), i64(0)}); err == nil {
			t.Errorf("integer %s by 0: no error", op)
		}
	}
}

// sameData compares storage exactly.
func sameData(a, b *tensor.Tensor) bool {
	eq := comparison(a, b)
	for i := range a.Len() {
		if !eq(i) {
			return false
		}
	}
	return true
}

func comparison(a, b *tensor.Tensor) func(i int) bool {
	switch x := a.Data.(type) {
	case []int64:
		return func(i int) bool { return x[i] == tensor.Of[int64](b)[i] }
	case []uint64:
		return func(i int) bool { return x[i] == tensor.Of[uint64](b)[i] }
	case []string:
		return func(i int) bool { return x[i] == tensor.Of[string](b)[i] }
	}
	p, _ := a.Float64s()
	q, _ := b.Float64s()
	return func(i int) bool { return p[i] == q[i] }
}

func TestCast(t *testing.T) {
	for _, c := range []struct{ x, want *tensor.Tensor }{
		{f32(-1.7, 1.7, 300), tensor.Vector[int32](-1, 1, 300)},
		{i64(0, 2), tensor.Vector(false, true)},
		{tensor.Vector(true, false), f64(1, 0)},
		{tensor.Vector("1.5", "-INF", "nan"), f64(1.5, math.Inf(-1), math.NaN())},
		{f32(.1, 3), tensor.Vector("0.1", "3")},
	} {
		got := eval(t, 13, "", "Cast", 1, []*tensor.Tensor{c.x}, attr("to", c.want.DType))[0]
		like := eval(t, 15, "", "CastLike", 1, []*tensor.Tensor{c.x, c.want})[0]
		for _, g := range []*tensor.Tensor{got, like} {
			if g.DType == tensor.String {
				if !sameData(g, c.want) {
					t.Errorf("cast of %v is %v", c.x.Data, g.Data)
				}
				continue
			}
			closeTo(t, "cast", g, c.want, 0)
		}
	}
	g, in := oneNode(t, 13, "", "Cast", 1, []*tensor.Tensor{randn(1, 3)}, attr("to", tensor.Float64))
	checkGrad(t, g, in)
}

func TestHalfPrecision(t *testing.T) {
	x, _ := Convert(f64(1.5, -2.25, 3), tensor.Float16)
	y, _ := Convert(f64(.5, 4, 1), tensor.Float16)
	want, _ := Convert(f64(2, 1.75, 4), tensor.Float16)
	closeTo(t, "float16", eval(t, 14, "", "Add", 1, []*tensor.Tensor{x, y})[0], want, 0)
	b, _ := Convert(f64(1.5, -2.25), tensor.BFloat16)
	want, _ = Convert(f64(0, 0), tensor.BFloat16)
	tensor.Of[uint16](want)[0] = tensor.Of[uint16](b)[0]
	closeTo(t, "bfloat16", eval(t, 14, "", "Relu", 1, []*tensor.Tensor{b})[0], want, 0)
}
