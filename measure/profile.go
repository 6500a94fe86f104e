package measure

import (
	"cmp"
	"context"
	"time"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Step is a step of a plan, or a node within the body of one that repeats or chooses:
// its time is part of that step's and not known by itself.
type Step struct {
	engine.StepInfo
	Within string `json:"within,omitempty"`
}

// Profile runs a network as often as `per` allows, at least three times, and
// gives the steps of its plan with their kernels and mean times, each followed by the
// nodes of its bodies. A network whose sizes depend on data has no plan: its steps
// are its nodes, evaluated by definition.
func Profile(ctx context.Context, g *graph.Graph, batch int, per time.Duration, opt engine.Options) ([]Step, error) {
	opt.Profile = true
	p, err := prepare(g, batch, opt)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	plan := p.Plan
	run := func() error { return p.RunContext(ctx) }
	if len(p.Plan()) == 0 && len(g.Nodes) > 0 {
		d := &byDefinition{g: g, in: map[string]*tensor.Tensor{}, spent: make([]time.Duration, len(g.Nodes))}
		for _, name := range p.InputNames() {
			d.in[name] = p.Input(name)
		}
		if why := p.Explain(); len(why) == 1 {
			d.why = why[0]
		}
		plan, run = d.plan, func() error { return d.run(ctx) }
	}
	for t, n := time.Now(), 0; n < 3 || time.Since(t) < per; n++ {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := run(); err != nil {
			return nil, err
		}
	}
	return withBodies(g, plan()), nil
}

// byDefinition times the nodes of a graph one by one.
type byDefinition struct {
	g     *graph.Graph
	in    map[string]*tensor.Tensor
	spent []time.Duration // by node, of all runs
	runs  int
	why   string
}

func (d *byDefinition) run(ctx context.Context) error {
	env := map[*graph.Value]*tensor.Tensor{}
	for _, v := range d.g.Inputs {
		env[v] = d.in[v.Name]
	}
	for i, n := range d.g.Nodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		in := make([]*tensor.Tensor, len(n.Inputs))
		for k, v := range n.Inputs {
			if v == nil {
				continue
			}
			if in[k] = v.Const; in[k] == nil {
				in[k] = env[v]
			}
		}
		start := time.Now()
		out, err := op.EvalNode(ctx, 0, n, d.g.Version(n.Domain), in, env, nil)
		if err != nil {
			return err
		}
		d.spent[i] += time.Since(start)
		for k, v := range n.Outputs {
			if v != nil && k < len(out) {
				env[v] = out[k]
			}
		}
	}
	d.runs++
	return nil
}

func (d *byDefinition) plan() []engine.StepInfo {
	var out []engine.StepInfo
	for i, n := range d.g.Nodes {
		out = append(out, engine.StepInfo{Node: n.Name, Op: n.Op, Kernel: "reference", Why: d.why, Time: d.spent[i] / time.Duration(max(1, d.runs))})
	}
	return out
}

// withBodies lists beneath each step the nodes of its node's bodies, and of theirs.
func withBodies(g *graph.Graph, plan []engine.StepInfo) []Step {
	type key struct{ name, op string }
	bodies := map[key]*graph.Node{}
	for _, n := range g.Nodes {
		if len(n.Subgraphs()) > 0 {
			bodies[key{n.Name, n.Op}] = n
		}
	}
	var out []Step
	var add func(n *graph.Node, within string)
	add = func(n *graph.Node, within string) {
		for _, s := range n.Subgraphs() {
			for _, m := range s.Nodes {
				out = append(out, Step{engine.StepInfo{Node: m.Name, Op: m.Op, Kernel: "reference"}, within})
				add(m, within+"/"+cmp.Or(m.Name, m.Op))
			}
		}
	}
	for _, s := range plan {
		out = append(out, Step{StepInfo: s})
		if n := bodies[key{s.Node, s.Op}]; n != nil {
			add(n, cmp.Or(s.Node, s.Op))
		}
	}
	return out
}
