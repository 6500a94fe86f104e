package graph

import (
	"errors"
	"fmt"

	"pare/tensor"
)

// Use is one place where a value is read: input Index of Node.
type Use struct {
	Node  *Node
	Index int
}

// Uses maps every value to the places that read it, in node order. A graph
// output is not a use; see IsOutput. Values captured by subgraphs (If, Loop,
// Scan bodies) and the initialisers that these read count as uses of the node
// that owns the subgraph, with Index -1.
func (g *Graph) Uses() map[*Value][]Use {
	u := make(map[*Value][]Use, 2*len(g.Nodes))
	for _, n := range g.Nodes {
		for i, v := range n.Inputs {
			if v != nil {
				u[v] = append(u[v], Use{n, i})
			}
		}
		for _, v := range n.Captures() {
			u[v] = append(u[v], Use{n, -1})
		}
	}
	return u
}

// Subgraphs lists the graphs among the node's attributes.
func (n *Node) Subgraphs() []*Graph {
	var out []*Graph
	for i := range n.Attrs {
		if g := n.Attrs[i].G; g != nil {
			out = append(out, g)
		}
		out = append(out, n.Attrs[i].Graphs...)
	}
	return out
}

// Captures lists the values of the graphs around it, initialisers among them,
// that the node's subgraphs read, in the order of first use.
func (n *Node) Captures() []*Value {
	var out []*Value
	seen := map[*Value]bool{}
	for _, s := range n.Subgraphs() {
		inner := map[*Value]bool{nil: true}
		for _, v := range s.Inputs {
			inner[v] = true
		}
		for _, m := range s.Nodes {
			for _, v := range m.Outputs {
				inner[v] = true
			}
		}
		add := func(vs []*Value) {
			for _, v := range vs {
				if !inner[v] && !seen[v] {
					seen[v] = true
					out = append(out, v)
				}
			}
		}
		for _, m := range s.Nodes {
			add(m.Inputs)
			add(m.Captures())
		}
		add(s.Outputs)
	}
	return out
}

// IsOutput says whether v is an output of the graph.
func (g *Graph) IsOutput(v *Value) bool {
	for _, o := range g.Outputs {
		if o == v {
			return true
		}
	}
	return false
}

// Consts lists the initialisers, those of subgraphs included, in the order of
// first use.
func (g *Graph) Consts() []*Value {
	var out []*Value
	seen := map[*Value]bool{}
	add := func(v *Value) {
		if v.IsConst() && !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			add(v)
		}
		for _, v := range n.Captures() {
			add(v)
		}
	}
	for _, v := range g.Outputs {
		add(v)
	}
	return out
}

// Params lists the trained initialisers (Role Param) in the order of first use.
func (g *Graph) Params() []*Value {
	var out []*Value
	for _, v := range g.Consts() {
		if v.Role == Param {
			out = append(out, v)
		}
	}
	return out
}

// Values lists every value: inputs, initialisers and outputs of nodes; of
// subgraphs only the initialisers.
func (g *Graph) Values() []*Value {
	out := append([]*Value{}, g.Inputs...)
	out = append(out, g.Consts()...)
	for _, n := range g.Nodes {
		for _, v := range n.Outputs {
			if v != nil {
				out = append(out, v)
			}
		}
	}
	return out
}

