package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// bodies are the plans of the subgraphs of a node. A subgraph all of whose inputs
// have sizes that are known is planned once, as a graph of its own; others are
// evaluated node by node.
type bodies struct {
	plans map[*graph.Graph]*body
	pool  *kernel.Pool // of the run that goes on
	whole bool         // none is evaluated node by node
}

// body is the plan of one subgraph.
type body struct {
	*Program
	g     *graph.Graph
	own   int            // inputs that are the subgraph's own
	outer []*graph.Value // that the others are
	fresh bool           // the others have been read in this run of the node
	again bool           // it may run again before its results are read
}

// bodiesOf plans the subgraphs of a node; nil where it has none. What they read of the
// graphs around them is read where it lies where near has it.
func (p *Program) bodiesOf(n *graph.Node, near map[*graph.Value]*tensor.Tensor) *bodies {
	if len(n.Subgraphs()) == 0 {
		return nil
	}
	b := &bodies{plans: map[*graph.Graph]*body{}, whole: true}
	for _, g := range n.Subgraphs() {
		q := p.body(g, near)
		if q == nil {
			b.whole = false
			continue
		}
		q.again = !n.Is("If")
		b.plans[g] = q
		for w, cs := range q.weights {
			p.weights[w] = append(p.weights[w], cs...)
		}
	}
	return b
}

// body plans a subgraph, or gives nil where it cannot be planned.
func (p *Program) body(g *graph.Graph, near map[*graph.Value]*tensor.Tensor) *body {
	c, outer := g.Lift()
	for _, v := range c.Inputs {
		if _, ok := v.Shape.Ints(); !ok || !v.DType.Valid() {
			return nil
		}
	}
	o := p.within()
	distinct(c)
	o.inputs = map[string]*tensor.Tensor{}
	for i, v := range outer {
		if t := near[v]; t != nil {
			o.inputs[c.Inputs[len(g.Inputs)+i].Name] = t
		}
	}
	q, err := Compile(c, nil, o)
	if err != nil || q.late != nil {
		return nil // a branch for other sizes than these, or one whose sizes depend on data
	}
	return &body{Program: q, g: c, own: len(g.Inputs), outer: outer}
}

// within are the options of plans within this one.
func (p *Program) within() Options {
	o := p.options
	o.Pool, o.Consume, o.Profile, o.Trace, o.forms, o.inputs = p.pool, false, false, nil, nil, nil
	return o
}

// way is how the subgraphs of a node are run in the run that begins; none of no bodies.
func (b *bodies) way(pool *kernel.Pool) op.Bodies {
	if b == nil {
		return nil
	}
	b.pool = pool
	for _, p := range b.plans {
		p.fresh = false
	}
	return b.run
}

// distinct gives the inputs of a graph names of their own.
func distinct(g *graph.Graph) {
	for i, v := range g.Inputs {
		v.Name = fmt.Sprintf("#%d", i)
	}
}

// run is how the node's subgraphs are run (op.Bodies).
func (b *bodies) run(ctx context.Context, g *graph.Graph, in []*tensor.Tensor, value func(v *graph.Value) *tensor.Tensor) ([]*tensor.Tensor, bool, error) {
	p := b.plans[g]
	if p == nil {
		return nil, false, nil
	}
	for i, v := range p.g.Inputs {
		if i >= p.own && p.fresh {
			break
		}
		if p.options.inputs[v.Name] != nil {
			continue
		}
		var x *tensor.Tensor
		if i < p.own {
			x = in[i]
		} else {
			x = value(p.outer[i-p.own])
		}
		to := p.inputs[v.Name]
		if x == nil || x.DType != to.DType || !slices.Equal(x.Shape, to.Shape) {
			return nil, false, nil
		}
		if err := to.Copy(x); err != nil {
			return nil, false, err
		}
	}
	p.fresh = true
	if err := p.Program.run(ctx, b.pool, ctx.Done()); err != nil {
		return nil, false, err
	}
	out := make([]*tensor.Tensor, p.nOut)
	for i := range out {
		if out[i] = p.result(i); p.again {
			out[i] = out[i].Clone()
		}
	}
	return out, true, nil
}

// stepsWithin are the steps of a node's subgraphs: those of their plans, or their nodes
// where there is none.
func stepsWithin(n *graph.Node, b *bodies) (out []StepInfo) {
	within := cmp.Or(n.Name, n.Op)
	add := func(is ...StepInfo) {
		for _, i := range is {
			i.Time = 0 // the time of a body that runs many times would not be a part of the node's
			if i.Within = within + "/" + i.Within; i.Within == within+"/" {
				i.Within = within
			}
			out = append(out, i)
		}
	}
	for _, g := range n.Subgraphs() {
		if b != nil && b.plans[g] != nil {
			add(b.plans[g].Plan()...)
			continue
		}
		for _, m := range g.Nodes {
			add(StepInfo{Node: m.Name, Op: m.Op, Kernel: "reference"})
			add(stepsWithin(m, nil)...)
		}
	}
	return out
}
