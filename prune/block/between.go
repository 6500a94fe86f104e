package block

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// UpTo is a network that ends with values, given by those of another of the same names.
// The weights are shared.
func UpTo(g *graph.Graph, ends []*graph.Value) *graph.Graph {
	c, _ := g.Clone(false)
	c.Usage.OutputOf, c.Outputs = "", nil
	for _, v := range ends {
		c.Outputs = append(c.Outputs, c.Value(v.Name))
	}
	c.Prune()
	return c
}

// Between is the part of a network from values to others, by their names, as a network of
// its own: from nil, it begins with the network's inputs. What else it reads of the
// network's inputs, such as a mask, are inputs of it too. The weights are shared.
func Between(g *graph.Graph, from, to []*graph.Value) (*graph.Graph, error) {
	c := UpTo(g, to)
	if from == nil {
		return c, op.InferAll(c)
	}
	in := map[*graph.Value]bool{}
	old, begin := c.Inputs, []*graph.Value(nil)
	for _, v := range from {
		w := c.Value(v.Name)
		if w == nil {
			return nil, fmt.Errorf("value %q does not lead to what is wanted", v.Name)
		}
		in[w] = true
		begin = append(begin, w)
	}
	reached, need := map[*graph.Node]bool{}, slices.Clone(c.Outputs)
	for len(need) > 0 {
		v := need[len(need)-1]
		if need = need[:len(need)-1]; v == nil || in[v] || v.From == nil || reached[v.From] {
			continue
		}
		reached[v.From] = true
		need = append(append(need, v.From.Inputs...), v.From.Captures()...)
	}
	c.Nodes = slices.DeleteFunc(c.Nodes, func(n *graph.Node) bool { return !reached[n] })
	for v := range in {
		v.From, v.DType = nil, tensor.Float32
	}
	c.Inputs = begin
	for _, v := range old {
		if !in[v] {
			c.Inputs = append(c.Inputs, v)
		}
	}
	uses := c.Uses()
	c.Inputs = slices.DeleteFunc(c.Inputs, func(v *graph.Value) bool { return len(uses[v]) == 0 })
	return c, op.InferAll(c)
}

// BySample says whether a value are numbers of which every sample has its own.
func BySample(g *graph.Graph, v *graph.Value) bool {
	return len(g.Inputs) > 0 && len(g.Inputs[0].Shape) > 0 && v.DType == tensor.Float32 && len(v.Shape) > 0 && v.Shape[0] == g.Inputs[0].Shape[0]
}
