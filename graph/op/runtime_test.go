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
