package op

import (
	"fmt"

	"pare/graph"
)

// Gradient extends g by nodes that compute the gradient of sum(y*seed) with
// respect to each value of wrt; a nil seed stands for ones. The backward pass
// is part of the same graph, so it can be differentiated again. A value that y
// does not depend on gets nil.
//
// Operators without a gradient of their own are first replaced by their
// decomposition; the values of the graph keep their identity. Types and shapes
// must have been inferred (InferAll).
func Gradient(g *graph.Graph, y, seed *graph.Value, wrt []*graph.Value) ([]*graph.Value, error) {
	if err := expand(g, y, wrt); err != nil {
		return nil, err
	}
	b := NewBuilder(g, "grad")
	if seed == nil {
		seed = b.Pare("OnesLike", nil, y)
	}
	on := onPath(g, y, wrt)
	grads := map[*graph.Value][]*graph.Value{y: {seed}}
	total := func(v *graph.Value) *graph.Value {
		t := grads[v]
		if len(t) == 0 {
			return nil
		}
		s := t[0]
		for _, d := range t[1:] {
			s = b.Op("Add", s, d)
		}
		grads[v] = []*graph.Value{s}
		return s
	}
	nodes := append([]*graph.Node{}, g.Nodes...) // g.Nodes grows meanwhile
	for i := len(nodes) - 1; i >= 0; i-- {
		n := nodes[i]
		if !on[n] {
			continue
		}
		dy := make([]*graph.Value, len(n.Outputs))
		any := false
		for j, o := range n.Outputs {
			if o != nil {
				dy[j] = total(o)
				any = any || dy[j] != nil
			}
		}
		if !any {
			continue
		}
		b.Stem = "grad/" + n.Op
		dx, err := Lookup(n.Domain, n.Op).Grad(b, n, dy)
		if err == nil {
			err = b.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("gradient of %w", at(n, err))
		}
		read := append(append([]*graph.Value{}, n.Inputs...), n.Captures()...)
		for j, d := range dx {
			if d != nil && j < len(read) && read[j] != nil && read[j].DType.IsFloat() {
				grads[read[j]] = append(grads[read[j]], d)
			}
		}
	}
	out := make([]*graph.Value, len(wrt))
	for i, w := range wrt {
		b.Stem = "grad/" + w.Name
		out[i] = total(w)
	}
	return out, b.Err()
}

// onPath marks the nodes that lie between wrt and y.
func onPath(g *graph.Graph, y *graph.Value, wrt []*graph.Value) map[*graph.Node]bool {
	down := map[*graph.Value]bool{}
	for _, w := range wrt {
		down[w] = true
	}
	reach := map[*graph.Node]bool{}
	for _, n := range g.Nodes {
		for _, v := range append(n.Captures(), n.Inputs...) {
			if v != nil && down[v] {
				reach[n] = true
			}
		}
		if reach[n] {
			for _, o := range n.Outputs {
				if o != nil && o.DType.IsFloat() {
					down[o] = true
				}
			}
		}
	}
	up := map[*graph.Value]bool{y: true}
	on := map[*graph.Node]bool{}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		need := false
		for _, o := range n.Outputs {
			need = need || o != nil && up[o]
		}
		if !need || !reach[n] {
			continue
		}
		on[n] = true
		for _, v := range append(n.Captures(), n.Inputs...) {
			up[v] = v != nil && v.DType.IsFloat()
		}
	}
	return on
}

// expand replaces the nodes between wrt and y that have no gradient by their
// decompositions, until all have one.
func expand(g *graph.Graph, y *graph.Value, wrt []*graph.Value) error {
	for {
		on := onPath(g, y, wrt)
		done := true
		for _, n := range append([]*graph.Node{}, g.Nodes...) {
			d := Lookup(n.Domain, n.Op)
			if !on[n] || d != nil && d.Grad != nil {
				continue
			}
			if d == nil || d.Decompose == nil {
				return fmt.Errorf("no gradient is known for operator %s (node %q)", opName(n), n.Name)
			}
			if err := Expand(g, n); err != nil {
				return err
			}
			done = false
		}
		if done {
			return nil
		}
	}
}

// Expand replaces a node by its decomposition. The values that the node
// produced stay in the graph: only their producers change.
func Expand(g *graph.Graph, n *graph.Node) error {
	d := Lookup(n.Domain, n.Op)
	if d == nil || d.Decompose == nil {
		return at(n, fmt.Errorf("the operator has no decomposition"))
	}
	first := len(g.Nodes)
	b := NewBuilder(g, n.Name)
	if n.Name == "" { // names are a matter of files
		b.Stem = n.Op
	}
	var outs []*graph.Value
	err := safely(func() (err error) {
		outs, err = d.Decompose(b, n)
		return err
	})
	if e := b.Err(); e != nil { // what came after it leant on it
		err = e
	}
	if err == nil && len(outs) < len(n.Outputs) {
		err = fmt.Errorf("it gives %d of the node's %d outputs", len(outs), len(n.Outputs))
	}
	if err != nil {
		g.Nodes = g.Nodes[:first]
		return fmt.Errorf("decomposition of %w", at(n, err))
	}
	fresh := map[*graph.Value]bool{}
	taken := map[*graph.Value]*graph.Value{} // by the output that it became
	for _, m := range g.Nodes[first:] {
		for _, o := range m.Outputs {
			fresh[o] = true
		}
	}
	for i, o := range n.Outputs {
		if o == nil {
			continue
		}
		r := outs[i]
		if r == nil {
			return fmt.Errorf("decomposition of %w", at(n, fmt.Errorf("output %d is missing", i)))
		}
		if !fresh[r] { // the value of another node, or of an earlier output
			if taken[r] != nil {
				r = taken[r]
			}
			r = b.Op("Identity", r)
			if b.Err() != nil {
				return b.Err()
			}
		}
		fresh[r], taken[r] = false, o
		adopt(g, r, o)
	}
	for i, m := range g.Nodes {
		if m == n {
			g.Nodes = append(g.Nodes[:i:i], g.Nodes[i+1:]...)
			break
		}
	}
	return g.Sort()
}

// adopt makes the producer of r produce o instead.
func adopt(g *graph.Graph, r, o *graph.Value) {
	g.ReplaceUses(r, o)
	for i, v := range r.From.Outputs {
		if v == r {
			r.From.Outputs[i] = o
		}
	}
	o.From = r.From
	if o.Shape == nil {
		o.DType, o.Shape = r.DType, r.Shape
	}
}
