package calibrate

import (
	"context"
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/prune"
	"pare/prune/structure"
)

// reader is a layer that reads a group's channels: what its output loses when some go.
type reader struct {
	*surgeon         // the outputs scaled as they are behind the layer
	of       [][]int // columns of each channel
}

// Reconstruction rates channels by what their loss does to the layers that read them,
// when the weights that are left are solved anew: the least increase of
//
//	|y - W x|² over the variance of y
//
// where y is what the network has behind the layer, normalised and summed up as there.
// Channels go one after the other, the cheapest first, and what is left takes over what
// it can: with H the second moments of the layer's inputs, to lose the columns S costs
// tr(W_S [(H⁻¹)_SS]⁻¹ W_Sᵀ), and W and H⁻¹ are then those without them (Hassibi and Stork
// 1993 for sets of weights; He, Zhang, Sun 2017, arXiv 1707.06168 choose channels for the
// same error by LASSO). A channel's rate is its cost, at least that of those before it,
// for each multiply-accumulate that goes with it: higher stays. damp is the share of the
// mean of H's diagonal that is added to it.
//
// Groups that no calibrated layer reads get the rates of their entries' squares.
func Reconstruction(ctx context.Context, g *graph.Graph, groups []*structure.Group, batches Batches, damp float64, opt Options) ([][]float64, []prune.Skip, error) {
	readers := make([][]*reader, len(groups))
	uses := g.Uses()
	skips, err := eachReader(ctx, g, groups, batches, opt, func(l *Layer, walk *Walk, by map[int]int) error {
		r, err := readerOf(ctx, l, walk, uses, damp)
		if r == nil {
			return err
		}
		for k, a := range by {
			c := *r
			if len(by) > 1 {
				c.inverse, c.w = slices.Clone(r.inverse), slices.Clone(r.w)
			}
			_, cols, at := l.Weight.Matrix()
			readers[k] = append(readers[k], &reader{&c, columns(l.Weight, groups[k], a, cols, func(k int) int { return at(0, k) })})
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	plain := structure.Score(groups, structure.Squares)
	worth := structure.Worth(g, groups)
	out := make([][]float64, len(groups))
	for k, grp := range groups {
		if len(readers[k]) == 0 {
			out[k] = plain[k]
			continue
		}
		out[k] = eliminate(readers[k], len(grp.Channels))
		for c := range out[k] {
			out[k][c] /= math.Max(1, float64(worth[k].MACs))
		}
		readers[k] = nil
	}
	return out, skips, nil
}

// columns lists for every channel which of a matrix's columns read it; at is the place in
// the weight of an entry of each.
func columns(w *prune.Weight, grp *structure.Group, axis, cols int, at func(k int) int) [][]int {
	dim := grp.Axes[axis].Dim
	stride, n := 1, w.Const.Shape[dim]
	for _, k := range w.Const.Shape[dim+1:] {
		stride *= k
	}
	of := make([][]int, n) // by position
	for c := range cols {
		p := at(c) / stride % n
		of[p] = append(of[p], c)
	}
	out := make([][]int, len(grp.Channels))
	for c, ch := range grp.Channels {
		for _, p := range ch.At[axis] {
			out[c] = append(out[c], of[p]...)
		}
	}
	return out
}

// readerOf sums up what goes into a layer; nil where it cannot be taken apart.
func readerOf(ctx context.Context, l *Layer, w *Walk, uses map[*graph.Value][]graph.Use, damp float64) (*surgeon, error) {
	if len(l.Sites) > 1 || w.opt.TooLarge(l) != "" {
		return nil, nil
	}
	s := l.Sites[0]
	n := l.Weight.Outputs()
	e := s.follow(w.g, uses, n, func(*graph.Value) bool { return true })
	if e == nil {
		return nil, nil
	}
	v := w.View([]*graph.Value{s.X(), s.Y(), e.value}, s.Node)
	defer v.Close()
	sum := &sums{opt: w.opt, whole: true}
	defer sum.close()
	for b := range w.Batches() {
		t, err := v.Run(ctx, b)
		if err != nil {
			return nil, err
		}
		p, err := s.product(t[0].Shape, t[1].Shape)
		if err != nil {
			return nil, err
		}
		if p.groups != 1 {
			return nil, nil
		}
		if err := sum.add(p, t[0].F32(), func(g, lo, hi int, dst []float32) { p.outputs(t[2].F32(), g, lo, hi, dst) }); err != nil {
			return nil, fmt.Errorf("%s: %w", l.Weight.Name, err)
		}
	}
	if err := sum.check(l.Weight.Name); err != nil {
		return nil, err
	}
	m := sum.of[0]
	_, my := m.centre()
	whole := 0.0
	for o := range m.Outs {
		whole += m.YY[o] - float64(m.Rows)*my[o]*my[o]
	}
	if whole <= 0 {
		return nil, nil
	}
	scaled := make([]float64, m.Outs*m.Cols)
	for o := range m.Outs {
		f := e.scale[o] / math.Sqrt(whole)
		for k := range m.Cols {
			scaled[o*m.Cols+k] = float64(l.Weight.Data()[m.At(o, k)]) * f
		}
	}
	r, err := newSurgeon(m, scaled, damp)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Weight.Name, err)
	}
	return r, nil
}

// eliminate lets channels go one after the other and gives what each cost.
func eliminate(rs []*reader, channels int) []float64 {
	out := make([]float64, channels)
	gone := make([]bool, channels)
	least := 0.0
	for range channels {
		best, cost := -1, 0.0
		for c := range channels {
			if gone[c] {
				continue
			}
			sum := 0.0
			for _, r := range rs {
				sum += r.cost(r.of[c])
			}
			if best < 0 || sum < cost {
				best, cost = c, sum
			}
		}
		least = math.Max(least, cost)
		out[best], gone[best] = least, true
		for _, r := range rs {
			r.remove(r.of[best])
		}
	}
	return out
}
