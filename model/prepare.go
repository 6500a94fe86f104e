package model

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Prepare makes a network that was read ready to be pruned, trained and measured:
// it is checked, its shapes and roles are inferred, constants folded, and weights of
// another floating-point type taken as float32, which the notes say. It returns an
// error where the network is broken.
func Prepare(g *graph.Graph) (notes []string, err error) {
	if err := op.Check(g); err != nil {
		return nil, err
	}
	if otherFloats(g) {
		d, err := op.Widen(g)
		if err != nil {
			return nil, err
		}
		notes = append(notes, fmt.Sprintf("the %v numbers are computed in float32 and written as %v; speed is that of float32", d, d))
	}
	if _, err := op.Simplify(g); err != nil {
		return nil, err
	}
	return notes, finite(g)
}

// finite returns an error where a weight is not a finite number.
func finite(g *graph.Graph) error {
	for _, v := range g.Consts() {
		if i := v.Const.Finite(); i >= 0 && v.Role != graph.Frozen {
			return fmt.Errorf("weight %q has a NaN or infinity at entry %d: the network is broken", v.Name, i)
		}
	}
	return nil
}

// otherFloats says whether inputs or weights are floating-point numbers that are
// not float32. Scalars do not count: shapes are sometimes computed in float64.
func otherFloats(g *graph.Graph) bool {
	other := func(v *graph.Value) bool { return v.DType.IsFloat() && v.DType != tensor.Float32 }
	return slices.ContainsFunc(g.Inputs, other) ||
		slices.ContainsFunc(g.Consts(), func(v *graph.Value) bool { return other(v) && len(v.Const.Shape) > 1 })
}
