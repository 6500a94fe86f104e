package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/graph"
	"pare/measure"
	"pare/npy"
	"pare/onnx"
	"pare/tensor"
)

// pare model run takes inputs by name, writes what it is told to and nothing
// else, and says what is wrong.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(2)}}
	k := &graph.Value{Name: "k", DType: tensor.Int64, Shape: graph.Dims(1)}
	g.Inputs = []*graph.Value{x, k}
	y := g.Add("Mul", "", []*graph.Value{x, g.Const("w", tensor.From([]float32{2, 3}, 2), graph.Param)}, []string{"../y"}).Outputs[0]
	z := g.Add("Expand", "", []*graph.Value{g.Const("one", tensor.From([]float32{1}, 1), graph.Frozen), k}, []string{"z"}).Outputs[0]
	g.Outputs = []*graph.Value{y, z}
	net := filepath.Join(dir, "net.onnx")
	if err := onnx.Write(net, g, onnx.Options{}); err != nil {
		t.Fatal(err)
	}
	array := func(name string, x *tensor.Tensor) string {
		b, err := npy.Encode(x)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	in := array("x.npy", tensor.From([]float64{1, 2, 3, 4}, 2, 2))
	out := filepath.Join(dir, "out.npz")
	o := ok(t, "model", "run", net, "--input", "x="+in, "--input", "k="+array("k.npy", tensor.From([]int32{3}, 1)), "--output", out, "--json")
	var got struct{ Outputs []measure.Values }
	if err := json.Unmarshal([]byte(o), &got); err != nil || len(got.Outputs) != 2 || got.Outputs[0].Max != 12 || got.Outputs[1].Shape[0] != 3 {
		t.Errorf("%v: %s", err, o)
	}
	if a, b := ok(t, "model", "run", net, "--batch", "3", "--seed", "5"), ok(t, "model", "run", net, "--batch", "3", "--seed", "5"); a != b || !strings.Contains(a, "[3 2]") {
		t.Errorf("random inputs: %s", a)
	}
	for want, args := range map[string][]string{
		"no input":    {"--input", "q=" + in},
		"NAME=FILE":   {"--input", in},
		"not fit":     {"--input", "x=" + array("bad.npy", tensor.From([]float64{1, 2, 3}, 1, 3))},
		"end in .npz": {"--output", filepath.Join(dir, "out.txt")},
		"allowed":     {"--batch", "1000000000"},
	} {
		if s, _, e := pare(t, append([]string{"model", "run", net}, args...)...); s == 0 || !strings.Contains(e, want) {
			t.Errorf("%v: status %d, %q, want something with %q", args, s, e, want)
		}
	}
	ents, err := os.ReadDir(dir)
	if err != nil || len(ents) != 5 {
		t.Errorf("the folder holds %v", ents)
	}
}

// A network with an operator that is not known is looked into, pruned, and run up to that
// operator, which is named.
func TestUnknownOperator(t *testing.T) {
	dir := t.TempDir()
	g := graph.New("g", 17)
	g.Opset["my.domain"] = 1
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(1, 4)}
	g.Inputs = []*graph.Value{x}
	w := func(name string) *graph.Value {
		return g.Const(name, tensor.From([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, 4, 4), graph.Auto)
	}
	h := g.Add("MatMul", "", []*graph.Value{x, w("first")}, []string{"h"}).Outputs[0]
	o := g.Add("Odd", "my.domain", []*graph.Value{h}, []string{"o"}).Outputs[0]
	g.Outputs = g.Add("MatMul", "", []*graph.Value{o, w("second")}, []string{"y"}).Outputs
	g.Outputs[0].DType, g.Outputs[0].Shape = tensor.Float32, graph.Dims(1, 4)
	net, out := filepath.Join(dir, "net.onnx"), filepath.Join(dir, "out.onnx")
	if err := onnx.Write(net, g, onnx.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"model", "inspect", net}, []string{"first", "second"}},
		{[]string{"model", "run", net}, []string{"h ", "[1 4]"}},
		{[]string{"model", "prune", net, "-o", out, "--sparsity", "0.5"}, []string{"time not measured"}},
	} {
		s, o, e := pare(t, c.args...)
		for _, want := range c.want {
			if s != 0 || !strings.Contains(o, want) || !strings.Contains(e, "my.domain.Odd") {
				t.Errorf("%v: status %d, want %q: %s%s", c.args, s, want, o, e)
			}
		}
	}
	c, err := onnx.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	if y := c.Outputs[0]; y.DType != tensor.Float32 || y.Shape.String() != "[1 4]" || len(c.Nodes) != 3 {
		t.Errorf("what is written has output %v %v and %d nodes", y.DType, y.Shape, len(c.Nodes))
	}
	if s, _, e := pare(t, "model", "bench", net); s == 0 || !strings.Contains(e, "my.domain.Odd") {
		t.Errorf("bench: status %d, %s", s, e)
	}
}

// Weights leave a network and come back to its architecture.
func TestWeights(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	ok(t, "model", "convert", "lenet-5", "-o", at("a.onnx"))
	ok(t, "model", "convert", at("a.onnx"), "-o", at("a.safetensors"))
	ok(t, "model", "convert", "lenet-5", "--weights", at("a.safetensors"), "-o", at("b.onnx"))
	a, _ := os.ReadFile(at("a.onnx"))
	if b, err := os.ReadFile(at("b.onnx")); err != nil || string(a) != string(b) {
		t.Errorf("%v: %d bytes, were %d", err, len(b), len(a))
	}
	if s, _, e := pare(t, "model", "convert", "resnet8", "--weights", at("a.safetensors"), "-o", at("c.onnx")); s == 0 || !strings.Contains(e, "has shape") {
		t.Errorf("status %d: %s", s, e)
	}
}
