package quantise

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// fakes is a network in float whose numbers are those that integers leave.
type fakes struct {
	*graph.Graph
	of   map[*graph.Value]*graph.Value // of the plan's network
	node map[*graph.Node]*graph.Node
	bias map[*Layer]*graph.Value
}

// Fake is the network as integers will leave it, in float: rounding and back stand at its
// tensors, and weights and biases are rounded. It gives bit by bit what the definitions of
// Network's operators give, but for the order of sums, and is faster to run.
func (p *Plan) Fake() (*graph.Graph, error) {
	f, err := p.fake()
	if err != nil {
		return nil, err
	}
	return f.Graph, nil
}

func (p *Plan) fake() (*fakes, error) {
	f := p.copied()
	for _, t := range p.Tensors {
		if t.Like != nil { // its numbers are such already
			continue
		}
		p.around(f.Graph, t, f.of, f.node, func(v *graph.Value) *graph.Value {
			step := f.Const(v.Name+"/step", tensor.Scalar(t.Scale.Step), graph.Frozen)
			return p.faked(f.Graph, v, step, p.Lo-t.Scale.Zero, p.Hi-t.Scale.Zero)
		})
	}
	for _, l := range p.Layers {
		n := f.node[l.Node]
		if l.In != nil && l.integral() {
			b := f.Const(l.bias.Name, l.biasRounded(), graph.Frozen)
			n.Inputs[2], f.bias[l] = b, b
		} else if l.bias != nil {
			b := f.Const(l.bias.Name, l.bias.Const.Clone(), graph.Frozen)
			f.node[l.adds].Inputs[biasAt(l)], f.bias[l] = b, b
		}
		n.Inputs[l.in()] = f.Const(l.Weight.Name, l.rounded(), graph.Frozen)
	}
	if err := f.Sort(); err != nil {
		return nil, err
	}
	return f, op.InferAll(f.Graph)
}

// copied is the plan's network, copied, and what has become of its values and nodes.
func (p *Plan) copied() *fakes {
	c, m := p.Graph.Clone(false)
	f := &fakes{Graph: c, of: m, node: map[*graph.Node]*graph.Node{}, bias: map[*Layer]*graph.Value{}}
	for i, n := range p.Graph.Nodes {
		f.node[n] = c.Nodes[i]
	}
	return f
}

// in is the input of the layer's node that holds the weight.
func (l *Layer) in() int {
	if l.Node.Is("Gather") {
		return 0
	}
	return 1
}

// biasAt is the input of the node that adds a layer's bias.
func biasAt(l *Layer) int {
	for i, v := range l.adds.Inputs {
		if v == l.bias {
			return i
		}
	}
	panic(fmt.Sprintf("quantise: %q is not added", l.bias.Name))
}

// faked adds a node that rounds to integers and back.
func (p *Plan) faked(g *graph.Graph, v, step *graph.Value, lo, hi int) *graph.Value {
	if g.Opset[graph.Pare] == 0 {
		g.Opset[graph.Pare] = 1
	}
	n := g.Add("FakeQuantize", graph.Pare, []*graph.Value{v, step}, []string{v.Name + "/rounded"},
		graph.MakeAttr("lo", float32(lo)), graph.MakeAttr("hi", float32(hi)))
	return n.Outputs[0]
}

// around puts what make makes of a tensor in its place, in a copy of the network: before
// those who compute in integers, or before all who read it and behind it as an output.
func (p *Plan) around(g *graph.Graph, t *Tensor, of map[*graph.Value]*graph.Value, node map[*graph.Node]*graph.Node, make func(v *graph.Value) *graph.Value) {
	v := of[t.Value]
	var readers []*graph.Node
	for _, n := range p.readers(t) {
		readers = append(readers, node[n])
	}
	y := make(v)
	for _, n := range readers {
		for i, x := range n.Inputs {
			if x == v {
				n.Inputs[i] = y
			}
		}
	}
	if t.all && g.IsOutput(v) {
		v.Name, y.Name = y.Name, v.Name
		for i, o := range g.Outputs {
			if o == v {
				g.Outputs[i] = y
			}
		}
	}
}

// readers are the nodes of the network that read a tensor back from integers.
func (p *Plan) readers(t *Tensor) (out []*graph.Node) {
	if !t.all {
		return t.reads
	}
	for _, u := range p.uses[t.Value] {
		if u.Index >= 0 {
			out = append(out, u.Node)
		}
	}
	return out
}
