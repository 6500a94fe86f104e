package cases

import (
	"pare/graph"
	"pare/tensor"
)

// body is a subgraph of inputs with these names; build adds its nodes and gives
// its outputs.
func body(inputs []string, build func(add func(op string, in ...*graph.Value) *graph.Value, in []*graph.Value) []*graph.Value) *graph.Graph {
	g := graph.New("body", Opset)
	for _, name := range inputs {
		g.Inputs = append(g.Inputs, &graph.Value{Name: name})
	}
	g.Outputs = build(func(op string, in ...*graph.Value) *graph.Value {
		return g.Add(op, "", in, []string{"inner"}).Out(0)
	}, g.Inputs)
	return g
}

type adder = func(op string, in ...*graph.Value) *graph.Value

func control() []Case {
	var out []Case
	for _, taken := range []bool{true, false} { // tanh(x*w) and w, or w*w and x
		out = append(out, Case{Op: "If", Outs: 2, In: in{is(tensor.Scalar(taken)), normal(2, 3), normal(2, 3)}, Bodies: func(v []*graph.Value) []graph.Attr {
			yes := body(nil, func(add adder, _ []*graph.Value) []*graph.Value {
				return []*graph.Value{add("Tanh", add("Mul", v[0], v[1])), add("Identity", v[1])}
			})
			no := body(nil, func(add adder, _ []*graph.Value) []*graph.Value {
				return []*graph.Value{add("Mul", v[1], v[1]), add("Identity", v[0])}
			})
			return as("then_branch", yes, "else_branch", no)
		}})
	}
	// h = tanh(h*w) four times, stacking h*h; w is captured from the inputs
	loop := Case{Op: "Loop", Outs: 3, In: in{whole(4), is(tensor.Scalar(true)), normal(2, 3), normal(3)}, Bodies: func(v []*graph.Value) []graph.Attr {
		return as("body", body([]string{"i", "going", "h", "w"}, func(add adder, in []*graph.Value) []*graph.Value {
			h := add("Tanh", add("Mul", in[2], in[3]))
			return []*graph.Value{add("Identity", in[1]), h, add("Identity", in[3]), add("Mul", h, add("Add", h, v[1]))}
		}))
	}}
	// a recurrence over the first axis of x, and one backwards over its second
	var scans []Case
	for _, back := range []int{0, 1} {
		scans = append(scans, Case{Op: "Scan", Outs: 2, In: in{normal(2), normal(3, 2)},
			Attrs: as("num_scan_inputs", 1, "scan_input_directions", []int{back}, "scan_output_directions", []int{1 - back}, "scan_output_axes", []int{back}),
			Bodies: func(v []*graph.Value) []graph.Attr {
				return as("body", body([]string{"h", "x"}, func(add adder, in []*graph.Value) []*graph.Value {
					h := add("Tanh", add("Add", in[0], in[1]))
					return []*graph.Value{h, add("Mul", h, in[1])}
				}))
			}})
	}
	return append(append(out, loop), scans...)
}
