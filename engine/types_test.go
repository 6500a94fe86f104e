package engine_test

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/graph/op/cases"
	"pare/tensor"
)

// held are the types that a file may give to any operand.
var held = []tensor.DType{tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Float64, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64,
	tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64, tensor.Bool, tensor.String}

// as is a tensor of another type; its numbers are of no importance.
func as(t *tensor.Tensor, d tensor.DType) *tensor.Tensor {
	o := tensor.New(d, t.Shape...)
	if d == tensor.Float32 {
		if u, err := t.ToFloat32(); err == nil {
			return u
		}
	}
	if d == tensor.Bool {
		for i := range tensor.Of[bool](o) {
			tensor.Of[bool](o)[i] = i%2 == 0
		}
	}
	return o
}

// runs compiles and runs a network; a panic fails the test.
func runs(t *testing.T, what string, g *graph.Graph) (err error) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s: panic: %v\n%s", what, r, debug.Stack())
		}
	}()
	for _, freeze := range []bool{false, true} {
		p, e := engine.Compile(g, nil, engine.Options{Threads: 1, Freeze: freeze, Most: 1 << 28})
		if e != nil {
			return e
		}
		if e := p.Run(); e != nil {
			err = e
		}
		p.Close()
	}
	return err
}

// operandsOf gives networks of a case: one input of it after another takes each type,
// as an input and as a constant.
func operandsOf(c cases.Case, visit func(what string, g *graph.Graph)) {
	in := c.Tensors()
	for i, x := range in {
		if x == nil {
			continue
		}
		for _, d := range held {
			for _, fixed := range []bool{false, true} {
				g, _ := c.Graph()
				if _, err := op.ToFloat32(g); err != nil {
					continue
				}
				n := g.Nodes[0]
				if i >= len(n.Inputs) {
					continue
				}
				y, old := as(x, d), n.Inputs[i]
				v := &graph.Value{Name: old.Name, DType: d, Shape: graph.Dims(x.Shape...)}
				if fixed {
					v.Const, v.Role = y, graph.Param
				}
				g.Inputs = slices.DeleteFunc(g.Inputs, func(w *graph.Value) bool { return w == old })
				if !fixed {
					g.Inputs = append(g.Inputs, v)
				}
				g.ReplaceUses(old, v)
				visit(fmt.Sprintf("%s, input %d %v, constant %v", c.Name(), i, d, fixed), g)
			}
		}
	}
}

// Whatever types the operands of an operator have, the network runs or is refused.
func TestOperandTypes(t *testing.T) {
	seen := map[string]int{}
	refused := 0
	for _, c := range cases.All() {
		if seen[c.Domain+c.Op]++; c.Domain != "" || seen[c.Domain+c.Op] > 2 {
			continue
		}
		operandsOf(c, func(what string, g *graph.Graph) {
			err := runs(t, what, g)
			if err != nil && (strings.Contains(err.Error(), "nil pointer") || strings.Contains(err.Error(), "out of range [")) {
				t.Errorf("%s: %v", what, err)
			}
			if err != nil {
				refused++
			}
		})
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
	for _, name := range op.Names("") {
		if seen[name] > 0 {
			continue
		}
		for _, d := range held {
			for k := 1; k < 5; k++ {
				g := graph.New("g", cases.Opset)
				var in []*graph.Value
				for range k {
					in = append(in, g.Const("w", as(tensor.New(tensor.Float32, 2, 2), d), graph.Auto))
				}
				n := g.Add(name, "", in, []string{"y"})
				g.Outputs = n.Outputs
				runs(t, fmt.Sprintf("%s of %d %v", name, k, d), g) //nolint:errcheck // only a panic is wrong
			}
		}
	}
}

// A refusal names the node, its inputs and their types.
func TestMismatchSaysWhat(t *testing.T) {
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(2, 3)}
	g.Inputs = []*graph.Value{x}
	w := g.Const("w", tensor.New(tensor.Int64, 3, 4), graph.Auto)
	n := g.Add("MatMul", "", []*graph.Value{x, w}, []string{"y"})
	g.Outputs = n.Outputs
	for _, err := range []error{op.InferAll(g), op.CheckTypes(g), func() error { _, err := engine.Compile(g, nil, engine.Options{}); return err }()} {
		if err == nil {
			t.Fatal("MatMul of float32 and int64 is taken")
		}
		for _, s := range []string{n.Name, "MatMul", `"x"`, `"w"`, "float32", "int64"} {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%v does not say %s", err, s)
			}
		}
	}
}
