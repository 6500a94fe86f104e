package federated

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/prune"
	"pare/train"
)

// Layout is what both sides know of a network before the first message.
type Layout struct {
	Sparse []Tensor // weights that masks cut, in the order of the layers
	Dense  []Tensor // all other parameters: biases, scales and shifts
	Norms  []Tensor // running means of the normalisations; variances are as long
}

// Tensor is a tensor's name and its number of entries.
type Tensor struct {
	Name string
	Len  int
}

// Params is the number of parameters in all, statistics not counted.
func (l *Layout) Params() int { return count(l.Sparse) + count(l.Dense) }

func count(ts []Tensor) (n int) {
	for _, t := range ts {
		n += t.Len
	}
	return n
}

// network is a graph whose numbers are read and written as Models.
type network struct {
	Layout
	g     *graph.Graph
	ws    []*prune.Weight
	dense []*graph.Value
}

// newNetwork lays out a graph, of whose parameters those of ws are sparse.
func newNetwork(g *graph.Graph, ws []*prune.Weight) *network {
	n := &network{g: g, ws: ws}
	sparse := map[*graph.Value]bool{}
	for _, w := range ws {
		sparse[w.Value] = true
		n.Sparse = append(n.Sparse, Tensor{w.Name, w.Len()})
	}
	for _, p := range g.Params() {
		if !sparse[p] {
			n.dense = append(n.dense, p)
			n.Dense = append(n.Dense, Tensor{p.Name, p.Const.Len()})
		}
	}
	for i, m := range train.Statistics(g) {
		n.Norms = append(n.Norms, Tensor{fmt.Sprintf("normalisation %d", i+1), len(m.Mean)})
	}
	return n
}

// read copies the numbers of the network under masks.
func (n *network) read(masks []*prune.Mask) *Model {
	m := &Model{Masks: masks}
	for i, w := range n.ws {
		m.Values = append(m.Values, gather(w.Data(), masks[i]))
	}
	for _, p := range n.dense {
		m.Dense = append(m.Dense, append([]float32{}, p.Const.F32()...))
	}
	for _, s := range train.Statistics(n.g) {
		m.Norms = append(m.Norms, train.Moments{Mean: append([]float32{}, s.Mean...), Var: append([]float32{}, s.Var...)})
	}
	return m
}

// write puts numbers into the network: what masks cut is zero.
func (n *network) write(m *Model, masks []*prune.Mask) {
	for i, w := range n.ws {
		scatter(w.Data(), masks[i], m.Values[i])
	}
	for i, p := range n.dense {
		copy(p.Const.F32(), m.Dense[i])
	}
	for i, s := range train.Statistics(n.g) {
		copy(s.Mean, m.Norms[i].Mean)
		copy(s.Var, m.Norms[i].Var)
	}
}

// gather lists what a mask keeps.
func gather(x []float32, m *prune.Mask) []float32 {
	out := make([]float32, 0, m.Count())
	for i, v := range x {
		if m.Kept(i) {
			out = append(out, v)
		}
	}
	return out
}

// scatter is gather's inverse: what the mask cuts is zero.
func scatter(x []float32, m *prune.Mask, kept []float32) {
	k := 0
	for i := range x {
		if x[i] = 0; m.Kept(i) {
			x[i] = kept[k]
			k++
		}
	}
}

// finite says whether there is neither a NaN nor an infinity.
func finite(x []float32) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
