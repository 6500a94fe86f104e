package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// late is the part of a graph behind values whose sizes depend on data. What has sizes
// that are known is planned as all graphs are. Then come the nodes that make values of
// sizes that are not, which are evaluated by their definition, and behind these a graph
// whose inputs have sizes that are known once they are there. It is planned for these,
// and again for others, where it has work that is worth it; else it is evaluated node by
// node.
type late struct {
	g     *graph.Graph   // its inputs are what the plan before it gives
	from  []*graph.Value // which of its values these are
	outs  []*graph.Value // results of the program that are outputs of g, in order
	ready []*graph.Node  // of g: the nodes that come first; all, where none behind them is work
	rest  *graph.Graph   // what is behind them; nil: nothing
	needs []*graph.Value // of g: the inputs of rest
	opt   Options

	bodies  []*bodies // of the nodes that come first
	profile bool
	spent   []time.Duration // by these nodes, where profiled
	runs    int

	plans []*lateRest // the one that has rested longest is first
}

// lateRest is the plan of the rest for given sizes.
type lateRest struct {
	sizes string
	*Program
}

// maxRests is how many plans of the rest are kept.
const maxRests = 8

// split takes the nodes of a graph that sizes which are not known stand in front of, or
// that make such, out of it. It gives nil where there are none.
func split(g *graph.Graph, outputs []*graph.Value) (l *late, kept []*graph.Value) {
	behind := map[*graph.Value]bool{}
	var nodes []*graph.Node
	keep := g.Nodes[:0:0]
	for _, n := range g.Nodes {
		is := false
		for _, v := range append(append([]*graph.Value{}, n.Inputs...), n.Captures()...) {
			is = is || behind[v]
		}
		for _, v := range n.Outputs {
			if v != nil {
				_, ok := v.Shape.Ints()
				is = is || !ok
			}
		}
		if !is {
			keep = append(keep, n)
			continue
		}
		nodes = append(nodes, n)
		for _, v := range n.Outputs {
			behind[v] = v != nil
		}
	}
	if nodes == nil {
		return nil, outputs
	}
	l = &late{}
	part := &graph.Graph{Name: g.Name, Opset: g.Opset, Nodes: nodes}
	seen := map[*graph.Value]bool{}
	for _, v := range outputs {
		switch {
		case seen[v]:
		case behind[v]:
			part.Outputs = append(part.Outputs, v)
		default:
			kept = append(kept, v)
		}
		seen[v] = true
	}
	l.outs = part.Outputs
	l.g, l.from = part.Lift()
	distinct(l.g)
	for _, v := range l.from {
		if !seen[v] {
			kept = append(kept, v)
		}
	}
	g.Nodes, g.Outputs = keep, kept
	l.divide()
	return l, kept
}

// divide finds the nodes that need nothing but the inputs, and lifts the rest.
func (l *late) divide() {
	made := map[*graph.Value]bool{}
	for _, n := range l.g.Nodes {
		for _, v := range n.Outputs {
			made[v] = v != nil
		}
	}
	rest := &graph.Graph{Name: l.g.Name, Opset: l.g.Opset}
	for _, n := range l.g.Nodes {
		waits := false
		for _, v := range append(append([]*graph.Value{}, n.Inputs...), n.Captures()...) {
			waits = waits || made[v]
		}
		if waits {
			rest.Nodes = append(rest.Nodes, n)
		} else {
			l.ready = append(l.ready, n)
		}
	}
	if !heavy(rest) {
		l.ready = l.g.Nodes
		return
	}
	first := map[*graph.Value]bool{}
	for _, n := range l.ready {
		for _, v := range n.Outputs {
			first[v] = true
		}
	}
	for _, v := range l.g.Outputs {
		if !first[v] {
			rest.Outputs = append(rest.Outputs, v)
		}
	}
	l.rest, l.needs = rest.Lift()
	distinct(l.rest)
}

// worthwhile are operators that are so much work that they are worth a plan.
var worthwhile = map[string]bool{"Conv": true, "ConvTranspose": true, "MatMul": true, "Gemm": true, "Einsum": true, "Attention": true, "LSTM": true, "GRU": true, "RNN": true,
	"If": true, "Loop": true, "Scan": true, "Resize": true, "DeformConv": true, "GridSample": true, "ConvGradInput": true, "ConvGradWeight": true}

// heavy says whether a graph has such work.
func heavy(g *graph.Graph) bool {
	for _, n := range g.Nodes {
		if worthwhile[n.Op] {
			return true
		}
	}
	return false
}