// Value finds a value by name, or nil.
func (g *Graph) Value(name string) *Value {
	for _, v := range g.Values() {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// Fresh makes a name that no value or node of the graph has, from a stem.
func (g *Graph) Fresh(stem string) string {
	if g.names == nil {
		g.names = map[string]int{}
		g.eachName(func(name string) { g.names[name] = 1 })
	}
	name := stem
	for g.names[name] > 0 || name == "" {
		g.names[stem]++
		name = fmt.Sprintf("%s_%d", stem, g.names[stem])
	}
	g.names[name] = 1
	return name
}

// eachName visits the names of all values and nodes, those of subgraphs too.
func (g *Graph) eachName(f func(name string)) {
	for _, v := range g.Values() {
		f(v.Name)
	}
	for _, n := range g.Nodes {
		f(n.Name)
		for _, s := range n.Subgraphs() {
			s.eachName(f)
		}
	}
}

// Const adds an initialiser; its name is made fresh.
func (g *Graph) Const(name string, t *tensor.Tensor, r Role) *Value {
	return &Value{Name: g.Fresh(name), DType: t.DType, Shape: Dims(t.Shape...), Const: t, Role: r}
}

// Add appends a node. outs are the names of its outputs ("" for one left out);
// they are made fresh. Types and shapes are not inferred here.
func (g *Graph) Add(op, domain string, in []*Value, outs []string, attrs ...Attr) *Node {
	n := &Node{Op: op, Domain: domain, Inputs: in, Attrs: attrs}
	for _, o := range outs {
		if o == "" {
			n.Outputs = append(n.Outputs, nil)
			continue
		}
		n.Outputs = append(n.Outputs, &Value{Name: g.Fresh(o), From: n})
	}
	n.Name = g.Fresh(outs[0] + "/" + op)
	g.Nodes = append(g.Nodes, n)
	return n
}

// ReplaceUses makes every reader of old (and the graph's outputs) read new
// instead. An output of the graph keeps its public name: new takes it over
// where new is produced by a node, and is not itself an output already.
func (g *Graph) ReplaceUses(old, new *Value) {
	if old == new {
		return
	}
	for _, n := range g.Nodes {
		n.replaceIn(old, new)
	}
	for i, o := range g.Outputs {
		if o != old {
			continue
		}
		if new.From != nil && !g.IsOutput(new) {
			old.Name, new.Name = new.Name, old.Name
		}
		g.Outputs[i] = new
	}
}

func (n *Node) replaceIn(old, new *Value) {
	for i, v := range n.Inputs {
		if v == old {
			n.Inputs[i] = new
		}
	}
	for _, s := range n.Subgraphs() {
		for _, m := range s.Nodes {
			m.replaceIn(old, new)
		}
		for j, o := range s.Outputs {
			if o == old {
				s.Outputs[j] = new
			}
		}
	}
}

// Prune removes nodes whose outputs nobody reads. It reports how many it removed.
func (g *Graph) Prune() int {
	live := map[*Value]bool{}
	for _, o := range g.Outputs {
		live[o] = true
	}
	keep := make([]*Node, 0, len(g.Nodes))
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		need := false
		for _, o := range n.Outputs {
			need = need || o != nil && live[o]
		}
		if !need {
			continue
		}
		keep = append(keep, n)
		for _, v := range n.Inputs {
			live[v] = true
		}
		for _, v := range n.Captures() {
			live[v] = true
		}
	}
	removed := len(g.Nodes) - len(keep)
	for i, j := 0, len(keep)-1; i < j; i, j = i+1, j-1 {
		keep[i], keep[j] = keep[j], keep[i]
	}
	g.Nodes = keep
	return removed
}

// ErrCycle is returned by Sort for a graph that feeds itself.
var ErrCycle = errors.New("the graph has a cycle")

// Sort puts the nodes in topological order, keeping the present order where it
// is free to. It returns an error that wraps ErrCycle and names a node on a cycle.
func (g *Graph) Sort() error {
	wait := make(map[*Node]int, len(g.Nodes))
	next := make(map[*Node][]*Node, len(g.Nodes))
	pos := make(map[*Node]int, len(g.Nodes))
	for i, n := range g.Nodes {
		pos[n] = i
	}
	for _, n := range g.Nodes {
		seen := map[*Node]bool{}
		dep := func(v *Value) {
			if v == nil || v.From == nil || seen[v.From] {
				return
			}
			if _, ok := pos[v.From]; !ok {
				return
			}
			seen[v.From] = true
			wait[n]++
			next[v.From] = append(next[v.From], n)
		}
		for _, v := range n.Inputs {
			dep(v)
		}
		for _, v := range n.Captures() {
			dep(v)
		}
	}
	ready := &nodeHeap{pos: pos}
	for _, n := range g.Nodes {
		if wait[n] == 0 {
			ready.push(n)
		}
	}
	out := make([]*Node, 0, len(g.Nodes))
	for ready.len() > 0 {
		n := ready.pop()
		out = append(out, n)
		for _, m := range next[n] {
			if wait[m]--; wait[m] == 0 {
				ready.push(m)
			}
		}
	}
	if len(out) < len(g.Nodes) {
		for _, n := range g.Nodes {
			if wait[n] > 0 {
				return fmt.Errorf("%w through node %q (%s)", ErrCycle, n.Name, n.Op)
			}
		}
	}
	g.Nodes = out
	return nil
}
