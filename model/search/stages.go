package search

import (
	"slices"

	"pare/graph"
	"pare/prune"
	"pare/prune/block"
)

// Stage is blocks one behind the other, of which the last may go.
type Stage struct {
	Points  []*graph.Value // what stands behind 1, 2, … blocks
	Choices []int          // how many blocks there may be, ascending; the last is all
}

// stages finds the rows of residual blocks whose weights are in scope and between which
// nothing else reads. A block that changes the shape, as the first of a stage does, counts as
// the first and stays.
func stages(g *graph.Graph, scope prune.Scope) []Stage {
	blocks, _ := block.Find(g, block.Options{})
	uses := g.Uses()
	var out []Stage
	var points []*graph.Value
	end := func() {
		if len(points) > 0 && !joins(points[0]) {
			points = points[1:]
		}
		if len(points) > 1 {
			out = append(out, Stage{Points: points})
		}
		points = nil
	}
	for _, b := range blocks {
		n := len(points)
		switch {
		case !b.Out.Shape.Equal(b.In.Shape) || slices.ContainsFunc(b.Weights, func(v *graph.Value) bool { return len(v.Shape) > 1 && !scope.Match(v.Name) }):
			end()
			continue
		case n > 1 && points[n-1] == b.Out: // another branch of the same sum
			continue
		case n == 0 || points[n-1] != b.In || g.IsOutput(b.In) || !within(uses[b.In], nodesBetween(b.In, b.Out)):
			end()
			points = []*graph.Value{b.In}
		}
		points = append(points, b.Out)
	}
	end()
	return out
}

// nodesBetween are the nodes from which a value comes, up to another one.
func nodesBetween(from, to *graph.Value) map[*graph.Node]bool {
	seen := map[*graph.Node]bool{}
	todo := []*graph.Value{to}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if v == nil || v == from || v.From == nil || seen[v.From] {
			continue
		}
		seen[v.From] = true
		todo = append(append(todo, v.From.Inputs...), v.From.Captures()...)
	}
	return seen
}

// within says whether all uses are by nodes of a set.
func within(uses []graph.Use, nodes map[*graph.Node]bool) bool {
	return !slices.ContainsFunc(uses, func(u graph.Use) bool { return !nodes[u.Node] })
}

// joins says whether a value is a sum of two branches, or the activation of one.
func joins(v *graph.Value) bool {
	n := v.From
	if n.Is("Relu", "Clip", "LeakyRelu", "Gelu", "HardSwish", "Elu") && n.In(0) != nil {
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