// run computes the results that depend on sizes of data; value gives what the plan before
// it has computed.
func (l *late) run(ctx context.Context, pool *kernel.Pool, most int, value func(v *graph.Value) *tensor.Tensor) (map[*graph.Value]*tensor.Tensor, error) {
	env := map[*graph.Value]*tensor.Tensor{}
	for i, v := range l.g.Inputs {
		env[v] = value(l.from[i])
	}
	if err := l.first(ctx, pool, most, env); err != nil {
		return nil, err
	}
	if l.rest != nil {
		if err := l.behind(ctx, pool, env); err != nil {
			return nil, err
		}
	}
	out := map[*graph.Value]*tensor.Tensor{}
	for i, v := range l.g.Outputs {
		if out[l.outs[i]] = env[v]; v.Const != nil {
			out[l.outs[i]] = v.Const
		}
	}
	return out, nil
}

// first evaluates the nodes that come first.
func (l *late) first(ctx context.Context, pool *kernel.Pool, most int, env map[*graph.Value]*tensor.Tensor) error {
	for k, n := range l.ready {
		if err := ctx.Err(); err != nil {
			return err
		}
		in := make([]*tensor.Tensor, len(n.Inputs))
		for i, v := range n.Inputs {
			if v != nil {
				if in[i] = env[v]; v.Const != nil {
					in[i] = v.Const
				}
			}
		}
		outer := map[*graph.Value]*tensor.Tensor{}
		for _, v := range n.Captures() {
			if v.Const == nil {
				outer[v] = env[v]
			}
		}
		start := time.Now()
		out, err := op.EvalNode(ctx, most, n, l.g.Version(n.Domain), in, outer, l.bodies[k].way(pool))
		if err != nil {
			return fmt.Errorf("node %q (%s): %w", n.Name, n.Op, err)
		}
		l.spent[k] += time.Since(start)
		for i, v := range n.Outputs {
			if v != nil && i < len(out) {
				env[v] = out[i]
			}
		}
	}
	l.runs++
	return nil
}

// behind computes the rest by a plan.
func (l *late) behind(ctx context.Context, pool *kernel.Pool, env map[*graph.Value]*tensor.Tensor) error {
	in := map[string]*tensor.Tensor{}
	for i, v := range l.needs {
		in[l.rest.Inputs[i].Name] = env[v]
	}
	p, err := l.planFor(in)
	if err != nil {
		return err
	}
	for name, x := range in {
		if err := p.inputs[name].Copy(x); err != nil {
			return err
		}
	}
	if err := p.run(ctx, pool, ctx.Done()); err != nil {
		return err
	}
	k := 0
	for _, v := range l.g.Outputs {
		if env[v] == nil && v.Const == nil {
			env[v] = p.result(k)
			k++
		}
	}
	return nil
}

// planFor plans the rest for the sizes that its inputs have.
func (l *late) planFor(in map[string]*tensor.Tensor) (*Program, error) {
	var s strings.Builder
	for _, v := range l.rest.Inputs {
		fmt.Fprint(&s, in[v.Name].DType, in[v.Name].Shape)
	}
	for i, p := range l.plans {
		if p.sizes == s.String() {
			l.plans = append(append(l.plans[:i:i], l.plans[i+1:]...), p)
			return p.Program, nil
		}
	}
	g, _ := l.rest.Clone(false)
	for _, v := range g.Inputs {
		v.DType, v.Shape = in[v.Name].DType, graph.Dims(in[v.Name].Shape...)
	}
	o := l.opt
	o.Profile = l.profile
	p, err := Compile(g, nil, o)
	if err != nil {
		return nil, err
	}
	if l.plans = append(l.plans, &lateRest{s.String(), p}); len(l.plans) > maxRests {
		l.plans = l.plans[1:]
	}
	return p, nil
}

// steps are the nodes of a late part, with what makes them late. Those behind the ones
// that come first are listed as the last plan of them has them.
func (l *late) steps(why string) (out []StepInfo) {
	for i, n := range l.ready {
		s := StepInfo{Node: n.Name, Op: n.Op, Kernel: "reference", Why: why}
		if b := l.bodies[i]; b != nil && b.whole {
			s.Kernel = "planned bodies"
		}
		if l.profile {
			s.Time = l.spent[i] / time.Duration(max(1, l.runs))
		}
		out = append(append(out, s), stepsWithin(n, l.bodies[i])...)
	}
	switch k := len(l.plans); {
	case k > 0:
		out = append(out, l.plans[k-1].Plan()...)
	case l.rest != nil:
		for _, n := range l.rest.Nodes {
			out = append(out, StepInfo{Node: n.Name, Op: n.Op, Kernel: "planned once sizes are there", Why: why})
		}
	}
	return out
}
