package op

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"pare/graph"
	"pare/graph/op/cases"
	"pare/tensor"
)

// recorded are outputs that ONNX Runtime gave for cases.Runtimes, by name; the test of
// interop that compares them writes them too.
func recorded(t *testing.T) map[string][][]float64 {
	t.Helper()
	b, err := os.ReadFile("testdata/runtime.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string][][]float64
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// step is by how much numbers may differ: one where a rounding may fall either way.
func step(d tensor.DType) float64 {
	if d.IsInt() {
		return 1
	}
	return 2e-5
}

// Operators of ONNX Runtime's domain and of ai.onnx.ml give what the runtime gives, written
// out at any opset or by their definition, and have gradients.
func TestRuntimeOperators(t *testing.T) {
	want := recorded(t)
	seen := map[string]bool{}
	for _, c := range cases.Runtimes() {
		seen[c.Op] = true
		for _, opset := range []int{11, 13, 17, 21, 23} {
			if opset < c.Opset {
				continue
			}
			t.Run(fmt.Sprint(c.Name(), " opset ", opset), func(t *testing.T) {
				g, in := c.Graph(opset)
				wanted := slices.Clone(g.Outputs)
				if err := Upgrade(g); err != nil {
					t.Fatal(err)
				}
				for _, n := range g.Nodes {
					if n.Domain != "" && !c.Whole {
						t.Fatalf("%s is left", opName(n))
					}
				}
				if err := InferAll(g); err != nil {
					t.Fatal(err)
				}
				out, err := Run(g, in)
				if err != nil {
					t.Fatal(err)
				}
				for i, v := range wanted {
					if c.Alone == "" && (i == 0 || !c.First) {
						if w := want[c.Name()]; i >= len(w) {
							t.Fatal("nothing is recorded for it")
						}
						sameNumbers(t, v.Name, out[v.Name], want[c.Name()][i])
					}
				}
				if c.Alone != "" {
					checkAlone(t, c, g, in, out[wanted[0].Name])
				}
				checkFlow(t, c, g)
			})
		}
	}
	for name := range contribs {
		if !seen[name] && !handWritten[name] {
			t.Errorf("%s has no case", name)
		}
	}
}

// handWritten are those that TestContrib compares with what their documentation says.
var handWritten = map[string]bool{"FusedConv": true, "FusedGemm": true, "LayerNormalization": true, "SimplifiedLayerNormalization": true, "TransposeMatMul": true}

func sameNumbers(t *testing.T, name string, got *tensor.Tensor, want []float64) {
	t.Helper()
	f, err := floats(got)
	if err != nil {
		t.Fatal(err)
	}
	if len(f) != len(want) || len(f) == 0 {
		t.Fatalf("%s: %d numbers, want %d", name, len(f), len(want))
	}
	most := 0.0
	for _, x := range want {
		most = max(most, math.Abs(x))
	}
	for k, x := range f {
		if d := math.Abs(x - want[k]); !(d <= step(got.DType)*max(1, most)) && (got.DType.IsFloat() || d > 1) {
			t.Fatalf("%s: number %d is %v, want %v", name, k, x, want[k])
		}
	}
}

// checkFlow demands a gradient of a network whose first input and output are of floating
// point, unless every way between them leads through what has none.
func checkFlow(t *testing.T, c cases.Runtime, g *graph.Graph) {
	t.Helper()
	y := g.Outputs[0]
	if len(g.Inputs) == 0 || !y.DType.IsFloat() || !g.Inputs[0].DType.IsFloat() {
		return
	}
	for _, n := range g.Nodes {
		if NoDerivative(n.Domain, n.Op) == "integers or bools come out" && n.Is("DynamicQuantizeLinear", "QuantizeLinear") {
			return
		}
	}
	if d, err := Gradient(g, y, nil, g.Inputs[:1]); err != nil || d[0] == nil && !c.Flat {
		t.Errorf("gradient: %v", err)
	}
}

// A network with operators that are not known is computed up to them: its outputs that do
// not depend on them, and what they are given.
func TestUpTo(t *testing.T) {
	build := func(first bool) *graph.Graph {
		g := graph.New("partly", 17)
		g.Opset["my.domain"] = 1
		x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(1, 3)}
		g.Inputs = []*graph.Value{x}
		h := x
		if !first {
			h = g.Add("Relu", "", []*graph.Value{x}, []string{"h"}).Outputs[0]
		}
		y := g.Add("Odd", "my.domain", []*graph.Value{h, g.Const("w", tensor.Vector[float32](1), graph.Auto)}, []string{"y"}).Outputs[0]
		z := g.Add("Add", "", []*graph.Value{y, h}, []string{"z"}).Outputs[0]
		g.Outputs = []*graph.Value{z}
		if !first {
			g.Outputs = append(g.Outputs, g.Add("Neg", "", []*graph.Value{h}, []string{"n"}).Outputs[0])
		}
		return g
	}
	g := build(false)
	if err := InferAll(g); err != nil {
		t.Fatal(err)
	}
	c, err := UpTo(g)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range c.Outputs {
		names = append(names, o.Name)
	}
	out, err := Run(c, map[string]*tensor.Tensor{"x": tensor.From([]float32{-1, 2, 3}, 1, 3)})
	if err != nil || !slices.Equal(names, []string{"n", "h"}) || !slices.Equal(out["n"].F32(), []float32{0, -2, -3}) {
		t.Errorf("outputs %v, %v, %v", names, out, err)
	}
	if len(g.Nodes) != 4 {
		t.Errorf("the network itself has %d nodes left", len(g.Nodes))
	}
	if _, err := UpTo(build(true)); err == nil {
		t.Error("an unknown operator that comes first leaves nothing, and no error was given")
	}
}

// What a file may hold and no operator can do is refused, before memory is taken.
func TestOwnOperatorsRefuse(t *testing.T) {
	for _, n := range []struct {
		op    string
		attrs []any
		in    []*tensor.Tensor
	}{
		{"MatMulNBits", []any{"K", 1 << 30, "N", 1 << 30, "block_size", 16}, []*tensor.Tensor{tensor.New(tensor.Float32, 1, 1<<10), tensor.New(tensor.Uint8, 4, 1, 8), tensor.New(tensor.Float32, 4)}},
		{"MatMulNBits", []any{"K", 16, "N", 4, "block_size", 0}, []*tensor.Tensor{tensor.New(tensor.Float32, 1, 16), tensor.New(tensor.Uint8, 4, 1, 8), tensor.New(tensor.Float32, 4)}},
		{"MatMulNBits", []any{"K", 16, "N", 4, "block_size", 16, "bits", 3}, []*tensor.Tensor{tensor.New(tensor.Float32, 1, 16), tensor.New(tensor.Uint8, 4, 1, 8), tensor.New(tensor.Float32, 4)}},
		{"MatMulNBits", []any{"K", 16, "N", 4, "block_size", 16}, []*tensor.Tensor{tensor.New(tensor.Float32, 1, 16), tensor.New(tensor.Uint8, 4, 1, 8), tensor.New(tensor.Float32, 3)}},
		{"MatMulNBits", []any{"K", 16, "N", 4, "block_size", 16, "weight_prepacked", 1}, []*tensor.Tensor{tensor.New(tensor.Float32, 1, 16), tensor.New(tensor.Uint8, 4, 1, 8), tensor.New(tensor.Float32, 4)}},
		{"MatMulNBits", []any{"K", 16, "N", 4, "block_size", 16}, []*tensor.Tensor{tensor.New(tensor.Float32, 1, 16), tensor.New(tensor.Uint8, 4, 1, 8), tensor.New(tensor.Float32, 4), nil, tensor.From(make([]int32, 3), 3)}},
		{"Inverse", nil, []*tensor.Tensor{tensor.New(tensor.Float32, 2, 2)}},
	} {
		var attrs []graph.Attr
		for i := 0; i < len(n.attrs); i += 2 {
			attrs = append(attrs, graph.MakeAttr(n.attrs[i].(string), n.attrs[i+1]))
		}
		d := Lookup(ContribDomain, n.op)
		if y, err := d.Eval(&graph.Node{Op: n.op, Domain: ContribDomain, Attrs: attrs}, 1, n.in); err == nil {
			t.Errorf("%s %v gives %v", n.op, n.attrs, y)
		}
	}
	tree := func(kv ...any) *graph.Node {
		n := &graph.Node{Op: "TreeEnsembleRegressor", Domain: LearnedDomain}
		for i := 0; i < len(kv); i += 2 {
			n.Attrs = append(n.Attrs, graph.MakeAttr(kv[i].(string), kv[i+1]))
		}
		return n
	}
	round := tree("nodes_treeids", []int{0, 0, 0}, "nodes_nodeids", []int{0, 1, 2}, "nodes_featureids", []int{0, 0, 0}, "nodes_values", []float32{1, 1, 1},
		"nodes_truenodeids", []int{1, 2, 1}, "nodes_falsenodeids", []int{1, 2, 1}, "nodes_modes", []string{"BRANCH_LEQ", "BRANCH_LEQ", "BRANCH_LEQ"})
	far := tree("nodes_treeids", []int{0}, "nodes_nodeids", []int{0}, "nodes_featureids", []int{0}, "nodes_values", []float32{1}, "nodes_truenodeids", []int{7}, "nodes_falsenodeids", []int{8}, "nodes_modes", []string{"BRANCH_LT"})
	vote := tree("nodes_treeids", []int{0}, "nodes_nodeids", []int{0}, "nodes_featureids", []int{0}, "nodes_values", []float32{1}, "nodes_truenodeids", []int{0}, "nodes_falsenodeids", []int{0}, "nodes_modes", []string{"LEAF"},
		"target_treeids", []int{0}, "target_nodeids", []int{0}, "target_ids", []int{5}, "target_weights", []float32{1})
	for i, n := range []*graph.Node{round, far, vote, tree()} {
		if y, err := Lookup(LearnedDomain, n.Op).Eval(n, 3, []*tensor.Tensor{tensor.New(tensor.Float32, 1, 1)}); err == nil {
			t.Errorf("trees %d give %v", i, y)
		}
	}
}
