package model

import (
	"fmt"

	"pare/dataset"
	"pare/graph"
)

// Fits returns an error where data and network do not go together: another shape of
// the samples, classes that the network has no output for.
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
