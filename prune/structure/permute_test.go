package structure_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pare/graph"
	"pare/internal/answer"
	"pare/prune/structure"
)

// reordered puts the channels of every group into another order: the network gives the
// same. It says how many were. Groups that reach the network's inputs or outputs are
// left, and those that Order refuses.
func reordered(t *testing.T, name string, g *graph.Graph) (n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 3))
	want := answer.ToNoise(t, g)
	c, _ := g.Clone(true)
	groups, _ := structure.Groups(c)
	for _, grp := range groups {
		if slices.ContainsFunc(grp.Axes, func(a structure.Axis) bool { return c.IsOutput(a.Value) || slices.Contains(c.Inputs, a.Value) }) {
			continue
		}
		order := grp.Order(r.Perm(len(grp.Channels)))
		if order == nil {
			continue
		}
		for a, from := range order {
			if err := structure.Reorder(a.Value.Const, a.Dim, from); err != nil {
				t.Fatal(err)
			}
		}
		n++
	}
	answer.Same(t, name+" with channels in another order", want, answer.ToNoise(t, c))
	return n
}
