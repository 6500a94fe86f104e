package structure

import (
	"pare/graph"
	"pare/graph/op"
	"pare/prune"
)

// Cost is what a network takes: multiply-accumulates for one sample, and
// parameters.
type Cost struct{ MACs, Params int64 }

// CostOf counts a network whose shapes are inferred, for one sample (symbolic
// sizes count as 1).
func CostOf(g *graph.Graph) Cost { return newMeter(g).cost(nil) }

// meter counts costs of cuts that are only considered, on a copy of the graph
// whose shapes it changes. A cut changes only the nodes that read or make what is
// cut, so that many small cuts cost no more than a large one.
type meter struct {
	m     map[*graph.Value]*graph.Value
	macs  map[*graph.Node]int64
	nodes map[*graph.Value][]*graph.Node // of the copy, by a value of the graph that they read or make
	whole Cost
}

func newMeter(g *graph.Graph) *meter {
	c, m := op.OneSample(g)
	t := &meter{m: m, macs: map[*graph.Node]int64{}, nodes: map[*graph.Value][]*graph.Node{}}
	for i, n := range c.Nodes {
		macs, ok := op.MACs(n)
		if !ok {
			continue
		}
		t.macs[n] = macs
		t.whole.MACs += macs
		old := g.Nodes[i]
		for _, vs := range [][]*graph.Value{old.Inputs, old.Outputs, old.Captures()} {
			for _, v := range vs {
				t.nodes[v] = append(t.nodes[v], n)
			}
		}
	}
	for _, v := range g.Consts() {
		t.whole.Params += t.params(v)
	}
	return t
}

// params is the number of entries of an initialiser that count, as the copy has it.
func (m *meter) params(v *graph.Value) int64 { return Params(v, m.m[v]) }

// Params is the number of entries of an initialiser that a Cost counts, by the shape of w,
// a copy of it.
func Params(v, w *graph.Value) int64 {
	if !v.IsConst() || !v.DType.IsFloat() || v.Role == graph.Stat || v.Role == graph.Frozen {
		return 0
	}
	return int64(w.Shape.Size(0, len(w.Shape)).Mul)
}

func (m *meter) cost(gone map[Axis]*prune.Mask) Cost {
	c := m.whole
	values := map[*graph.Value]bool{}
	for a := range gone {
		if !values[a.Value] {
			values[a.Value] = true
			c.Params -= m.params(a.Value)
		}
	}
	for a, k := range gone {
		m.m[a.Value].Shape[a.Dim] = graph.N(k.Count())
	}
	nodes := map[*graph.Node]bool{}
	for v := range values {
		c.Params += m.params(v)
		for _, n := range m.nodes[v] {
			if !nodes[n] {
				nodes[n] = true
				macs, _ := op.MACs(n)
				c.MACs += macs - m.macs[n]
			}
		}
	}
	for a := range gone {
		m.m[a.Value].Shape[a.Dim] = a.Value.Shape[a.Dim]
	}
	return c
}
