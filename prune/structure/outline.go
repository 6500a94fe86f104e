package structure

import "pare/graph"

// Layer is a node of the network that a person looks for: one that holds a
// weight, one that joins what others computed, an input or an output. What
// stands between (activations, normalisations, changes of shape) is left out.
type Layer struct {
	Node   *graph.Node  // nil for an input or an output
	Value  *graph.Value // the input or output; else what the node makes
	Weight *graph.Value // nil where it only joins
	Label  string
	Group  int // of the channels that it makes; -1 where none can be cut
	From   []Link
}

// Link is what a layer reads: the layer it comes from, and the group of the
// channels on the way, or -1.
type Link struct{ Layer, Group int }

// Outline lists the layers of g in order, with the groups given.
func Outline(g *graph.Graph, groups []*Group) []Layer {
	of := map[*graph.Value]int{} // the group with most positions in a value
	most := map[*graph.Value]int{}
	for i, grp := range groups {
		for k, a := range grp.Axes {
			n := 0
			for _, c := range grp.Channels {
				n += len(c.At[k])
			}
			if n > most[a.Value] {
				most[a.Value], of[a.Value] = n, i
			}
		}
	}
	group := func(v *graph.Value) int {
		if i, ok := of[v]; ok {
			return i
		}
		return -1
	}
	var out []Layer
	at := map[*graph.Value]int{} // the layer that a value comes from
	for _, v := range g.Inputs {
		at[v] = len(out)
		out = append(out, Layer{Value: v, Label: v.Name, Group: -1})
	}
	for _, n := range g.Nodes {
		var links []Link
		for _, v := range n.Inputs {
			if i, ok := at[v]; ok && v != nil {
				links = addLink(links, Link{i, group(v)})
			}
		}
		for _, v := range n.Captures() {
			if i, ok := at[v]; ok {
				links = addLink(links, Link{i, group(v)})
			}
		}
		if len(links) == 0 || RuleOf(n).Sizes {
			continue // constant, or about sizes
		}
		w, label := weightOf(n)
		here := links[0].Layer
		if w != nil || len(links) > 1 {
			here = len(out)
			l := Layer{Node: n, Value: n.Out(0), Weight: w, Label: label, Group: group(n.Out(0)), From: links}
			if w == nil {
				l.Label = place(n)
			}
			out = append(out, l)
		}
		for _, o := range n.Outputs {
			if o != nil {
				at[o] = here
			}
		}
	}
	for _, v := range g.Outputs {
		if i, ok := at[v]; ok {
			out = append(out, Layer{Value: v, Label: v.Name, Group: -1, From: []Link{{i, group(v)}}})
		}
	}
	return out
}

func addLink(s []Link, l Link) []Link {
	for _, x := range s {
		if x.Layer == l.Layer {
			return s
		}
	}
	return append(s, l)
}

// weightOf gives the weight that a node multiplies by or looks up, and its
// label; nil where there is none.
func weightOf(n *graph.Node) (*graph.Value, string) {
	if makes(n) == nil {
		return nil, ""
	}
	for i, v := range n.Inputs {
		if v == nil || len(v.Shape) < 2 {
			continue
		}
		if a, ok := weight(v, 0); ok && isWeight(a.Value) {
			return a.Value, Label(n, i)
		}
	}
	return nil, ""
}
