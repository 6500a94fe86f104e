package onnx

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"pare/graph"
	"pare/graph/op"
	"pare/onnx/onnxpb"
	"pare/tensor"
)

// noise is a tensor of small random numbers of a type.
func noise(t *testing.T, d tensor.DType, shape ...int) *tensor.Tensor {
	t.Helper()
	r := rand.New(rand.NewPCG(3, uint64(len(shape))))
	f := tensor.New(tensor.Float64, shape...)
	for i := range tensor.Of[float64](f) {
		tensor.Of[float64](f)[i] = math.Round(64*r.NormFloat64()) / 64 // exact in every type
	}
	x, err := op.Convert(f, d)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// net builds networks for these tests.
type net struct {
	*testing.T
	*graph.Graph
}

func newNet(t *testing.T, d tensor.DType, shape ...int) (net, *graph.Value) {
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: d, Shape: graph.Dims(shape...)}
	g.Inputs = []*graph.Value{x}
	return net{t, g}, x
}

func (n net) op(name string, in ...*graph.Value) *graph.Value {
	return n.Graph.Add(name, "", in, []string{"v"}).Outputs[0]
}

func (n net) cast(v *graph.Value, d tensor.DType) *graph.Value {
	return n.Graph.Add("Cast", "", []*graph.Value{v}, []string{"c"}, graph.MakeAttr("to", d)).Outputs[0]
}

func (n net) weight(d tensor.DType, shape ...int) *graph.Value {
	return n.Const("w", noise(n.T, d, shape...), graph.Auto)
}

func (n net) output(v *graph.Value) *graph.Graph {
	v.Name = "y"
	n.Outputs = []*graph.Value{v}
	return n.Graph
}

// mixtures are networks of other types than float32, in whole or in part.
func mixtures(t *testing.T) map[string]*graph.Graph {
	out := map[string]*graph.Graph{}
	for _, d := range []tensor.DType{tensor.Float16, tensor.BFloat16, tensor.Float64} {
		n, x := newNet(t, d, 3, 8)
		out[d.String()] = n.output(n.op("Softmax", n.op("Add", n.op("Relu", n.op("MatMul", x, n.weight(d, 8, 64))), n.weight(d, 64))))

		n, x = newNet(t, tensor.Float32, 3, 8) // casts at the ends
		out["ends "+d.String()] = n.output(n.cast(n.op("MatMul", n.cast(x, d), n.weight(d, 8, 64)), tensor.Float32))

		n, x = newNet(t, d, 3, 8) // a part in float32
		h := n.op("Softmax", n.cast(n.op("MatMul", x, n.weight(d, 8, 64)), tensor.Float32))
		out["middle "+d.String()] = n.output(n.op("MatMul", n.cast(h, d), n.weight(d, 64, 40)))

		n, x = newNet(t, tensor.Float32, 3, 8) // weights are stored smaller than they are used, or larger
		out["behind a cast "+d.String()] = n.output(n.op("MatMul", x, n.cast(n.weight(d, 8, 64), tensor.Float32)))

		n, x = newNet(t, d, 3, 8) // a constant that is made
		shape := n.Const("shape", tensor.Vector[int64](64, 40), graph.Auto)
		c := n.Graph.Add("ConstantOfShape", "", []*graph.Value{shape}, []string{"k"}, graph.MakeAttr("value", noise(t, d, 1))).Outputs[0]
		out["made "+d.String()] = n.output(n.op("MatMul", n.op("MatMul", x, n.weight(d, 8, 64)), c))

		n, x = newNet(t, d, 3, 8) // a loop
		body := graph.New("body", 17)
		i, cond := &graph.Value{Name: "i", DType: tensor.Int64, Shape: graph.Shape{}}, &graph.Value{Name: "cond", DType: tensor.Bool, Shape: graph.Shape{}}
		s := &graph.Value{Name: "s", DType: d, Shape: graph.Dims(3, 8)}
		body.Inputs = []*graph.Value{i, cond, s}
		w := body.Add("MatMul", "", []*graph.Value{s, body.Const("lw", noise(t, d, 8, 8), graph.Auto)}, []string{"t"})
		k := body.Add("Identity", "", []*graph.Value{cond}, []string{"going"})
		body.Outputs = []*graph.Value{k.Outputs[0], w.Outputs[0]}
		l := n.Graph.Add("Loop", "", []*graph.Value{n.Const("m", tensor.Scalar(int64(2)), graph.Auto), n.Const("b", tensor.Scalar(true), graph.Auto), x}, []string{"l"}, graph.MakeAttr("body", body))
		out["loop "+d.String()] = n.output(n.op("MatMul", l.Outputs[0], n.weight(d, 8, 40)))
	}
	return out
}

