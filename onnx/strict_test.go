package onnx

import (
	"fmt"
	"testing"

	"pare/graph/op"
	"pare/onnx/onnxpb"
	"pare/tensor"

	"google.golang.org/protobuf/proto"
)

// strict is what ONNX asks of a model's names: those of nodes are empty or given once,
// those of values are given once, in subgraphs too, and what is read is defined.
func strict(b []byte) error {
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(b, m); err != nil {
		return err
	}
	nodes, values := map[string]bool{}, map[string]bool{}
	var walk func(g *onnxpb.GraphProto, outer map[string]bool) error
	walk = func(g *onnxpb.GraphProto, outer map[string]bool) error {
		seen := map[string]bool{}
		for s := range outer {
			seen[s] = true
		}
		define := func(s string) error {
			if s == "" {
				return nil
			}
			if values[s] {
				return fmt.Errorf("value %q is defined twice", s)
			}
			values[s], seen[s] = true, true
			return nil
		}
		var names []string
		for _, v := range g.Input {
			names = append(names, v.GetName())
		}
		for _, t := range g.Initializer {
			names = append(names, t.GetName())
		}
		for _, t := range g.SparseInitializer {
			names = append(names, t.GetValues().GetName())
		}
		for _, s := range names {
			if err := define(s); err != nil {
				return err
			}
		}
		for _, n := range g.Node {
			if s := n.GetName(); s != "" && nodes[s] {
				return fmt.Errorf("two nodes have the name %q", s)
			}
			nodes[n.GetName()] = true
			for _, s := range n.Input {
				if s != "" && !seen[s] {
					return fmt.Errorf("node %q reads %q, which is not defined before", n.GetName(), s)
				}
			}
			for _, a := range n.Attribute {
				for _, s := range append([]*onnxpb.GraphProto{a.G}, a.Graphs...) {
					if s == nil {
						continue
					}
					if err := walk(s, seen); err != nil {
						return err
					}
				}
			}
			for _, s := range n.Output {
				if err := define(s); err != nil {
					return err
				}
			}
		}
		for _, o := range g.Output {
			if !seen[o.GetName()] {
				return fmt.Errorf("output %q is not defined", o.GetName())
			}
		}
		return nil
	}
	return walk(m.Graph, nil)
}

const scalarBool = `type { tensor_type { elem_type: 9 shape {} } }`

// withFunction is a model that calls a function of the given body, by nodes of the
// given names, one after another.
func withFunction(body string, callers ...string) string {
	s := `ir_version: 8 opset_import { version: 17 } opset_import { domain: "f" version: 1 } graph { name: "g"
input { name: "x" ` + floatVector + ` } input { name: "c" ` + scalarBool + ` } output { name: "y" ` + floatVector + ` }`
	from := "x"
	for i, name := range callers {
		to := fmt.Sprint("h", i)
		if i == len(callers)-1 {
			to = "y"
		}
		s += fmt.Sprintf(` node { op_type: "F" domain: "f" input: %q input: "c" output: %q`, from, to)
		if name != "" {
			s += fmt.Sprintf(` name: %q`, name)
		}
		s, from = s+" }", to
	}
	return s + ` } functions { name: "F" domain: "f" input: "a" input: "c" output: "b" opset_import { version: 17 } ` + body + ` }`
}

// Nodes of functions that are written out, and of their subgraphs, have names that no
// other node has, or none; the network computes the same.
func TestFunctionNames(t *testing.T) {
	const plain = `node { op_type: "Neg" input: "a" output: "t" } node { op_type: "Exp" input: "t" output: "u" } node { op_type: "Neg" input: "u" output: "b" }`
	const named = `node { name: "n" op_type: "Neg" input: "a" output: "t" } node { name: "n_f1" op_type: "Exp" input: "t" output: "u" } node { name: "k" op_type: "Neg" input: "u" output: "b" }`
	const branch = `node { op_type: "Neg" name: "n" input: "a" output: "t" } node { op_type: "If" input: "c" output: "b"
  attribute { name: "then_branch" type: GRAPH g { name: "a"
    node { op_type: "Exp" input: "t" output: "p" } node { op_type: "Neg" input: "p" output: "r" } output { name: "r" } } }
  attribute { name: "else_branch" type: GRAPH g { name: "b"
    node { op_type: "Abs" name: "n" input: "t" output: "q" } node { op_type: "Neg" name: "m" input: "q" output: "s" } output { name: "s" } } } }`
	for _, body := range []string{plain, named, branch} {
		for _, callers := range [][]string{{"blk0"}, {"blk0", "blk1"}, {"", ""}, {"n", "n"}, {"blk0", "", "blk0/Neg"}, {"k", "k/n", ""}} {
			g, err := Decode(model(t, withFunction(body, callers...)), "")
			if err != nil {
				t.Fatal(err)
			}
			b, err := Encode(g, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := strict(b); err != nil {
				t.Errorf("called by %q: %v\n%s", callers, err, body)
			}
			again, err := Decode(b, "")
			if err != nil {
				t.Fatal(err)
			}
			in := map[string]*tensor.Tensor{"x": tensor.Vector[float32](1, -.5), "c": tensor.Scalar(true)}
			want, err := op.Run(g, in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := op.Run(again, in)
			if err != nil || fmt.Sprint(got["y"].Data) != fmt.Sprint(want["y"].Data) {
				t.Errorf("%v, want %v (%v)", got["y"], want["y"], err)
			}
		}
	}
}

// The validator of these tests refuses what it is there for.
func TestStrictRefuses(t *testing.T) {
	const head = `ir_version: 8 opset_import { version: 17 } graph { name: "g" input { name: "x" ` + floatVector + ` } output { name: "y" ` + floatVector + ` } `
	for _, nodes := range []string{
		`node { name: "n" op_type: "Neg" input: "x" output: "t" } node { name: "n" op_type: "Neg" input: "t" output: "y" }`,
		`node { op_type: "Neg" input: "x" output: "y" } node { op_type: "Neg" input: "y" output: "y" }`,
		`node { op_type: "Neg" input: "z" output: "y" }`,
	} {
		if strict(model(t, head+nodes+" }")) == nil {
			t.Errorf("%s is taken", nodes)
		}
	}
}

// Names that a file gives twice, to nodes or in two subgraphs, are written once.
func TestNamesGivenTwice(t *testing.T) {
	text := `ir_version: 8 opset_import { version: 17 } graph { name: "g"
input { name: "x" ` + floatVector + ` } input { name: "c" ` + scalarBool + ` } output { name: "y" ` + floatVector + ` }
node { name: "n" op_type: "Neg" input: "x" output: "h" }
node { name: "n" op_type: "If" input: "c" output: "y"
  attribute { name: "then_branch" type: GRAPH g { name: "a" node { name: "n" op_type: "Exp" input: "h" output: "r" } output { name: "r" } } }
  attribute { name: "else_branch" type: GRAPH g { name: "b" node { name: "n_1" op_type: "Abs" input: "h" output: "r" } output { name: "r" } } } } }`
	b := model(t, text)
	if strict(b) == nil {
		t.Fatal("the names are given once")
	}
	g, err := Decode(b, "")
	if err != nil {
		t.Fatal(err)
	}
	if b, err = Encode(g, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := strict(b); err != nil {
		t.Error(err)
	}
}
