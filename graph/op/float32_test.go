package op

import (
	"math"
	"testing"

	"pare/graph"
	"pare/tensor"
)

// A network of float16, bfloat16 or float64 becomes one of float32 that gives
// the same outputs but for rounding.
func TestToFloat32(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Float16, tensor.BFloat16, tensor.Float64} {
		g := graph.New("g", 17)
		x := &graph.Value{Name: "x", DType: d, Shape: graph.Shape{graph.Sym("N"), graph.N(2)}}
		g.Inputs = []*graph.Value{x}
		w := g.Const("w", convert(t, tensor.From([]float32{1, -.5, 2, .25}, 2, 2), d), graph.Auto)
		y := g.Add("MatMul", "", []*graph.Value{x, w}, []string{"y"}).Outputs[0]
		c := g.Add("Constant", "", nil, []string{"c"}).Outputs[0]
		c.From.Set("value", convert(t, tensor.From([]float32{.5}, 1), d))
		z := g.Add("Mul", "", []*graph.Value{y, c}, []string{"z"}).Outputs[0]
		i := g.Add("Cast", "", []*graph.Value{z}, []string{"i"}).Outputs[0]
		i.From.Set("to", int(tensor.Int32))
		f := g.Add("Cast", "", []*graph.Value{i}, []string{"f"}).Outputs[0]
		f.From.Set("to", int(d))
		g.Outputs = g.Add("Add", "", []*graph.Value{f, z}, []string{"o"}).Outputs
		was, err := ToFloat32(g)
		if err != nil || was != d {
			t.Fatalf("%v: found %v, %v", d, was, err)
		}
		if _, err := Simplify(g); err != nil {
			t.Fatalf("%v: %v", d, err)
		}
		for _, v := range g.Values() {
			if v.DType != tensor.Float32 && v.DType != tensor.Int32 {
				t.Errorf("%v: %s is %v", d, v.Name, v.DType)
			}
		}
		out, err := Run(g, map[string]*tensor.Tensor{"x": tensor.From([]float32{4, 2}, 1, 2)})
		if err != nil {
			t.Fatal(err)
		}
		// y = (4+4, -2+.5), z = (4, -.75), o = trunc(z) + z
		if got := out["o"].F32(); got[0] != 8 || got[1] != -.75 {
			t.Errorf("%v: %v", d, got)
		}
		if was, _ := ToFloat32(g); was != tensor.Undefined {
			t.Errorf("float32 was taken for %v", was)
		}
	}
	g := graph.New("g", 17)
	w := g.Const("w", &tensor.Tensor{DType: tensor.Float64, Shape: []int{1}, Data: []float64{math.MaxFloat64}}, graph.Auto)
	g.Outputs = g.Add("Neg", "", []*graph.Value{w}, []string{"y"}).Outputs
	if _, err := ToFloat32(g); err == nil {
		t.Error("a number outside float32's range was accepted")
	}
}

func convert(t *testing.T, x *tensor.Tensor, d tensor.DType) *tensor.Tensor {
	t.Helper()
	g := graph.New("c", 17)
	in := &graph.Value{Name: "x", DType: x.DType, Shape: graph.Dims(x.Shape...)}
	g.Inputs = []*graph.Value{in}
	g.Outputs = g.Add("Cast", "", []*graph.Value{in}, []string{"y"}).Outputs
	g.Nodes[0].Set("to", int(d))
	out, err := Run(g, map[string]*tensor.Tensor{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	return out["y"]
}
