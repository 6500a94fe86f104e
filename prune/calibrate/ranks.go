package calibrate

import (
	"context"
	"math"

	"pare/graph"
	"pare/prune"
	"pare/prune/structure"
)

// Ranks rates channels by the rank of their feature maps, the mean over samples: a map
// of low rank says little (Lin, Ji, Wang, Zhang, Zhang, Tian, Shao 2020, CVPR, arXiv
// 2002.10179, equation 5). The maps are those that reach the layers which read a channel,
// behind activations, as in the authors' code; where several layers read different
// values, the mean. The rank of a map [height, width] is that of the matrix to single
// precision; a channel of single numbers has rank 1 on samples where it is not zero. As
// in structure.Score a group's mean is 1; groups that no calibrated layer reads get the
// rates of their entries' squares.
func Ranks(ctx context.Context, g *graph.Graph, groups []*structure.Group, batches Batches, opt Options) ([][]float64, []prune.Skip, error) {
	out := structure.Score(groups, structure.Squares)
	seen := make([]map[*graph.Value]bool, len(groups))
	skips, err := eachReader(ctx, g, groups, batches, opt, func(l *Layer, walk *Walk, by map[int]int) error {
		x := l.Sites[0].X()
		axis := map[int]int{} // of groups, along which the value has their channels
		for k := range by {
			for a, at := range groups[k].Axes {
				if at.Value == x && !seen[k][x] {
					axis[k] = a
				}
			}
		}
		if len(axis) == 0 {
			return nil
		}
		sums := map[int][]float64{}
		v := walk.View([]*graph.Value{x}, l.Sites[0].Node)
		defer v.Close()
		for b := range walk.Batches() {
			t, err := v.Run(ctx, b)
			if err != nil {
				return err
			}
			for k, a := range axis {
				if sums[k] == nil {
					sums[k] = make([]float64, len(groups[k].Channels))
				}
				addRanks(sums[k], t[0].F32(), t[0].Shape, groups[k], a)
			}
		}
		for k := range axis {
			if seen[k] == nil {
				seen[k] = map[*graph.Value]bool{}
				clear(out[k])
			}
			seen[k][x] = true
			for c, s := range sums[k] {
				out[k][c] += s
			}
		}
		return nil
	})
	for k := range groups {
		structure.Relative(out[k])
	}
	return out, skips, err
}

// addRanks adds the ranks of a batch's maps, [batch, …], the mean over the positions of a
// channel along axis a of its group.
func addRanks(sum []float64, x []float32, shape []int, grp *structure.Group, a int) {
	dim := grp.Axes[a].Dim
	if dim == 0 || len(shape) == 0 || shape[0] == 0 {
		return
	}
	stride, n := 1, shape[dim]
	for _, k := range shape[dim+1:] {
		stride *= k
	}
	before := 1 // axes between the batch and the channel
	for _, k := range shape[1:dim] {
		before *= k
	}
	cols := 1
	switch {
	case dim < len(shape)-1:
		cols = shape[len(shape)-1]
	case dim > 1:
		cols = shape[dim-1]
	}
	size := before * stride
	if size == 0 || cols == 0 {
		return
	}
	m := make([]float64, size)
	for s := range shape[0] {
		for c, ch := range grp.Channels {
			for _, p := range ch.At[a] {
				for o := range before {
					for i, v := range x[((s*before+o)*n+p)*stride : ((s*before+o)*n+p+1)*stride] {
						m[o*stride+i] = float64(v)
					}
				}
				sum[c] += float64(rank(m, size/cols, cols)) / float64(len(ch.At[a]))
			}
		}
	}
}

// rank is the number of pivots of an elimination with full pivoting, [rows, cols], that
// single precision tells from zero: above max(rows, cols) eps times the largest entry. m
// is overwritten.
func rank(m []float64, rows, cols int) int {
	least := 0.0
	for k := range min(rows, cols) {
		r, c, most := k, k, 0.0
		for i := k; i < rows; i++ {
			for j := k; j < cols; j++ {
				if x := math.Abs(m[i*cols+j]); x > most {
					r, c, most = i, j, x
				}
			}
		}
		if k == 0 {
			least = float64(max(rows, cols)) * most * 0x1p-23
		}
		if most == 0 || most <= least && k > 0 {
			return k
		}
		for j := range cols {
			m[k*cols+j], m[r*cols+j] = m[r*cols+j], m[k*cols+j]
		}
		for i := range rows {
			m[i*cols+k], m[i*cols+c] = m[i*cols+c], m[i*cols+k]
		}
		for i := k + 1; i < rows; i++ {
			f := m[i*cols+k] / m[k*cols+k]
			for j := k; f != 0 && j < cols; j++ {
				m[i*cols+j] -= f * m[k*cols+j]
			}
		}
	}
	return min(rows, cols)
}
