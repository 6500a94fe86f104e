package structure

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
)

// Rule is all that pruning knows of an operator beyond its parameters, which
// op.Params lists: how it couples channels, and what becomes of it when they are
// cut. Tie is required. An operator without a rule protects all that it touches.
//
// A rule for an operator of one's own goes with the operator's op.Def: see
// Register, and the example there.
type Rule struct {
	Domain, Op string // Domain "" is ai.onnx

	// Tie couples the positions of a node's inputs, weights and outputs, and
	// protects the axes that cannot be cut. It is called several times for a node,
	// whose values all have known ranks. What it neither ties nor protects is free
	// to be cut alone.
	Tie func(r *Relation, n *graph.Node)

	// Makes lists the axes of inputs along which the node makes channels, where a
	// weight stands there; nil: those of the outputs of its prunable parameters.
	Makes func(n *graph.Node) []Operand

	// Adapt changes what a node says in numbers about axes that are cut: the groups
	// of a convolution, the shape of a Reshape, the range of a Slice. It is called
	// where at least one axis of the node is cut; nil: nothing to change.
	Adapt func(c *Cutting) error

	// Zeros says where the outputs are zero once the weights of what is cut are.
	Zeros Zeros

	// Factors are inputs that only multiply: where the node's data and its other
	// parameters are zero so are the outputs, whatever these hold.
	Factors []int

	// Separate says that the node treats every channel on its own or multiplies it by
	// weights, so that what no weight reads behind it is of no consequence.
	Separate bool

	// Sizes says that the outputs tell the sizes of the input, not its contents.
	Sizes bool

	// Flow says what becomes of a signal of positive numbers (score.Flow).
	Flow Flow
}

// Operand is an axis of an input of a node.
type Operand struct{ In, Dim int }

// Flow says what a node does to a signal of positive numbers that synaptic flow
// sends through it.
type Flow uint8

// What becomes of a positive signal.
const (
	FlowStops      Flow = iota // it cannot be followed
	FlowScales                 // the output grows with the first input, once the parameters are neutral
	FlowPasses                 // the node is the identity
	FlowPassesLast             // the node is taken for the identity where it ends the network
	FlowWeighs                 // a weight multiplies it
	FlowMeets                  // branches come together
	FlowSubtracts              // likewise, but the second input must be no branch
	FlowMultiplies             // a constant multiplies it
	FlowDivides                // a constant divides it
)

type key struct{ domain, op string }

var rules = map[key]*Rule{}

// Register adds the rule of an operator, for every network that is grouped from
// then on. It is meant for init functions, as sql.Register is: it may not run
// beside anything else of the package, and it panics where the rule has no Op or no
// Tie, or where the operator has a rule already.
func Register(r Rule) {
	if r.Domain == "ai.onnx" {
		r.Domain = ""
	}
	k := key{r.Domain, r.Op}
	switch {
	case r.Op == "" || r.Tie == nil:
		panic(fmt.Sprintf("structure: Register(%q, %q): a rule needs Op and Tie", r.Domain, r.Op))
	case rules[k] != nil:
		panic(fmt.Sprintf("structure: %s has a rule already", opName(r.Domain, r.Op)))
	}
	rules[k] = &r
}

// Lookup finds the rule of an operator; nil where it has none.
func Lookup(domain, name string) *Rule {
	if domain == "ai.onnx" {
		domain = ""
	}
	return rules[key{domain, name}]
}

// RuleOf is the rule of a node's operator; one that does nothing where it has none.
func RuleOf(n *graph.Node) *Rule {
	if n != nil {
		if r := Lookup(n.Domain, n.Op); r != nil {
			return r
		}
	}
	return &Rule{}
}

// register adds the same rule for operators of ai.onnx.
func register(r Rule, ops ...string) bool {
	for _, r.Op = range ops {
		Register(r)
	}
	return true
}

// makes lists the axes of initialisers along which a node makes channels. They may
// stand behind nodes that turn them or change their type.
func makes(n *graph.Node) []Axis {
	rule := RuleOf(n)
	var at []Operand
	switch {
	case rule.Tie == nil:
	case rule.Makes != nil:
		at = rule.Makes(n)
	default:
		for _, p := range op.Params(n) {
			if p.Part.Prunable() {
				at = append(at, Operand{p.In, p.Out})
			}
		}
	}
	var out []Axis
	for _, o := range at {
		if a, ok := weight(n.In(o.In), o.Dim); ok {
			out = append(out, a)
		}
	}
	return out
}

// weight follows an axis of a value to the initialiser that holds it.
func weight(v *graph.Value, dim int) (Axis, bool) {
	if v == nil || len(v.Shape) < 2 || !v.DType.IsFloat() {
		return Axis{}, false
	}
	w, d, ok := op.Source(v, dim)
	return Axis{w, d}, ok && (w.DType.IsFloat() || w.Role == graph.Packed)
}

func opName(domain, name string) string {
	if domain == "" {
		return name
	}
	return domain + "." + name
}
