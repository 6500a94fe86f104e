package onnx

import (
	"fmt"

	"pare/graph"
)

// scope is the values that a graph defines, by name, and those around it.
type scope struct {
	vals  map[string]*graph.Value
	outer *scope
}

// find looks for a value from the inside out.
func (s *scope) find(name string) *graph.Value {
	for ; s != nil; s = s.outer {
		if v := s.vals[name]; v != nil {
			return v
		}
	}
	return nil
}

// unique is a name that is defined once in the model.
func (r *reader) unique(name string) string {
	if r.names[name] <= 1 {
		return name
	}
	for {
		r.next[name]++
		if s := fmt.Sprintf("%s_%d", name, r.next[name]); r.names[s] == 0 {
			r.names[s] = 1
			return s
		}
	}
}

// pass makes a value from elsewhere the output of a node, as the outputs of
// subgraphs have to be.
func (r *reader) pass(g *graph.Graph, v *graph.Value) *graph.Value {
	n := &graph.Node{Op: "Identity", Inputs: []*graph.Value{v}}
	o := &graph.Value{Name: r.unique(v.Name), From: n}
	if o.Name == v.Name {
		r.names[v.Name]++
		o.Name = r.unique(v.Name)
	}
	n.Name = o.Name + "/Identity"
	n.Outputs = []*graph.Value{o}
	g.Nodes = append(g.Nodes, n)
	return o
}
