package calibrate

import (
	"context"
	"slices"

	"pare/graph"
	"pare/prune"
	"pare/prune/structure"
)

// Activations rates channels by what they bring to the layers that read them: the sum
// of (|W_ij| |X_j|)² over a layer's outputs and the columns of the channel, X_j the
// column's inputs over all samples, as a share of the whole layer's, summed over the
// layers. It is the rate of Sun, Liu, Bair, Kolter 2023 (arXiv 2306.11695) for weights,
// summed up to channels. As in structure.Score a group's mean is 1; groups that no
// calibrated layer reads get the rates of their entries' squares.
func Activations(ctx context.Context, g *graph.Graph, groups []*structure.Group, batches Batches, opt Options) ([][]float64, []prune.Skip, error) {
	out := structure.Score(groups, structure.Squares)
	read := make([]bool, len(groups))
	skips, err := eachReader(ctx, g, groups, batches, opt, func(l *Layer, walk *Walk, by map[int]int) error {
		ms, err := l.Inputs(ctx, walk, false)
		if err != nil {
			return err
		}
		w := l.Weight
		energy := make([]float32, w.Len())
		whole := 0.0
		for _, m := range ms {
			for k, x := range m.Squares {
				for o := range m.Outs {
					i := m.At(o, k)
					e := float64(w.Data()[i]) * float64(w.Data()[i]) * x
					energy[i], whole = float32(e), whole+e
				}
			}
		}
		if whole == 0 {
			return nil
		}
		for k, a := range by {
			if !read[k] {
				clear(out[k])
				read[k] = true
			}
			groups[k].Sum(out[k], a, energy, 1/whole)
		}
		return nil
	})
	for k := range groups {
		structure.Relative(out[k])
	}
	return out, skips, err
}

// eachReader visits the layers that read channels of groups, in order: by gives the axis
// of each group that reads the layer's weight.
func eachReader(ctx context.Context, g *graph.Graph, groups []*structure.Group, batches Batches, opt Options, f func(l *Layer, w *Walk, by map[int]int) error) ([]prune.Skip, error) {
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		return nil, err
	}
	layers, skips := Layers(g, ws)
	walk, err := NewWalk(g, batches, opt)
	if err != nil {
		return nil, err
	}
	for _, l := range layers {
		by := map[int]int{}
		for k, grp := range groups {
			if a := grp.Reads(l.Weight.Value); a >= 0 {
				by[k] = a
			}
		}
		if len(by) == 0 {
			continue
		}
		if err := f(l, walk, by); err != nil {
			return nil, err
		}
	}
	return slices.Clip(skips), ctx.Err()
}