// A network of other floating-point types is read, computed in float32, and written in
// the types that it had; the file is not larger.
func TestTypesAreKept(t *testing.T) {
	for name, g := range mixtures(t) {
		b, err := Encode(g, Options{})
		if err != nil {
			t.Fatal(name, err)
		}
		read, err := Decode(b, "")
		if err != nil {
			t.Fatal(name, err)
		}
		in := map[string]*tensor.Tensor{"x": noise(t, g.Inputs[0].DType, 3, 8)}
		want, err := op.Run(read, in)
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := op.Widen(read); err != nil {
			t.Fatal(name, err)
		}
		if _, err := op.Simplify(read); err != nil {
			t.Fatal(name, err)
		}
		for _, v := range read.Values() {
			if v.DType.IsFloat() && v.DType != tensor.Float32 {
				t.Errorf("%s: %q is %v after it was widened", name, v.Name, v.DType)
			}
		}
		deep, _ := read.Clone(true)
		for _, h := range []*graph.Graph{read, deep} {
			written, err := Encode(h, Options{})
			if err != nil {
				t.Fatal(name, err)
			}
			if len(written) > len(b)+128 {
				t.Errorf("%s: %d bytes became %d", name, len(b), len(written))
			}
			again, err := Decode(written, "")
			if err != nil {
				t.Fatal(name, err)
			}
			if err := op.InferAll(again); err != nil {
				t.Fatal(name, err)
			}
			if a, b := again.Inputs[0].DType, g.Inputs[0].DType; a != b {
				t.Errorf("%s: the input was %v and is %v", name, b, a)
			}
			got, err := op.Run(again, in)
			if err != nil {
				t.Fatal(name, err)
			}
			if err := near(got["y"], want["y"]); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// near compares type, shape and numbers, to a part of the largest.
func near(got, want *tensor.Tensor) error {
	if got.DType != want.DType || fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) {
		return fmt.Errorf("%v, want %v", got, want)
	}
	a, _ := got.Float64s()
	b, _ := want.Float64s()
	top := 0.
	for _, v := range b {
		top = max(top, math.Abs(v))
	}
	part := map[tensor.DType]float64{tensor.BFloat16: 3e-2, tensor.Float16: 4e-3, tensor.Float32: 1e-2, tensor.Float64: 1e-5}[want.DType]
	for i := range b {
		if !(math.Abs(a[i]-b[i]) <= part*top) {
			return fmt.Errorf("element %d is %g, want %g", i, a[i], b[i])
		}
	}
	return nil
}

// A weight that no longer fits the type of the file is refused by name.
func TestTooLargeForItsType(t *testing.T) {
	g := mixtures(t)["float16"]
	if _, err := op.Widen(g); err != nil {
		t.Fatal(err)
	}
	w := g.Consts()[0]
	w.Const.F32()[3] = 1e6
	if _, err := Encode(g, Options{}); err == nil {
		t.Error("1e6 was written as float16")
	}
}

// Weights behind quantisers, and constants that are made of little, are written as
// they were read.
func TestSmallStaysSmall(t *testing.T) {
	vector := func(v ...int64) *tensor.Tensor { return tensor.Vector(v...) }
	nets := map[string]func(n net, x *graph.Value) *graph.Value{
		"int8": func(n net, x *graph.Value) *graph.Value {
			q := n.Const("q", noise(t, tensor.Int8, 8, 256), graph.Auto)
			return n.op("MatMul", x, n.op("DequantizeLinear", q, n.Const("s", tensor.Scalar[float32](.5), graph.Auto)))
		},
		"quantised while training": func(n net, x *graph.Value) *graph.Value {
			s, z := n.Const("s", tensor.Scalar[float32](.5), graph.Auto), n.Const("z", tensor.Scalar[int8](0), graph.Auto)
			return n.op("MatMul", x, n.op("DequantizeLinear", n.op("QuantizeLinear", n.weight(tensor.Float32, 8, 256), s, z), s, z))
		},
		"expand": func(n net, x *graph.Value) *graph.Value {
			return n.op("Add", x, n.op("Neg", n.op("Expand", n.weight(tensor.Float32, 1, 1), n.Const("s", vector(256, 8), graph.Auto))))
		},
		"tile": func(n net, x *graph.Value) *graph.Value {
			return n.op("Mul", x, n.op("Tile", n.weight(tensor.Float32, 1, 8), n.Const("s", vector(256, 1), graph.Auto)))
		},
		"one-hot": func(n net, x *graph.Value) *graph.Value {
			i := n.Const("i", vector(3, 1, 0, 2, 2, 7, 5, 4), graph.Auto)
			return n.op("MatMul", x, n.op("OneHot", i, n.Const("d", tensor.Scalar(int64(200)), graph.Auto), n.Const("v", tensor.Vector[float32](0, 1), graph.Auto)))
		},
		"range": func(n net, x *graph.Value) *graph.Value {
			k := func(v float32) *graph.Value { return n.Const("k", tensor.Scalar(v), graph.Auto) }
			return n.op("Add", n.op("Expand", x, n.Const("s", vector(8, 8), graph.Auto)), n.op("Reshape", n.op("Range", k(0), k(1024), k(1)), n.Const("r", vector(128, 1, 8), graph.Auto)))
		},
	}
	for name, build := range nets {
		rows := 1
		if name == "range" {
			rows = 8
		}
		n, x := newNet(t, tensor.Float32, rows, 8)
		b, err := Encode(n.output(build(n, x)), Options{})
		if err != nil {
			t.Fatal(name, err)
		}
		g, err := Decode(b, "")
		if err != nil {
			t.Fatal(name, err)
		}
		in := map[string]*tensor.Tensor{"x": noise(t, tensor.Float32, rows, 8)}
		want, err := op.Run(g, in)
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := op.Simplify(g); err != nil {
			t.Fatal(name, err)
		}
		g, _ = g.Clone(true)
		written, err := Encode(g, Options{})
		if err != nil {
			t.Fatal(name, err)
		}
		if len(written) > len(b)+64 {
			t.Errorf("%s: %d bytes became %d", name, len(b), len(written))
		}
		if err := strict(written); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		again, err := Decode(written, "")
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := op.Run(again, in)
		if err != nil || fmt.Sprint(got["y"].Data) != fmt.Sprint(want["y"].Data) {
			t.Errorf("%s: %v, want %v (%v)", name, got["y"], want["y"], err)
		}
		for _, v := range g.Consts() { // a constant that was changed is written as it is
			if v.Made != nil && v.Const.DType == tensor.Float32 {
				v.Const.F32()[0] += 3
			}
		}
		if b, err = Encode(g, Options{}); err != nil {
			t.Fatal(err)
		}
		if again, err = Decode(b, ""); err != nil {
			t.Fatal(err)
		}
		want, _ = op.Run(g, in)
		if got, err = op.Run(again, in); err != nil || fmt.Sprint(got["y"].Data) != fmt.Sprint(want["y"].Data) {
			t.Errorf("%s, changed: %v, want %v (%v)", name, got["y"], want["y"], err)
		}
	}
}

// Weights of 4 bits keep their type and their bytes, however the file holds them.
func TestFourBits(t *testing.T) {
	dir := t.TempDir()
	n, x := newNet(t, tensor.Float32, 2, 5)
	n.Opset[""] = 21
	w := tensor.New(tensor.Int4, 5, 3)
	for i := range tensor.Of[int8](w) {
		tensor.Of[int8](w)[i] = int8(i) - 8
	}
	scale := n.Const("scale", tensor.Vector[float32](.5, 1, 2), graph.Auto)
	d := n.Graph.Add("DequantizeLinear", "", []*graph.Value{n.Const("w", w, graph.Auto), scale}, []string{"d"}, graph.MakeAttr("axis", 1)).Outputs[0]
	g := n.output(n.op("MatMul", x, d))
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	want, err := op.Run(g, map[string]*tensor.Tensor{"x": noise(t, tensor.Float32, 2, 5)})
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{"a.onnx": {}, "b.onnx": {External: true}, "c.pare": {}} {
		path := filepath.Join(dir, name)
		if err := Save(path, g, o); err != nil {
			t.Fatal(err)
		}
		h, err := Load(path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		v := h.Value("w")
		if v == nil || v.DType != tensor.Int4 || !reflect.DeepEqual(v.Const.Data, w.Data) {
			t.Errorf("%s: %v", name, v)
			continue
		}
		got, err := op.Run(h, map[string]*tensor.Tensor{"x": noise(t, tensor.Float32, 2, 5)})
		if err != nil || !reflect.DeepEqual(got["y"].Data, want["y"].Data) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
	typed := &onnxpb.TensorProto{DataType: proto.Int32(int32(tensor.Uint4)), Dims: []int64{3}, Int32Data: []int32{0x98, 0x03}}
	if x, err := (&reader{}).tensor(typed); err != nil || !reflect.DeepEqual(x.Data, []uint8{8, 9, 3}) {
		t.Errorf("%v, %v", x, err)
	}
	typed.Dims = []int64{5}
	if _, err := (&reader{}).tensor(typed); err == nil {
		t.Error("two bytes were taken for five numbers")
	}
}
