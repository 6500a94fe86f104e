package block

import (
	"slices"

	"pare/graph"
)

// activations may stand behind a plain layer.
var activations = []string{"Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "Softplus", "Softsign", "Clip", "Gelu", "Mish", "PRelu", "Swish"}

// plain adds layers without a shortcut whose input and output have one shape, each with
// its bias, normalisation and activation. The first and the last layer of a network are
// none.
func (f *finder) plain(blocks []*Block) []*Block {
	taken := map[*graph.Node]bool{}
	for _, b := range blocks {
		for _, n := range b.Nodes {
			taken[n] = true
		}
	}
	out := slices.Clone(blocks)
	for _, n := range f.g.Nodes {
		if b := f.layer(n); b != nil && !slices.ContainsFunc(b.Nodes, func(m *graph.Node) bool { return taken[m] }) {
			out = append(out, b)
		}
	}
	slices.SortStableFunc(out, func(a, b *Block) int { return f.at[a.Nodes[0]] - f.at[b.Nodes[0]] })
	return out
}

// layer is the plain layer that a node begins; nil: none.
func (f *finder) layer(n *graph.Node) *Block {
	x := n.In(0)
	if !n.Is("Conv", "Gemm", "MatMul") || !multiplies(n) || x == nil || x.IsConst() || x.Shape == nil || source(x).From == nil {
		return nil
	}
	b := &Block{Kind: Plain, In: x, Nodes: []*graph.Node{n}}
	y := n.Out(0)
	next := func(ops ...string) {
		us := f.uses[y]
		if len(us) != 1 || us[0].Index < 0 || f.out[y] {
			return
		}
		m := us[0].Node
		if !m.Is(ops...) || len(m.Outputs) > 1 && m.Out(1) != nil {
			return
		}
		for i, v := range m.Inputs {
			if i != us[0].Index && v != nil && !v.IsConst() {
				return
			}
		}
		b.Nodes = append(b.Nodes, m)
		y = m.Out(0)
	}
	if n.Is("MatMul") {
		next("Add")
	}
	next("BatchNormalization", "LayerNormalization", "RMSNormalization", "InstanceNormalization", "GroupNormalization")
	next(activations...)
	b.Out = y
	if f.out[y] || !y.Shape.Equal(x.Shape) {
		return nil
	}
	b.parts = []part{{layer: n, out: y}}
	return b
}
