package onnx

import (
	"fmt"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/onnx/onnxpb"
	"pare/tensor"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// model parses a model's text form.
func model(t *testing.T, text string) []byte {
	t.Helper()
	m := &onnxpb.ModelProto{}
	if err := prototext.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const floatVector = `type { tensor_type { elem_type: 1 shape { dim { dim_value: 2 } } } }`

// branches has two branches that hold an initialiser of the same name, one
// that gives it unchanged, and both capture h.
var branches = `ir_version: 8 opset_import { version: 13 } graph { name: "g"
input { name: "x" ` + floatVector + ` } input { name: "c" type { tensor_type { elem_type: 9 shape {} } } }
output { name: "y" ` + floatVector + ` }
node { op_type: "Neg" input: "x" output: "h" }
node { op_type: "If" input: "c" output: "y"
  attribute { name: "then_branch" type: GRAPH g { name: "a"
    initializer { name: "k" data_type: 1 dims: 2 float_data: 5 float_data: 6 }
    node { op_type: "Sub" input: "k" input: "h" output: "r" } output { name: "r" } } }
  attribute { name: "else_branch" type: GRAPH g { name: "b"
    initializer { name: "k" data_type: 1 dims: 2 float_data: 7 float_data: 8 }
    output { name: "k" } } } } }`

func TestSubgraphs(t *testing.T) {
	g, err := Decode(model(t, branches), "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Encode(g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(b, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []*graph.Graph{g, again} {
		if n := len(g.Consts()); n != 2 {
			t.Errorf("%d initialisers", n)
		}
		if err := op.InferAll(g); err != nil {
			t.Fatal(err)
		}
		for cond, want := range map[bool]string{true: "[6 8]", false: "[7 8]"} {
			in := map[string]*tensor.Tensor{"x": tensor.Vector[float32](1, 2), "c": tensor.Scalar(cond)}
			got, err := op.Run(g, in)
			if err != nil {
				t.Fatal(err)
			}
			if s := fmt.Sprint(got["y"].Data); s != want {
				t.Errorf("%v: %s, want %s", cond, s, want)
			}
			for _, freeze := range []bool{false, true} {
				p, err := engine.Compile(g, nil, engine.Options{Freeze: freeze, Threads: 1})
				if err != nil {
					t.Fatal(err)
				}
				copy(p.Input("x").F32(), in["x"].F32())
				tensor.Of[bool](p.Input("c"))[0] = cond
				if err := p.Run(); err != nil {
					t.Fatal(err)
				}
				if s := fmt.Sprint(p.Output("y").Data); s != want {
					t.Errorf("engine, %v: %s, want %s", cond, s, want)
				}
				p.Close()
			}
		}
	}
}

// calls has a function of two outputs with an attribute that is passed on, one
// that has a default, a subgraph, and a function within a function.
var calls = `ir_version: 8 opset_import { version: 13 } opset_import { domain: "my" version: 1 } graph { name: "g"
input { name: "x" ` + floatVector + ` } output { name: "y" ` + floatVector + ` } output { name: "z" ` + floatVector + ` }
node { op_type: "Twice" domain: "my" input: "x" output: "t" attribute { name: "a" type: FLOAT f: 0.5 } }
node { op_type: "Twice" domain: "my" input: "t" output: "y" output: "z" attribute { name: "a" type: FLOAT f: 0.25 } } }
functions { name: "Twice" domain: "my" input: "in" output: "out" output: "last" attribute: "a"
  opset_import { version: 13 } opset_import { domain: "my" version: 1 }
  node { op_type: "Leak" domain: "my" input: "in" output: "t" attribute { name: "alpha" type: FLOAT ref_attr_name: "a" } }
  node { op_type: "Leak" domain: "my" input: "t" output: "out" }
  node { op_type: "Identity" input: "t" output: "last" } }
functions { name: "Leak" domain: "my" input: "in" output: "out" attribute_proto { name: "alpha" type: FLOAT f: 0.1 }
  opset_import { version: 13 }
  node { op_type: "Constant" output: "yes" attribute { name: "value" type: TENSOR t { data_type: 9 int32_data: 1 } } }
  node { op_type: "If" input: "yes" output: "out"
    attribute { name: "then_branch" type: GRAPH g { name: "t"
      node { op_type: "LeakyRelu" input: "in" output: "t" attribute { name: "alpha" type: FLOAT ref_attr_name: "alpha" } } output { name: "t" } } }
    attribute { name: "else_branch" type: GRAPH g { name: "e" node { op_type: "Neg" input: "in" output: "t" } output { name: "t" } } } } }`

func TestFunctions(t *testing.T) {
	g, err := Decode(model(t, calls), "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Encode(g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if g, err = Decode(b, ""); err != nil {
		t.Fatal(err)
	}
	// -8 * .5 * .1 = -.4, then * .25 = -.1 and * .1 = -.01
	got, err := op.Run(g, map[string]*tensor.Tensor{"x": tensor.Vector[float32](3, -8)})
	if err != nil {
		t.Fatal(err)
	}
	if y, z := fmt.Sprintf("%.4f", got["y"].F32()), fmt.Sprintf("%.4f", got["z"].F32()); y != "[3.0000 -0.0100]" || z != "[3.0000 -0.1000]" {
		t.Errorf("y %s, z %s", y, z)
	}
}

// Functions that call themselves, that become too many nodes or that mean
// another version are refused.
func TestFunctionsRefused(t *testing.T) {
	head := `ir_version: 8 opset_import { version: 13 } graph { name: "g" input { name: "x" } output { name: "y" }
node { op_type: "F0" domain: "my" input: "x" output: "y" } } `
	var bomb strings.Builder
	for i := range 30 {
		fmt.Fprintf(&bomb, `functions { name: "F%d" domain: "my" input: "a" output: "c" node { op_type: "F%d" domain: "my" input: "a" output: "b" }
node { op_type: "F%d" domain: "my" input: "b" output: "c" } } `, i, i+1, i+1)
	}
	for want, fs := range map[string]string{
		"calls itself":    `functions { name: "F0" domain: "my" input: "a" output: "c" node { op_type: "F0" domain: "my" input: "a" output: "c" } }`,
		"too much memory": bomb.String() + `functions { name: "F30" domain: "my" input: "a" output: "b" node { op_type: "Neg" input: "a" output: "b" } }`,
		"version 14":      `functions { name: "F0" domain: "my" input: "a" output: "c" opset_import { version: 14 } node { op_type: "Neg" input: "a" output: "c" } }`,
		"1 inputs and 1 ": `functions { name: "F0" domain: "my" output: "c" node { op_type: "Neg" input: "a" output: "c" } }`,
	} {
		if _, err := Decode(model(t, head+fs), ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}
