package calibrate

import (
	"context"
	"fmt"

	"pare/graph"
	"pare/prune"
	"pare/prune/structure"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Saliencies rate channels by what removing the columns that read them costs a layer, one
// by one, when its other weights make good what they can: by group, for each layer that
// reads it, of every channel
//
//	Σ over its columns m of Σ_o W_om² / [H⁻¹]_mm
//
// the score of OBSPA (Wang, Rachwan, Günnemann, Charpentier 2024, arXiv 2403.18955); see
// surgeon. Nothing of the network is changed. A group that no layer reads which can be
// looked into has nil.
func Saliencies(ctx context.Context, g *graph.Graph, groups []*structure.Group, batches Batches, damp float64, opt Options) (by [][][]float64, skips []prune.Skip, err error) {
	by = make([][][]float64, len(groups))
	skips, err = eachSurgery(ctx, g, groups, batches, damp, opt, func(l *Layer, of []*operation) error {
		sum := make([][]float64, len(groups))
		for _, o := range of {
			single := o.singly()
			for k, a := range o.by {
				if sum[k] == nil {
					sum[k] = make([]float64, len(groups[k].Channels))
				}
				for c, cols := range o.columns(groups[k], a) {
					for _, m := range cols {
						sum[k][c] += single[m]
					}
				}
			}
		}
		for k, s := range sum {
			if s != nil {
				by[k] = append(by[k], s)
			}
		}
		return nil
	})
	return by, skips, err
}

// Operate takes the columns out of every layer which read channels that do not stay, layer
// by layer in order, and moves the weights that are left so that the layer's outputs change
// least. What goes into a layer comes from the network whose layers before it are done; the
// channels themselves are still there, as the surgeon needs what they say. The weights of g
// are changed; structure.Cut then leaves out what nothing reads any more. Layers that are
// not looked into keep their weights, and are listed with the reason.
func Operate(ctx context.Context, g *graph.Graph, groups []*structure.Group, stay structure.Selection, batches Batches, damp float64, opt Options) (done []Solved, skips []prune.Skip, err error) {
	cut := make([]*structure.Group, len(groups))
	for k, grp := range groups { // of groups that stay whole nothing is to be done
		if cut[k] = grp; stay[k].Count() == len(grp.Channels) {
			cut[k] = &structure.Group{}
		}
	}
	skips, err = eachSurgery(ctx, g, cut, batches, damp, opt, func(l *Layer, of []*operation) error {
		d := Solved{Name: l.Weight.Name}
		var before, left, whole float64
		for _, o := range of {
			var gone []int
			for k, a := range o.by {
				for c, cols := range o.columns(groups[k], a) {
					if !stay[k].Kept(c) {
						gone = append(gone, cols...)
					}
				}
			}
			b, a, y, err := o.remove(l.Weight.Data(), gone)
			if err != nil {
				return fmt.Errorf("%s: %w", l.Weight.Name, err)
			}
			before, left, whole = before+b, left+a, whole+y
			d.Few = d.Few || o.m.Rows < o.m.Cols
		}
		if whole > 0 {
			d.Before, d.After = before/whole, left/whole
		}
		done = append(done, d)
		return nil
	})
	return done, skips, err
}

// operation is one group of a layer, before it is changed.
type operation struct {
	*surgeon
	m  *Moments
	l  *Layer
	by map[int]int // axes of the groups of channels that it reads
}

// columns are those that read each channel of a group.
func (o *operation) columns(grp *structure.Group, axis int) [][]int {
	return columns(o.l.Weight, grp, axis, o.m.Cols, func(k int) int { return o.m.At(0, k) })
}

// eachSurgery visits the layers that read channels of groups, in order, with all that is
// known of their inputs. Layers into which nothing comes are left out.
func eachSurgery(ctx context.Context, g *graph.Graph, groups []*structure.Group, batches Batches, damp float64, opt Options, f func(l *Layer, of []*operation) error) ([]prune.Skip, error) {
	var large []prune.Skip
	skips, err := eachReader(ctx, g, groups, batches, opt, func(l *Layer, walk *Walk, by map[int]int) error {
		if why := opt.TooLarge(l); why != "" {
			large = append(large, prune.Skip{Name: l.Weight.Name, Len: l.Weight.Len(), Why: why})
			return nil
		}
		ms, err := l.Inputs(ctx, walk, true)
		if err != nil {
			return err
		}
		var of []*operation
		for _, m := range ms {
			w := make([]float64, m.Outs*m.Cols)
			for i := range w {
				w[i] = float64(l.Weight.Data()[m.At(i/m.Cols, i%m.Cols)])
			}
			s, err := newSurgeon(m, w, damp)
			if err != nil {
				return fmt.Errorf("%s: %w", l.Weight.Name, err)
			}
			if s != nil {
				of = append(of, &operation{s, m, l, by})
			}
		}
		return f(l, of)
	})
	return append(skips, large...), err
}

// remove takes columns out and writes what is left into the weight. It gives the squares
// that the outputs lose without and with the other weights moved, and all of theirs.
func (o *operation) remove(w []float32, gone []int) (before, left, whole float64, err error) {
	was := append([]float64{}, o.w...)
	if !o.surgeon.remove(gone) {
		return 0, 0, 0, fmt.Errorf("the second moments of its %d inputs are too near to singular: give more samples, or more damping", o.cols)
	}
	plain, moved := make([]float64, o.cols*o.outs), make([]float64, o.cols*o.outs)
	for r := range o.outs {
		for _, k := range gone {
			plain[r*o.cols+k] = was[r*o.cols+k]
		}
		for k := range o.cols {
			i := r*o.cols + k
			moved[i] = was[i] - o.w[i]
			w[o.m.At(r, k)] = float32(o.w[i])
		}
	}
	return o.m.energy(plain), o.m.energy(moved), o.m.energy(was), nil
}

// energy is the sum of the squares of W x over the rows, for W [outs, cols].
func (m *Moments) energy(w []float64) float64 {
	var wh mat.Dense
	wh.Mul(mat.NewDense(m.Outs, m.Cols, w), mat.NewDense(m.Cols, m.Cols, m.XX))
	return floats.Dot(wh.RawMatrix().Data, w)
}
