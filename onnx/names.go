package onnx

import (
	"fmt"

	"pare/graph"
)

// names gives each value and each node of a model a name that no other has, as ONNX
// asks: their own, but for the second of two that have the same. Nodes may have none.
type names struct {
	values map[*graph.Value]string
	nodes  map[*graph.Node]string
}

func namesOf(g *graph.Graph) *names {
	n := &names{map[*graph.Value]string{}, map[*graph.Node]string{}}
	all := map[string]bool{} // the names that some value or node has
	eachOf(g, func(v *graph.Value) { all[v.Name] = true }, func(k *graph.Node) { all[k.Name] = true })
	fresh := func(taken map[string]bool, name string) string {
		if !taken[name] {
			taken[name] = true
			return name
		}
		for k := 1; ; k++ {
			if s := fmt.Sprintf("%s_%d", name, k); !taken[s] && !all[s] {
				taken[s] = true
				return s
			}
		}
	}
	values, nodes := map[string]bool{}, map[string]bool{}
	value := func(v *graph.Value) {
		if _, ok := n.values[v]; !ok {
			n.values[v] = fresh(values, v.Name)
		}
	}
	for _, vs := range [][]*graph.Value{g.Inputs, g.Outputs, g.Consts()} { // what the outside knows keeps its name
		for _, v := range vs {
			value(v)
		}
	}
	eachOf(g, value, func(k *graph.Node) {
		if k.Name != "" {
			n.nodes[k] = fresh(nodes, k.Name)
		}
	})
	return n
}

// eachOf visits the values and nodes of a graph and its subgraphs.
func eachOf(g *graph.Graph, value func(*graph.Value), node func(*graph.Node)) {
	for _, v := range g.Inputs {
		value(v)
	}
	for _, k := range g.Nodes {
		node(k)
		for _, vs := range [][]*graph.Value{k.Inputs, k.Outputs} {
			for _, v := range vs {
				if v != nil {
					value(v)
				}
			}
		}
		for _, s := range k.Subgraphs() {
			eachOf(s, value, node)
		}
	}
	for _, v := range g.Outputs {
		value(v)
	}
}

// of lists the names of values, "" for one left out.
func (n *names) of(vs []*graph.Value) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		if v != nil {
			out[i] = n.values[v]
		}
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}
