package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// Run evaluates a graph node by node with the reference definitions: slow,
// plain, and in the types that the tensors have (float64 for checks). in is
// keyed by the names of the graph's inputs. The result is keyed by the names
// of the outputs and of any further values in want.
func Run(g *graph.Graph, in map[string]*tensor.Tensor, want ...*graph.Value) (map[string]*tensor.Tensor, error) {
	env := map[*graph.Value]*tensor.Tensor{}
	for _, v := range g.Inputs {
		t := in[v.Name]
		if t == nil {
			return nil, fmt.Errorf("input %q is missing", v.Name)
		}
		env[v] = t
	}
	for _, n := range g.Nodes {
		if err := runNode(g, n, env); err != nil {
			return nil, err
		}
	}
	out := map[string]*tensor.Tensor{}
	for _, v := range append(append([]*graph.Value{}, g.Outputs...), want...) {
		if v.Const != nil {
			out[v.Name] = v.Const
		} else {
			out[v.Name] = env[v]
		}
	}
	return out, nil
}

func runNode(g *graph.Graph, n *graph.Node, env map[*graph.Value]*tensor.Tensor) error {
	d := Lookup(n.Domain, n.Op)
	if d == nil || d.Eval == nil {
		return &Unsupported{[]*graph.Node{n}}
	}
	args := make([]*tensor.Tensor, len(n.Inputs))
	for i, v := range n.Inputs {
		switch {
		case v == nil:
		case v.Const != nil:
			args[i] = v.Const
		default:
			if args[i] = env[v]; args[i] == nil {
				return at(n, fmt.Errorf("value %q has not been computed", v.Name))
			}
		}
	}
	res, err := evalNode(d, n, g.Version(n.Domain), args)
	if err != nil {
		return at(n, err)
	}
	for i, o := range n.Outputs {
		if o != nil && i < len(res) {
			env[o] = res[i]
		}
	}
	return nil
}

// evalNode calls Eval. A node may combine types and shapes in ways that no
// operator admits; what a definition trips over becomes an error.
func evalNode(d *Def, n *graph.Node, opset int, in []*tensor.Tensor) (out []*tensor.Tensor, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("inputs do not suit the operator: %v", r)
		}
	}()
	return d.Eval(n, opset, in)
}
