package onnx

import (
	"fmt"
	"slices"

	"pare/graph"
)

// unique is a name that is defined once in the model.
func (r *reader) unique(name string) string {
	if r.names[name] <= 1 {
		return name
	}
	for i := 1; ; i++ {
		if s := fmt.Sprintf("%s_%d", name, i); r.names[s] == 0 {
			r.names[s] = 1
			return s
		}
	}
}

// own says whether a value is an input of the graph or made by its nodes.
func own(g *graph.Graph, v *graph.Value) bool {
	if slices.Contains(g.Inputs, v) {
		return true
	}
	return v.From != nil && slices.Contains(g.Nodes, v.From)
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
