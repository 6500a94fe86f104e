package allocate

import (
	"fmt"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/tensor"
)

// tail is a network in two parts: rest is what depends on some weights, head
// computes what rest takes from before it. Both share the network's weights.
type tail struct {
	head, rest *engine.Program
	inputs     []*tensor.Tensor
	from, to   []*tensor.Tensor // values that pass from head to rest
}

// tail plans the parts for weights that change. The output is the first, before
// softmax.
func (p *Probe) tail(ws ...*prune.Weight) (*tail, error) {
	g := p.Graph
	if len(g.Inputs) == 0 || len(g.Inputs[0].Shape) == 0 || len(g.Outputs) == 0 {
		return nil, fmt.Errorf("rate-distortion curves need a network with an input for the batch and an output; this has %d and %d", len(g.Inputs), len(g.Outputs))
	}
	sizes, fixed := g.Batch(p.Batch)
	if fixed != p.Batch {
		return nil, fmt.Errorf("the network's batch is fixed to %d, not %d", fixed, p.Batch)
	}
	c, m := g.Clone(false)
	on := map[*graph.Value]bool{}
	for _, w := range ws {
		v := w.Value
		if p.Of != nil {
			v = p.Of[v]
		}
		on[m[v]], m[v].Role = true, graph.Param // nothing that is made of it is kept
	}
	if err := op.Bind(c, sizes); err != nil {
		return nil, err
	}
	if _, err := op.Fold(c); err != nil {
		return nil, err
	}
	y := c.Outputs[0]
	for y.From.Is("Softmax", "LogSoftmax") {
		y = y.From.In(0)
	}
	c.Outputs = []*graph.Value{y}
	c.Prune()

	after, border := downstream(c, on)
	for _, v := range border {
		if _, ok := v.Shape.Ints(); !ok || v.DType != tensor.Float32 { // sizes depend on it: all is computed again
			after, border = c.Nodes, c.Inputs
			break
		}
	}
	r, m := c.Clone(false)
	r.Inputs, r.Nodes = nil, nil
	for _, v := range border {
		m[v].From = nil
		r.Inputs = append(r.Inputs, m[v])
	}
	for _, n := range after {
		r.Nodes = append(r.Nodes, m[first(n)].From)
	}
	c.Outputs = nil
	for _, v := range border {
		if v.From != nil {
			c.Outputs = append(c.Outputs, v)
		}
	}
	opt := p.Engine
	opt.Freeze = false
	t := &tail{}
	var err error
	if t.rest, err = engine.Compile(r, nil, opt); err != nil {
		return nil, err
	}
	if t.head, err = engine.Compile(c, nil, opt); err != nil {
		t.rest.Close()
		return nil, err
	}
	for _, in := range c.Inputs {
		t.inputs = append(t.inputs, t.head.Input(in.Name))
	}
	for _, v := range border {
		x := t.head.Input(v.Name)
		if v.From != nil {
			x = t.head.Output(v.Name)
		}
		t.from, t.to = append(t.from, x), append(t.to, t.rest.Input(v.Name))
	}
	return t, nil
}

// first is a node's first output.
func first(n *graph.Node) *graph.Value {
	for _, o := range n.Outputs {
		if o != nil {
			return o
		}
	}
	return nil
}

// downstream lists the nodes that depend on the values in on, and the computed
// values that they take from others.
func downstream(g *graph.Graph, on map[*graph.Value]bool) (nodes []*graph.Node, border []*graph.Value) {
	reads := func(n *graph.Node) []*graph.Value { return append(n.Captures(), n.Inputs...) }
	for _, n := range g.Nodes {
		for _, x := range reads(n) {
			if !on[x] || x == nil {
				continue
			}
			nodes = append(nodes, n)
			for _, o := range n.Outputs {
				on[o] = true
			}
			break
		}
	}
	seen := map[*graph.Value]bool{}
	for _, n := range nodes {
		for _, x := range reads(n) {
			if x != nil && !on[x] && !x.IsConst() && !seen[x] {
				seen[x] = true
				border = append(border, x)
			}
		}
	}
	return nodes, border
}

// feed computes what rest takes of the batch in input, and gives it.
func (t *tail) feed() error {
	if err := t.head.Run(); err != nil {
		return err
	}
	for i, v := range t.from {
		if x := v.F32(); x != nil {
			copy(t.to[i].F32(), x)
		} else {
			copy(tensor.Of[int64](t.to[i]), tensor.Of[int64](v))
		}
	}
	return nil
}

// run computes the outputs; they hold until the next run.
func (t *tail) run() ([]float32, error) {
	if err := t.rest.Run(); err != nil {
		return nil, err
	}
	return t.rest.Output(t.rest.OutputNames()[0]).F32(), nil
}

func (t *tail) close() {
	t.head.Close()
	t.rest.Close()
}
