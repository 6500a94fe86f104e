package op

import (
	"pare/graph"
	"pare/tensor"
)

// foldReparametrised makes one weight of what computes the weight of a layer from
// constants: a mask, a scaling, weight normalisation or standardisation, a sum
// with a product of small matrices. The result takes over name and role of the
// weight. What is read elsewhere too is left alone, and so is what a layer of its
// own computes.
func foldReparametrised(g *graph.Graph) bool {
	changed := false
	fixed, uses := map[*graph.Value]bool{}, map[*graph.Value][]graph.Use{}
	for _, n := range g.Nodes {
		for _, p := range Params(n) {
			v := n.In(p.In)
			if !p.Part.Prunable() && p.Part != Factor || p.Part == Table || v == nil || v.Const != nil || v.From == nil {
				continue
			}
			if len(fixed) == 0 {
				markConstants(g, fixed)
				uses = g.Uses()
			}
			if fixed[v] && v.DType.IsFloat() {
				changed = foldWeight(g, v, uses) || changed
			}
		}
	}
	return changed
}

// maxParts bounds the nodes that compute one weight.
const maxParts = 64

// reparametrises are operators of which a weight may come out changed.
func reparametrises(n *graph.Node) bool {
	return n.Is("Add", "Sub", "Mul", "Div", "Where", "Neg", "Identity", "Cast", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten",
		"Concat", "Clip", "LpNormalization", "BatchNormalization", "InstanceNormalization", "LayerNormalization")
}

func foldWeight(g *graph.Graph, v *graph.Value, uses map[*graph.Value][]graph.Use) bool {
	weight := v
	for weight.Const == nil {
		n := weight.From
		if n == nil || !reparametrises(n) || n.Out(0) != weight {
			return false
		}
		if weight = carried(n); weight == nil {
			return false
		}
	}
	if weight.Role != graph.Param {
		return false
	}
	parts, weights := partsOf(g, v, uses)
	size, ok := v.Shape.Ints()
	if parts == nil || !ok || prod(size) > weights {
		return false
	}
	made := map[*graph.Value]*tensor.Tensor{}
	for _, n := range parts {
		in := make([]*tensor.Tensor, len(n.Inputs))
		for i, x := range n.Inputs {
			switch {
			case x == nil:
			case x.Const != nil:
				in[i] = x.Const
			default:
				in[i] = made[x]
			}
		}
		d := Lookup(n.Domain, n.Op)
		if d == nil || d.Eval == nil {
			return false
		}
		out, err := evalNode(d, n, g.Version(n.Domain), in)
		if err != nil {
			return false
		}
		for i, o := range n.Outputs {
			if o != nil && i < len(out) {
				made[o] = out[i]
			}
		}
	}
	t := made[v]
	if t == nil {
		return false
	}
	c := constFor(g, weight, t, weight.Role)
	g.ReplaceUses(v, c)
	uses[c] = uses[v]
	return true
}

// partsOf lists the nodes from which a value is computed, in order, and how many
// numbers the weights among their constants have. Nil where something else reads
// one of them, or where a part must stay as it is.
func partsOf(g *graph.Graph, v *graph.Value, uses map[*graph.Value][]graph.Use) (parts []*graph.Node, weights int) {
	in := map[*graph.Node]bool{}
	seen := map[*graph.Value]bool{}
	var consts []*graph.Value
	good := true
	var walk func(v *graph.Value)
	walk = func(v *graph.Value) {
		if v == nil || seen[v] || !good {
			return
		}
		seen[v] = true
		n := v.From
		if v.Const != nil || n == nil {
			consts = append(consts, v)
			return
		}
		if in[n] {
			return
		}
		in[n] = true
		if good = len(in) <= maxParts && len(n.Subgraphs()) == 0 && !n.Is("QuantizeLinear", "DequantizeLinear"); !good {
			return
		}
		for _, x := range n.Inputs {
			walk(x)
		}
		parts = append(parts, n)
	}
	walk(v)
	inside := func(x *graph.Value) bool {
		for _, u := range uses[x] {
			if !in[u.Node] {
				return false
			}
		}
		return !g.IsOutput(x)
	}
	for _, n := range parts {
		for _, o := range n.Outputs {
			good = good && (o == nil || o == v && !g.IsOutput(v) || inside(o))
		}
	}
	for _, c := range consts {
		if c.Const == nil {
			return nil, 0
		}
		if c.Role == graph.Param || c.Role == graph.Stat {
			good = good && inside(c)
			weights += c.Const.Len()
		}
	}
	if !good {
		return nil, 0
	}
	return parts, weights
}
