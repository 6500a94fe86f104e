package structure

import (
	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
	"pare/prune"
)

// Cost is what a network takes: multiply-accumulates for one sample, parameters, and,
// where a target asks for them, bytes of the ONNX file and the most bytes of activations
// that lie in memory at once (see op.Activations).
type Cost struct{ MACs, Params, Bytes, Activations int64 }

// CostOf counts the multiply-accumulates and parameters of a network whose shapes are
// inferred, for one sample (symbolic sizes count as 1).
func CostOf(g *graph.Graph) Cost { return newMeter(g).cost(nil) }

// costOf counts what the target asks for too.
func (t Target) costOf(g *graph.Graph) (Cost, error) {
	m := newMeter(g)
	err := m.also(g, t)
	return m.whole, err
}

// meter counts costs of cuts that are only considered, on a copy of the graph
// whose shapes it changes. A cut changes only the nodes that read or make what is
// cut, so that many small cuts cost no more than a large one.
type meter struct {
	m     map[*graph.Value]*graph.Value
	macs  map[*graph.Node]int64
	nodes map[*graph.Value][]*graph.Node // of the copy, by a value of the graph that they read or make
	copy  *graph.Graph
	live  *op.Lifetimes // of the copy; nil: nobody asks
	bytes bool          // those of the file are counted
	whole Cost

	integers map[*graph.Value]bool // weights that a DequantizeLinear reads
}

func newMeter(g *graph.Graph) *meter {
	c, m := op.OneSample(g)
	t := &meter{m: m, macs: map[*graph.Node]int64{}, nodes: map[*graph.Value][]*graph.Node{}, copy: c, integers: map[*graph.Value]bool{}}
	for _, n := range g.Nodes {
		if x := n.In(0); n.Is("DequantizeLinear") && x.IsConst() && x.Role == graph.Packed {
			t.integers[x] = true
		}
	}
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

// also counts what a target asks for beside multiply-accumulates and parameters.
func (m *meter) also(g *graph.Graph, t Target) (err error) {
	if t.Bytes > 0 {
		m.bytes = true
		if m.whole.Bytes, err = onnx.Size(g, onnx.Options{}); err != nil {
			return err
		}
	}
	if t.Activations > 0 {
		m.live = op.LifetimesOf(m.copy)
		m.whole.Activations = m.live.Peak()
	}
	return nil
}

// entries is the number of entries of a constant, as the copy has it.
func (m *meter) entries(v *graph.Value) int64 {
	w := m.m[v]
	return int64(w.Shape.Size(0, len(w.Shape)).Mul)
}

// params is the number of entries of an initialiser that count, as the copy has it.
func (m *meter) params(v *graph.Value) int64 {
	if m.integers[v] {
		return m.entries(v)
	}
	return Params(v, m.m[v])
}

// Params is the number of entries of an initialiser that a Cost counts, by the shape of w,
// a copy of it.
func Params(v, w *graph.Value) int64 {
	if !v.IsConst() || !v.DType.IsFloat() || v.Role == graph.Stat || v.Role == graph.Frozen {
		return 0
	}
	return int64(w.Shape.Size(0, len(w.Shape)).Mul)
}

// stored is what a constant takes in a file, as the copy has it, without what the file
// says of it.
func (m *meter) stored(v *graph.Value) int64 {
	if !m.bytes || !v.IsConst() {
		return 0
	}
	size := v.DType.Size()
	if v.Stored.Valid() {
		size = v.Stored.Size()
	}
	return m.entries(v) * int64(size)
}

func (m *meter) cost(gone map[Axis]*prune.Mask) Cost {
	c := m.whole
	values := map[*graph.Value]bool{}
	for a := range gone {
		if !values[a.Value] {
			values[a.Value] = true
			c.Params -= m.params(a.Value)
			c.Bytes -= m.stored(a.Value)
		}
	}
	for a, k := range gone {
		m.m[a.Value].Shape[a.Dim] = graph.N(k.Count())
	}
	nodes := map[*graph.Node]bool{}
	for v := range values {
		c.Params += m.params(v)
		c.Bytes += m.stored(v)
		for _, n := range m.nodes[v] {
			if !nodes[n] {
				nodes[n] = true
				macs, _ := op.MACs(n)
				c.MACs += macs - m.macs[n]
			}
		}
	}
	if m.live != nil {
		c.Activations = m.live.Peak()
	}
	for a := range gone {
		m.m[a.Value].Shape[a.Dim] = a.Value.Shape[a.Dim]
	}
	return c
}

// Counted is what a network takes of which a selection is left, without cutting it.
func Counted(g *graph.Graph, groups []*Group, s Selection) Cost {
	return newMeter(g).cost(s.removed(groups))
}
