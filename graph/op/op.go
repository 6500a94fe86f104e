// Package op says what Pare knows of each operator: the types and shapes of
// its outputs, its meaning (a plain reference evaluation), its gradient as
// nodes of the same graph, and its decomposition into simpler operators.
//
// A [Def] describes one operator, and [Lookup] finds it. These work on whole
// graphs: [InferAll] sets types and shapes, [Run] is the reference evaluation,
// [Gradient] adds the backward pass as nodes, [Simplify] and [Fold] make a graph
// smaller that computes the same, [Classify] finds which constants are weights. A
// [Builder] adds nodes and infers as it goes.
//
// One file holds one operator or one family. To add an operator, write a Def
// and register it; nothing else needs to know.
package op

import (
	"fmt"
	"sort"

	"pare/graph"
	"pare/tensor"
)

// Def describes an operator. Infer and Eval (or Control) are required; a
// differentiable operator has Grad or Decompose.
type Def struct {
	Domain, Name string // Domain "" is ai.onnx

	// Infer sets type and shape of every output from those of the inputs.
	Infer func(c *Infer) error

	// Fits returns an error where the shapes of the inputs, which are known, or the
	// attributes are none that Eval takes: kernels lean on that. in holds nil where an input
	// is left out. It is asked after Infer; nil takes all that Infer takes.
	Fits func(n *graph.Node, in [][]int) error

	// Eval computes the outputs in plain Go, for every type that the operator
	// admits, float64 included. in holds nil where an input is left out. It is
	// the definition that fast kernels are tested against, so it is written for
	// clarity; it never writes to its inputs.
	Eval func(n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error)

	// Number is the plain meaning for one number, of elementwise operators of one
	// input; nil for all others.
	Number func(n *graph.Node) func(x float64) float64

	// Control is in the place of Eval for operators that run subgraphs.
	Control func(r *Runner, n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error)

	// Grad adds nodes that compute the gradients with respect to the inputs,
	// given those with respect to the outputs (nil where an output has none).
	// A nil result means that no gradient flows to that input. Those with respect
	// to the node's captures follow.
	Grad func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error)

	// Decompose adds nodes that compute the same outputs by simpler operators.
	// It is used to differentiate an operator that has no Grad of its own, such
	// as a fused gradient that is differentiated again.
	Decompose func(b *Builder, n *graph.Node) ([]*graph.Value, error)

	// MACs counts multiply-accumulates of the node once shapes are known; nil is 0.
	MACs func(n *graph.Node) int64

	// Params lists the inputs that hold parameters where constants stand there; nil
	// is none.
	Params func(n *graph.Node) []Param

	// Turns gives the axis of input 0 that axis dim of the output is, for an operator
	// that leaves numbers as they are, so that a weight may stand behind it.
	Turns func(n *graph.Node, dim int) int
}

type key struct{ domain, name string }

var defs = map[key]*Def{}

// Register adds the definition of an operator of a domain of one's own. It is
// called from an init function, before any network is read, and panics where the
// name is empty or taken, or where Infer, or both of Eval and Control, are missing.
func Register(d Def) {
	if d.Name == "" || d.Infer == nil || d.Eval == nil && d.Control == nil {
		panic(fmt.Sprintf("op: Register(%q, %q): a definition needs Name, Infer, and Eval or Control", d.Domain, d.Name))
	}
	register(d)
}

// register adds definitions; it panics on a name that is taken.
func register(ds ...Def) bool {
	for i := range ds {
		d := &ds[i]
		k := key{d.Domain, d.Name}
		if defs[k] != nil {
			panic("op: " + d.Name + " is registered twice")
		}
		defs[k] = d
	}
	return true
}

// Lookup finds the definition of an operator, or nil.
func Lookup(domain, name string) *Def {
	if domain == "ai.onnx" {
		domain = ""
	}
	return defs[key{domain, name}]
}

// Names lists the operators of a domain that Pare knows, sorted.
func Names(domain string) []string {
	var out []string
	for k := range defs {
		if k.domain == domain {
			out = append(out, k.name)
		}
	}
	sort.Strings(out)
	return out
}

// Unsupported is the error for operators that Pare does not know.
type Unsupported struct{ Nodes []*graph.Node }

func (e *Unsupported) Error() string {
	n := e.Nodes[0]
	s := fmt.Sprintf("operator %s is not supported (node %q)", opName(n), n.Name)
	if len(e.Nodes) > 1 {
		s += fmt.Sprintf(" and %d more nodes", len(e.Nodes)-1)
	}
	return s + wayOn(e.Nodes)
}

// Check returns an *Unsupported error that lists the nodes whose operators
// Pare does not know, or nil.
func Check(g *graph.Graph) error {
	if bad := unknown(g); bad != nil {
		return &Unsupported{bad}
	}
	return nil
}

// unknown lists the nodes of a graph and its subgraphs that Pare does not know.
func unknown(g *graph.Graph) []*graph.Node {
	var bad []*graph.Node
	for _, n := range g.Nodes {
		if Lookup(n.Domain, n.Op) == nil {
			bad = append(bad, n)
		}
		for _, s := range n.Subgraphs() {
			bad = append(bad, unknown(s)...)
		}
	}
	return bad
}

func opName(n *graph.Node) string {
	if n.Domain == "" {
		return n.Op
	}
	return n.Domain + "." + n.Op
}

// at puts the node in front of an error.
func at(n *graph.Node, err error) error {
	if err == nil {
		return nil
	}
	if o := n.Out(0); n.Name == "" && o != nil {
		return fmt.Errorf("node %q (%s, which makes %q): %w", n.Name, opName(n), o.Name, err)
	}
	return fmt.Errorf("node %q (%s): %w", n.Name, opName(n), err)
}
