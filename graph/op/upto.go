package op

import (
	"fmt"
	"slices"

	"pare/graph"
)

// UpTo is what of a network can be computed where some of its operators are not known: a
// copy, which shares the weights, without these and all that depends on them. Its outputs
// are those of the network that are left, and then what the unknown operators are given.
// It is g itself where all operators are known, and an error where nothing is left.
func UpTo(g *graph.Graph) (*graph.Graph, error) {
	bad := unknown(g)
	if bad == nil {
		return g, nil
	}
	c, _ := g.Clone(false)
	dark := map[*graph.Value]bool{}
	var nodes []*graph.Node
	var given []*graph.Value
	for _, n := range c.Nodes {
		reads := append(slices.Clone(n.Inputs), n.Captures()...)
		lost := slices.ContainsFunc(reads, func(v *graph.Value) bool { return dark[v] })
		if !lost && !strange(n) {
			nodes = append(nodes, n)
			continue
		}
		for _, o := range n.Outputs {
			if o != nil {
				dark[o] = true
			}
		}
		for _, v := range reads {
			if strange(n) && v != nil && v.From != nil && !dark[v] && !slices.Contains(given, v) {
				given = append(given, v)
			}
		}
	}
	outputs := slices.DeleteFunc(slices.Clone(c.Outputs), func(v *graph.Value) bool { return dark[v] })
	for _, v := range given {
		if !slices.Contains(outputs, v) {
			outputs = append(outputs, v)
		}
	}
	if len(outputs) == 0 {
		return nil, fmt.Errorf("%w; nothing is computed before it", &Unsupported{bad})
	}
	c.Nodes, c.Outputs, c.Meta.Stored = nodes, outputs, nil
	c.Prune()
	return c, nil
}

// strange says whether a node is of an operator that is not known, or holds one.
func strange(n *graph.Node) bool {
	return Lookup(n.Domain, n.Op) == nil || slices.ContainsFunc(n.Subgraphs(), func(s *graph.Graph) bool { return unknown(s) != nil })
}
