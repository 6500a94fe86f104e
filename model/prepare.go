package model

import (
	"fmt"
	"slices"

	"pare/dataset"
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
		d, err := op.ToFloat32(g)
		if err != nil {
			return nil, err
		}
		notes = append(notes, fmt.Sprintf("the %v numbers are taken as float32; sizes and speed are those of float32", d))
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

// Fits returns an error where a network cannot be trained or measured on data: one
// input of the samples' shape is needed, and an output with a place for each class.
func Fits(g *graph.Graph, d *dataset.Data) error {
	if len(g.Inputs) != 1 || len(g.Outputs) == 0 {
		return fmt.Errorf("the network has %d inputs: one is needed", len(g.Inputs))
	}
	in, out := g.Inputs[0].Shape, g.Outputs[0].Shape
	if len(in) < 2 || len(out) < 2 {
		return fmt.Errorf("input %v and output %v must begin with the batch", in, out)
	}
	shape := make([]int, 0, len(in))
	for i, k := range in[1:] {
		if !k.Known() {
			return fmt.Errorf("axis %d of the network's input %v has no fixed size", i+1, in)
		}
		shape = append(shape, k.Mul)
	}
	classes := 0
	if k := out[len(out)-1]; k.Known() {
		classes = k.Mul
	}
	for _, s := range []*dataset.Set{d.Train, d.Val, d.Test} {
		if s != nil {
			if err := s.Check(shape, classes); err != nil {
				return err
			}
		}
	}
	return nil
}
