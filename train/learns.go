package train

import (
	"fmt"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/train/objective"
)

// Learns returns an error that says why a network cannot learn by the loss from samples
// in batches: they do not go together, there is nothing to compare with, or the loss is a
// file that is no loss of the network's outputs or has no gradient by any of them. It
// plans and runs nothing.
func (l Loss) Learns(g *graph.Graph, set *dataset.Set, batch int) error {
	v, err := newView(g, set, batch, l)
	if err != nil {
		return err
	}
	if v.Terms == nil && v.Matched == nil {
		return v.nothing()
	}
	b := op.NewBuilder(v.Graph, "loss")
	for _, c := range v.Terms {
		if c.Loss != objective.File {
			continue // all others have one
		}
		x, err := v.build(b, c)
		if err != nil {
			return err
		}
		grads, err := op.Gradient(v.Graph, x, nil, c.Out)
		if err != nil {
			return fmt.Errorf("loss %s: %w", c.File, err)
		}
		if !slices.ContainsFunc(grads, func(d *graph.Value) bool { return d != nil }) {
			return catalog.Errorf("loss %s has no gradient by what it takes of the network, %s: nothing can be learnt from what counts, rounds or chooses; {Recipe.Metric} onnx:%[1]s judges by it", c.File, described(c.Out))
		}
	}
	return nil
}

// nothing is the error of a view that has nothing to learn from.
func (v *View) nothing() error {
	why := "every field of the samples is an input"
	if len(v.targets()) > 0 {
		why = "nothing that the samples have is compared with an output"
	}
	return catalog.Errorf("there is nothing to learn from: %s, and there is no teacher: give {Data} with labels and a {Recipe.Loss}, or a {Teacher}, or {Recipe.Recover} distil, by which the network before is one", why)
}
