package op

import (
	"context"
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// Run evaluates a graph node by node with the reference definitions: slow,
// plain, and in the types that the tensors have (float64 for checks). in is
// keyed by the names of the graph's inputs. The result is keyed by the names
// of the outputs and of any further values in want.
func Run(g *graph.Graph, in map[string]*tensor.Tensor, want ...*graph.Value) (map[string]*tensor.Tensor, error) {
	return RunWithin(context.Background(), 0, g, in, want...)
}

// RunWithin is Run that ends between two nodes, those of subgraphs too, with the
// context's error once it is done: a Loop may count as far as its file says. It
// returns an error where the values of the graph take more than most bytes
// together (0: no limit); their sizes may depend on data.
func RunWithin(ctx context.Context, most int, g *graph.Graph, in map[string]*tensor.Tensor, want ...*graph.Value) (map[string]*tensor.Tensor, error) {
	r := &Runner{ctx: ctx, env: map[*graph.Value]*tensor.Tensor{}, most: most}
	for _, v := range g.Inputs {
		t := in[v.Name]
		if t == nil {
			return nil, fmt.Errorf("input %q is missing", v.Name)
		}
		r.env[v] = t
	}
	if err := r.nodes(g); err != nil {
		return nil, err
	}
	out := map[string]*tensor.Tensor{}
	for _, v := range append(append([]*graph.Value{}, g.Outputs...), want...) {
		out[v.Name] = r.value(v)
	}
	return out, nil
}

// Runner evaluates graphs within graphs. Values are known by their identity,
// so that a subgraph reads those of the graphs around it.
type Runner struct {
	ctx  context.Context
	env  map[*graph.Value]*tensor.Tensor
	most int // bytes that values may take together; 0: no limit
	held int // that they take
	way  Bodies
}

// Bodies runs a subgraph in another way than node by node: in are its inputs, and
// value gives what it reads of the graphs around it. It says false where it has no
// other way. What it returns must hold while the node that has the subgraph runs on.
type Bodies func(ctx context.Context, g *graph.Graph, in []*tensor.Tensor, value func(v *graph.Value) *tensor.Tensor) (out []*tensor.Tensor, ok bool, err error)

// value is what a value holds, or nil.
func (r *Runner) value(v *graph.Value) *tensor.Tensor {
	if v.Const != nil {
		return v.Const
	}
	return r.env[v]
}

// nodes evaluates the nodes of a graph in order.
func (r *Runner) nodes(g *graph.Graph) error {
	for _, n := range g.Nodes {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if err := r.node(g, n); err != nil {
			return at(n, err)
		}
	}
	return nil
}

func (r *Runner) node(g *graph.Graph, n *graph.Node) error {
	d := Lookup(n.Domain, n.Op)
	if d == nil || d.Eval == nil && d.Control == nil {
		return &Unsupported{[]*graph.Node{n}}
	}
	in := make([]*tensor.Tensor, len(n.Inputs))
	for i, v := range n.Inputs {
		if v == nil {
			continue
		}
		if in[i] = r.value(v); in[i] == nil {
			return fmt.Errorf("value %q has not been computed", v.Name)
		}
	}
	out, err := r.eval(d, n, g.Version(n.Domain), in)
	if err != nil {
		return err
	}
	for i, o := range n.Outputs {
		if o != nil && i < len(out) {
			if was := r.env[o]; was != nil {
				r.held -= was.Bytes()
			}
			r.env[o] = out[i]
			if out[i] != nil {
				r.held += out[i].Bytes()
			}
		}
	}
	if r.most > 0 && r.held > r.most {
		return fmt.Errorf("the values so far take %d bytes, more than the %d that are allowed", r.held, r.most)
	}
	return nil
}

func (r *Runner) eval(d *Def, n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	if d.Control != nil {
		return d.Control(r, n, opset, in)
	}
	return evalNode(d, n, opset, in)
}

// body runs a subgraph on its inputs and gives its outputs.
func (r *Runner) body(g *graph.Graph, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	if len(in) != len(g.Inputs) {
		return nil, fmt.Errorf("subgraph %q takes %d inputs, not %d", g.Name, len(g.Inputs), len(in))
	}
	if r.way != nil {
		if out, ok, err := r.way(r.ctx, g, in, r.value); ok || err != nil {
			return out, err
		}
	}
	for i, v := range g.Inputs {
		r.env[v] = in[i]
	}
	if err := r.nodes(g); err != nil {
		return nil, err
	}
	out := make([]*tensor.Tensor, len(g.Outputs))
	for i, v := range g.Outputs {
		if out[i] = r.value(v); out[i] == nil {
			return nil, fmt.Errorf("output %q of subgraph %q has not been computed", v.Name, g.Name)
		}
	}
	return out, nil
}

// EvalNode evaluates one node; outer holds what its subgraphs read of the
// graph around it (see graph.Node.Captures), initialisers excepted. ctx and most
// are those of RunWithin. way runs its subgraphs; nil: node by node.
func EvalNode(ctx context.Context, most int, n *graph.Node, opset int, in []*tensor.Tensor, outer map[*graph.Value]*tensor.Tensor, way Bodies) ([]*tensor.Tensor, error) {
	d := Lookup(n.Domain, n.Op)
	if d == nil || d.Eval == nil && d.Control == nil {
		return nil, &Unsupported{[]*graph.Node{n}}
	}
	if outer == nil {
		outer = map[*graph.Value]*tensor.Tensor{}
	}
	r := &Runner{ctx: ctx, env: outer, most: most, way: way}
	for _, t := range outer {
		r.held += t.Bytes()
	}
	return r.eval(d, n, opset, in)
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
