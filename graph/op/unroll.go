package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// maxRounds bounds the loops that are written out.
const maxRounds = 4096

// Inline adds the nodes of a subgraph; see graph.Graph.Inline.
func (b *Builder) Inline(body *graph.Graph, args []*graph.Value) []*graph.Value {
	if b.err != nil {
		out := make([]*graph.Value, len(body.Outputs))
		for i := range out {
			out[i] = &graph.Value{}
		}
		return out
	}
	first := len(b.G.Nodes)
	out := b.G.Inline(body, args)
	for _, n := range b.G.Nodes[first:] {
		if b.err == nil {
			b.err = inferNode(b.G, n, b.dims)
		}
	}
	return out
}

// gradIf is an If whose branches compute the gradients by what the branches of
// n capture; each computes its forward pass again.
func gradIf(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
	captured := n.Captures()
	var wrt []*graph.Value
	for _, v := range captured {
		if v.DType.IsFloat() && (v.Const == nil || v.Role != graph.Frozen) {
			wrt = append(wrt, v)
		}
	}
	out := make([]*graph.Value, 1+len(captured))
	if len(wrt) == 0 {
		return out, nil
	}
	var attrs []graph.Attr
	for _, name := range []string{"then_branch", "else_branch"} {
		branch, err := bodyOf(n, name)
		if err != nil {
			return nil, err
		}
		g, err := branchGrad(branch, dy, wrt)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		attrs = append(attrs, graph.MakeAttr(name, g))
	}
	d := b.Node("", "If", len(wrt), n.Inputs, attrs...).Outputs
	for i, v := range captured {
		if len(wrt) > 0 && v == wrt[0] {
			out[1+i], wrt, d = d[0], wrt[1:], d[1:]
		}
	}
	return out, nil
}

// branchGrad is a subgraph that gives the gradients of the sum of a branch's
// outputs, weighed by dy, by the values of wrt.
func branchGrad(branch *graph.Graph, dy, wrt []*graph.Value) (*graph.Graph, error) {
	g := graph.New(branch.Name+"'", branch.Version(""))
	for domain, v := range branch.Opset {
		g.Opset[domain] = v
	}
	ys := g.Inline(branch, nil)
	total := make([]*graph.Value, len(wrt))
	b := NewBuilder(g, "grad")
	for i, y := range ys {
		if dy[i] == nil {
			continue
		}
		grads, err := Gradient(g, y, dy[i], wrt)
		if err != nil {
			return nil, err
		}
		for k, d := range grads {
			switch {
			case total[k] == nil:
				total[k] = d
			case d != nil:
				total[k] = b.Op("Add", total[k], d)
			}
		}
	}
	for k, v := range wrt {
		if total[k] == nil {
			total[k] = b.Pare("ZerosLike", nil, v)
		} else {
			total[k] = b.Op("Identity", total[k]) // a gradient may be a value of the graph around
		}
	}
	g.Outputs = total
	return g, b.Err()
}

// unrollLoop writes a Loop out, where the number of its rounds is known.
func unrollLoop(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	body, carried, stacked, err := loopParts(n)
	if err != nil {
		return nil, err
	}
	for _, m := range b.G.Nodes { // what is known of the count
		if err := inferNode(b.G, m, b.dims); err != nil || m == n {
			break
		}
	}
	c := &Infer{Node: n, Opset: b.G.Version(""), dims: b.dims}
	rounds, _ := c.rounds(body)
	if rounds < 0 || rounds > maxRounds {
		return nil, fmt.Errorf("the number of rounds is not known, or more than %d", maxRounds)
	}
	if rounds == 0 && stacked > 0 {
		return nil, fmt.Errorf("there is no round to stack")
	}
	going := b.Const(tensor.Scalar(true))
	state, parts := append([]*graph.Value{}, n.Inputs[min(2, len(n.Inputs)):]...), make([][]*graph.Value, stacked)
	for i := range rounds {
		out := b.Inline(body, append([]*graph.Value{b.Const(tensor.Scalar(int64(i))), going}, state...))
		going, state = out[0], out[1:1+carried]
		for k, o := range out[1+carried:] {
			parts[k] = append(parts[k], o)
		}
	}
	for _, p := range parts {
		state = append(state, stacked0(b, p, 0))
	}
	return state, b.Err()
}

// stacked0 joins parts along a new axis.
func stacked0(b *Builder, parts []*graph.Value, a int) *graph.Value {
	wide := make([]*graph.Value, len(parts))
	for i, p := range parts {
		if p.Shape == nil && b.err == nil {
			b.err = fmt.Errorf("the rank of what is stacked is not known")
		}
		wide[i] = b.Unsqueeze(p, a)
	}
	return b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", a)}, wide...)
}

// unrollScan writes a Scan out, where the number of slices is known.
func unrollScan(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	s, err := scanOf(n, b.G.Version(""))
	if err != nil {
		return nil, err
	}
	if s.batched {
		return nil, fmt.Errorf("a Scan of opset 8 is not written out")
	}
	state, scanned := append([]*graph.Value{}, n.Inputs[:s.carried]...), n.Inputs[s.carried:]
	as, length := make([]int, s.ins), 0
	for i, x := range scanned {
		if as[i], err = axis(s.inAxes[i], len(x.Shape)); err != nil {
			return nil, err
		}
		d := x.Shape[as[i]]
		if length = d.Mul; !d.Known() || length < 1 || length > maxRounds {
			return nil, fmt.Errorf("%v slices of %q: a number from 1 to %d must be known", d, x.Name, maxRounds)
		}
	}
	parts := make([][]*graph.Value, s.outs)
	for t := range length {
		args := append([]*graph.Value{}, state...)
		for i, x := range scanned {
			k := t
			if s.inBack[i] {
				k = length - 1 - t
			}
			args = append(args, b.Attr("Gather", []graph.Attr{graph.MakeAttr("axis", as[i])}, x, b.Const(tensor.Scalar(int64(k)))))
		}
		out := b.Inline(s.body, args)
		state = out[:s.carried]
		for i, o := range out[s.carried:] {
			if s.outBack[i] {
				parts[i] = append([]*graph.Value{o}, parts[i]...)
			} else {
				parts[i] = append(parts[i], o)
			}
		}
	}
	for i, p := range parts {
		a, err := axis(s.outAxes[i], len(p[0].Shape)+1)
		if err != nil {
			return nil, err
		}
		state = append(state, stacked0(b, p, a))
	}
	return state, b.Err()
}
