package calibrate

import (
	"context"
	"math"

	"pare/graph"
	"pare/prune/structure"
)

// Fluctuation is how much what goes into a layer varies, column by column of its matrix.
type Fluctuation struct {
	Group int          // whose channels the layer reads
	Out   *graph.Value // the layer's product, with the node's own bias if it has one
	Of    [][]int      // columns of each channel
	Mean  []float64    // of each column's input over all samples

	// Score is the variance of each column's input times the squared norm of the weights that
	// read it (An et al. 2024, arXiv 2312.11983, equation 5).
	Score []float64

	outs   int
	weight func(o, k int) float64
}

// Fluctuations measures the layers that read channels of groups, in order. Layers that are
// read several times or by parts, and those that cannot be looked into, are left out.
func Fluctuations(ctx context.Context, g *graph.Graph, groups []*structure.Group, batches Batches, opt Options) ([]*Fluctuation, error) {
	var out []*Fluctuation
	_, err := eachReader(ctx, g, groups, batches, opt, func(l *Layer, walk *Walk, by map[int]int) error {
		ms, err := l.Inputs(ctx, walk, false)
		if err != nil || len(ms) != 1 || len(l.Sites) != 1 {
			return err
		}
		m := ms[0]
		for k := range groups {
			a, ok := by[k]
			if !ok {
				continue
			}
			f := &Fluctuation{Group: k, Out: l.Sites[0].Y(), Of: columns(l.Weight, groups[k], a, m.Cols, func(k int) int { return m.At(0, k) }), outs: m.Outs,
				weight: func(o, k int) float64 { return float64(l.Weight.Data()[m.At(o, k)]) }}
			for k := range m.Cols {
				mean := m.X[k] / float64(m.Rows)
				norm := 0.
				for o := range m.Outs {
					norm += f.weight(o, k) * f.weight(o, k)
				}
				f.Mean = append(f.Mean, mean)
				f.Score = append(f.Score, math.Max(0, m.Squares[k]/float64(m.Rows)-mean*mean)*norm)
			}
			out = append(out, f)
		}
		return nil
	})
	return out, err
}

// Lost is what the layer's outputs lose on average when the columns of channels go that a
// selection does not keep: the bias that makes it good.
func (f *Fluctuation) Lost(kept func(channel int) bool) []float32 {
	out := make([]float32, f.outs)
	for o := range out {
		sum := 0.
		for c, cols := range f.Of {
			if kept(c) {
				continue
			}
			for _, k := range cols {
				sum += f.weight(o, k) * f.Mean[k]
			}
		}
		out[o] = float32(sum)
	}
	return out
}
