package block

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/graph/op"
)

// Remove gives a copy of the network without some of its blocks, which Find has found in
// it: sums become what is left of them, and what nobody reads goes. g is left as it is,
// and the weights of the copy are its own. It returns an error where nothing would stand
// between an input and an output.
func Remove(g *graph.Graph, blocks []*Block) (*graph.Graph, error) {
	c, m := g.Clone(true)
	for _, b := range blocks {
		for _, p := range b.parts {
			if p.branch == nil {
				c.ReplaceUses(m[p.out], m[p.layer.Out(0)].From.In(0)) // as it is now: what stood before may be gone
				continue
			}
			r := m[p.branch]
			n := reader(c, r)
			if n == nil {
				return nil, fmt.Errorf("block %s is not of this network", b.Name)
			}
			i := slices.Index(n.Inputs, r)
			if n.Inputs = slices.Delete(n.Inputs, i, i+1); len(n.Inputs) == 1 {
				c.ReplaceUses(n.Out(0), n.In(0))
			}
			if p.after != nil {
				a := m[p.after.Out(0)].From
				c.ReplaceUses(a.Out(0), a.In(0))
			}
		}
	}
	for _, o := range c.Outputs {
		if slices.Contains(c.Inputs, o) {
			return nil, fmt.Errorf("without %s nothing would stand between input %q and the network's output", names(blocks), o.Name)
		}
	}
	c.Prune()
	return c, op.InferAll(c)
}

// reader is the sum that reads a value.
func reader(g *graph.Graph, v *graph.Value) *graph.Node {
	for _, n := range g.Nodes {
		if n.Is("Add", "Sum") && len(n.Inputs) > 1 && slices.Contains(n.Inputs, v) {
			return n
		}
	}
	return nil
}

func names(blocks []*Block) (s string) {
	for i, b := range blocks {
		switch {
		case i > 2:
			return s + fmt.Sprintf(" and %d more blocks", len(blocks)-i)
		case i > 0:
			s += ", "
		}
		s += b.Name
	}
	return s
}
