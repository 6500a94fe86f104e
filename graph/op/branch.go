package op

import (
	"pare/graph"
	"pare/tensor"
)

// takeBranches replaces every If whose condition is constant by the nodes of
// the branch that it takes, and reports whether there was one.
func takeBranches(g *graph.Graph) bool {
	changed := false
	for {
		n := constantIf(g)
		if n == nil {
			return changed
		}
		takeBranch(g, n)
		changed = true
	}
}

// constantIf finds an If to replace, or nil.
func constantIf(g *graph.Graph) *graph.Node {
	for _, n := range g.Nodes {
		if !n.Is("If") || !n.In(0).IsConst() {
			continue
		}
		if c := tensor.Of[bool](n.In(0).Const); len(c) != 1 {
			continue
		}
		if b := branchOf(n); b != nil && len(b.Inputs) == 0 && len(b.Outputs) == len(n.Outputs) && ownOutputs(b) {
			return n
		}
	}
	return nil
}

func branchOf(n *graph.Node) *graph.Graph {
	name := "else_branch"
	if tensor.Of[bool](n.In(0).Const)[0] {
		name = "then_branch"
	}
	b, _ := bodyOf(n, name)
	return b
}

// ownOutputs says whether the outputs of a branch are different values, all
// made by its nodes.
func ownOutputs(b *graph.Graph) bool {
	made, seen := map[*graph.Value]bool{}, map[*graph.Value]bool{}
	for _, n := range b.Nodes {
		for _, o := range n.Outputs {
			made[o] = true
		}
	}
	for _, o := range b.Outputs {
		if !made[o] || seen[o] {
			return false
		}
		seen[o] = true
	}
	return true
}

func takeBranch(g *graph.Graph, n *graph.Node) {
	b := branchOf(n)
	i := 0
	for g.Nodes[i] != n {
		i++
	}
	rest := append([]*graph.Node{}, g.Nodes[i+1:]...)
	g.Nodes = g.Nodes[:i]
	taken := map[string]bool{}
	for _, v := range g.Values() {
		taken[v.Name] = true
	}
	for _, m := range rest {
		for _, o := range m.Outputs {
			if o != nil {
				taken[o.Name] = true
			}
		}
	}
	for _, m := range b.Nodes {
		for _, o := range m.Outputs {
			if o != nil && taken[o.Name] { // the branches of two Ifs may use the same names
				o.Name = g.Fresh(o.Name)
			}
		}
	}
	g.Nodes = append(append(g.Nodes, b.Nodes...), rest...)
	for j, o := range n.Outputs {
		if o != nil {
			g.ReplaceUses(o, b.Outputs[j])
		}
	}
}
