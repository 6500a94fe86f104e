package score

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/prune"
	"pare/prune/structure"
)

// Taylor rates coupled channels by the square of what their loss does to a loss, by its
// gradient: with g the gradient of a batch's loss by the weights w,
//
//	(Σ g_i w_i)², the mean over batches
//
// the first-order form of Molchanov, Mallya, Tyree, Frosio and Kautz 2019 (CVPR, arXiv
// 1906.10771, equations 8 and 9) for a group of weights. The sum runs over the weights
// that read the channel: it is then the derivative of the loss by a gate of 1 that
// multiplies the channel there, which the paper puts behind batch normalisation; the
// weights that make the channel would count the same gate twice.
//
// Groups that no trained weight reads are summed over those that make them.
type Taylor struct {
	Weights []*graph.Value // whose gradients it takes, in their order
	Batches int            // so far

	// Absolute takes the absolute value in place of the square: of single samples the
	// expected sensitivity of Michel, Levy and Neubig 2019 (arXiv 1905.10650, section 4.1).
	Absolute bool

	groups []*structure.Group
	of     [][]part // by group
	sum    [][]float64
}

// part is a weight that belongs to a group, and the axis of the group that says how.
type part struct{ weight, axis int }

// NewTaylor begins with no batch. ws are the weights of the network that may read
// channels, such as prune.Weights gives.
func NewTaylor(groups []*structure.Group, ws []*prune.Weight) *Taylor {
	t := &Taylor{groups: groups}
	t.Weights, t.of = readers(groups, ws)
	for _, g := range groups {
		t.sum = append(t.sum, make([]float64, len(g.Channels)))
	}
	return t
}

// readers lists the trained weights among ws that read channels, and by group where they
// stand in the list and the axis of the group that says how; of groups that none reads,
// the parameters that make and carry their channels.
func readers(groups []*structure.Group, ws []*prune.Weight) (of []*graph.Value, parts [][]part) {
	parts = make([][]part, len(groups))
	place := map[*graph.Value]int{}
	add := func(k int, v *graph.Value, axis int) {
		i, ok := place[v]
		if !ok {
			i = len(of)
			place[v], of = i, append(of, v)
		}
		parts[k] = append(parts[k], part{i, axis})
	}
	trained := func(v *graph.Value) bool { return v.IsConst() && v.Role == graph.Param && v.Const.F32() != nil }
	for k, g := range groups {
		for _, w := range ws {
			if a := g.Reads(w.Value); a >= 0 && trained(w.Value) {
				add(k, w.Value, a)
			}
		}
		if parts[k] == nil {
			for a, x := range g.Axes {
				if trained(x.Value) {
					add(k, x.Value, a)
				}
			}
		}
	}
	return of, parts
}

// Add takes the gradients of a batch's loss by Weights. It returns an error where one is
// not finite.
func (t *Taylor) Add(grads [][]float32) error {
	product := make([][]float32, len(t.Weights))
	for i, v := range t.Weights {
		p := make([]float32, len(grads[i]))
		for k, w := range v.Const.F32() {
			p[k] = grads[i][k] * w
		}
		if err := Finite(v.Name, p); err != nil {
			return fmt.Errorf("the loss on batch %d: %w", t.Batches+1, err)
		}
		product[i] = p
	}
	for k, g := range t.groups {
		gate := make([]float64, len(g.Channels))
		for _, p := range t.of[k] {
			g.Sum(gate, p.axis, product[p.weight], 1)
		}
		for c, x := range gate {
			if t.Absolute {
				t.sum[k][c] += math.Abs(x)
				continue
			}
			t.sum[k][c] += x * x
		}
	}
	t.Batches++
	return nil
}

// Rates are those of the batches so far.
func (t *Taylor) Rates() [][]float64 {
	out := make([][]float64, len(t.sum))
	for k, s := range t.sum {
		out[k] = make([]float64, len(s))
		for c, x := range s {
			out[k][c] = x / float64(max(1, t.Batches))
		}
	}
	return out
}
