package atinit

import (
	"math"

	"pare/prune/structure"
)

// widths are the shares of their channels that groups keep, so that the densities of the
// layers come out: with x the logarithms of the shares, and in and out the sums of those
// that the inputs and outputs of layer l are made of (a part of an axis has its part of
// the sum),
//
//	sum_l n_l [(in + out - log d_l)² + balance (in - out)²]
//
// is least, within log(least) <= x <= 0, or up to a factor by which a group may grow. What is not cropped has x = 0, and a layer of which
// one side cannot be has no second term. With a balance of 1 the terms are
// 2 [(in - ½ log d_l)² + (out - ½ log d_l)²]: every layer asks both its sides for the root of its density.
type widths struct {
	groups  []*structure.Group
	layers  []*layer
	whole   func(*structure.Group) bool // it is not cropped
	least   float64
	balance float64
	most    []float64 // by group: what its share may be at most; nil: 1
}

// side is what an axis of a weight is made of: the share of its positions that each group
// has.
type side map[int]float64

// sides lists the axes of a layer's weight that have groups, that of outputs first.
func (w *widths) sides(l *layer) (out, in side) {
	out, in = side{}, side{}
	for i, g := range w.groups {
		if w.whole(g) {
			continue
		}
		for k, a := range g.Axes {
			if a.Value != l.Value {
				continue
			}
			n := 0
			for _, c := range g.Channels {
				n += len(c.At[k])
			}
			to := in
			if a.Dim == l.Out {
				to = out
			}
			to[i] += float64(n) / float64(l.Const.Shape[a.Dim])
		}
	}
	return out, in
}

// solve gives the share of each group.
func (w *widths) solve() []float64 {
	n := len(w.groups)
	q, b := make([][]float64, n), make([]float64, n) // the normal equations q x = b
	for i := range q {
		q[i] = make([]float64, n)
	}
	add := func(row side, value, weight float64) {
		for i, x := range row {
			b[i] += weight * x * value
			for k, y := range row {
				q[i][k] += weight * x * y
			}
		}
	}
	for _, l := range w.layers {
		out, in := w.sides(l)
		sum, gap := side{}, side{}
		for i, x := range out {
			sum[i] += x
			gap[i] += x
		}
		for i, x := range in {
			sum[i] += x
			gap[i] -= x
		}
		add(sum, math.Log(l.density), l.cost)
		if len(out) > 0 && len(in) > 0 {
			add(gap, 0, w.balance*l.cost)
		}
	}
	return w.descend(q, b)
}

// descend minimises one share after the other until none moves: the objective is convex
// and the bounds are of single shares, so that this ends in the least. What no layer
// decides stays as near to 1 as it can.
func (w *widths) descend(q [][]float64, b []float64) []float64 {
	most := 0.
	for i := range q {
		most = math.Max(most, q[i][i])
	}
	x := make([]float64, len(q))
	for range 20000 {
		moved := 0.
		for i := range q {
			if q[i][i] == 0 {
				continue
			}
			g := b[i]
			for k := range q[i] {
				if k != i {
					g -= q[i][k] * x[k]
				}
			}
			floor := math.Log(math.Max(w.least, 1/float64(len(w.groups[i].Channels))))
			ceiling := 0.
			if w.most != nil {
				ceiling = math.Log(w.most[i])
			}
			next := math.Min(ceiling, math.Max(floor, g/(q[i][i]+1e-9*most)))
			moved = math.Max(moved, math.Abs(next-x[i]))
			x[i] = next
		}
		if moved < 1e-12 {
			break
		}
	}
	for i := range x {
		x[i] = math.Exp(x[i])
	}
	return x
}
