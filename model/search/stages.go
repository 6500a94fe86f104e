package search

import (
	"slices"

	"pare/graph"
	"pare/prune"
)

// Stage is residual blocks one behind the other, of which the last may go.
type Stage struct {
	Points  []*graph.Value // what stands behind 1, 2, … blocks
	Choices []int          // how many blocks there may be, ascending; the last is all
}

// block is y = x + f(x), with an activation behind it or none: without it y is x.
type block struct {
	in, out *graph.Value
	nodes   map[*graph.Node]bool
}

// stages finds the chains of residual blocks whose weights are in scope and of which nothing
// but what is behind them reads the values between. A block that changes the shape, as the
// first of a stage does, counts as the first and stays.
func stages(g *graph.Graph, scope prune.Scope) []Stage {
	uses := g.Uses()
	at := map[*graph.Node]int{}
	for i, n := range g.Nodes {
		at[n] = i
	}
	var blocks []*block
	for _, n := range g.Nodes {
		if b := blockOf(g, n, uses, at, scope); b != nil {
			blocks = append(blocks, b)
		}
	}
	var out []Stage
	var chain []*block
	end := func() {
		var st Stage
		if len(chain) > 0 && joins(chain[0].in) {
			st.Points = append(st.Points, chain[0].in)
		}
		for _, b := range chain {
			st.Points = append(st.Points, b.out)
		}
		if chain = nil; len(st.Points) > 1 {
			out = append(out, st)
		}
	}
	for _, b := range blocks {
		if n := len(chain); n > 0 && (chain[n-1].out != b.in || g.IsOutput(b.in) || !within(uses[b.in], b.nodes)) {
			end()
		}
		chain = append(chain, b)
	}
	end()
	return out
}

// within says whether all uses are by nodes of a set.
func within(uses []graph.Use, nodes map[*graph.Node]bool) bool {
	return !slices.ContainsFunc(uses, func(u graph.Use) bool { return !nodes[u.Node] })
}

// joins says whether a value is a sum of two branches, or the activation of one.
func joins(v *graph.Value) bool {
	n := v.From
	if isActivation(n) {
		n = n.In(0).From
	}
	return isSum(n)
}

// isSum says whether a node adds two values of one shape.
func isSum(n *graph.Node) bool {
	if !n.Is("Add", "Sum") || len(n.Inputs) != 2 {
		return false
	}
	a, b := n.In(0), n.In(1)
	return a != nil && b != nil && !a.IsConst() && !b.IsConst() && a != b && len(a.Shape) > 1 && a.Shape.Equal(b.Shape)
}

// isActivation says whether a node is a function of one value, entry by entry.
func isActivation(n *graph.Node) bool {
	return n.Is("Relu", "LeakyRelu", "Elu", "Selu", "Gelu", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "Mish", "Softplus", "Clip", "Celu")
}

// blockOf finds the block that a sum ends; nil: it ends none.
func blockOf(g *graph.Graph, n *graph.Node, uses map[*graph.Value][]graph.Use, at map[*graph.Node]int, scope prune.Scope) *block {
	if !isSum(n) {
		return nil
	}
	for i := range 2 {
		b := &block{in: n.In(i), out: n.Out(0), nodes: map[*graph.Node]bool{n: true}}
		if b.in.From == nil || !b.gather(n.In(1-i), at, scope) || !b.closed(g, uses, n) {
			continue
		}
		if u := uses[b.out]; len(u) == 1 && isActivation(u[0].Node) && !g.IsOutput(b.out) {
			b.nodes[u[0].Node], b.out = true, u[0].Node.Out(0)
		}
		if b.out.Shape.Equal(b.in.Shape) {
			return b
		}
	}
	return nil
}

// gather collects the nodes from which a value comes, up to the block's input. It says
// whether they depend on that alone, have weights, and all of these are in scope.
func (b *block) gather(from *graph.Value, at map[*graph.Node]int, scope prune.Scope) bool {
	first, weights := at[b.in.From], 0
	todo := []*graph.Value{from}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch {
		case v == nil || v == b.in:
			continue
		case v.IsConst():
			if v.Role == graph.Param && len(v.Shape) > 1 {
				if weights++; !scope.Match(v.Name) {
					return false
				}
			}
			continue
		case v.From == nil || at[v.From] <= first || len(v.From.Subgraphs()) > 0:
			return false
		}
		if !b.nodes[v.From] {
			b.nodes[v.From] = true
			todo = append(todo, v.From.Inputs...)
		}
	}
	return weights > 0
}

// closed says whether nothing outside the block reads what is inside.
func (b *block) closed(g *graph.Graph, uses map[*graph.Value][]graph.Use, sum *graph.Node) bool {
	for n := range b.nodes {
		for _, o := range n.Outputs {
			if n != sum && o != nil && (g.IsOutput(o) || !within(uses[o], b.nodes)) {
				return false
			}
		}
	}
	return true
}
