package quantise

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/tensor"
)

// layers finds the weights that become integers, and says of the others why not. names are
// those of all.
func (p *Plan) layers(scope prune.Scope) (names []string, err error) {
	done := map[*graph.Value]string{} // why it is left; "": it is not
	for _, s := range op.Sites(p.Graph) {
		v := s.Value
		if !s.Part.Prunable() || len(v.Const.Shape) < 2 || v.Const.Len() == 0 || s.Data && v.Role == graph.Frozen {
			continue
		}
		why, seen := done[v]
		if !seen {
			names = append(names, v.Name)
			if i := v.Const.Finite(); i >= 0 {
				return nil, fmt.Errorf("weight %q has a NaN or infinity at entry %d: the network is broken", v.Name, i)
			}
		}
		l, not := p.layer(s, scope)
		switch {
		case seen && why != "":
			continue
		case not != "" || seen && l.Axis != p.Layer(v.Name).Axis:
			if not == "" {
				not = "is read along two axes, which would have other steps"
			}
			done[v] = not
			p.drop(v)
			p.Left = append(p.Left, prune.Skip{Name: v.Name, Len: v.Const.Len(), Why: not})
		default:
			done[v] = ""
			p.Layers = append(p.Layers, l)
		}
	}
	return names, nil
}

// drop takes the layers of a weight back.
func (p *Plan) drop(v *graph.Value) {
	kept := p.Layers[:0]
	for _, l := range p.Layers {
		if l.Weight != v {
			kept = append(kept, l)
		}
	}
	p.Layers = kept
}

// layer is a place of a weight as a layer of integers, or the reason why it is none.
func (p *Plan) layer(s op.Site, scope prune.Scope) (l *Layer, why string) {
	n, v := s.Node, s.Value
	l = &Layer{Node: n, Weight: v, Axis: s.Out, adds: n, groups: 1}
	switch {
	case !scope.Match(v.Name):
		return nil, "is left out by name"
	case v.DType != tensor.Float32:
		return nil, fmt.Sprintf("is %v, not float32", v.DType)
	case s.Body != nil:
		return nil, fmt.Sprintf("is read in a body of %s %q", s.Body.Op, s.Body.Name)
	case s.Behind != nil || n.In(s.In) != v:
		return nil, "is changed by nodes before its layer reads it"
	case p.Graph.IsOutput(v):
		return nil, "is an output of the network"
	case n.Is("Gather"):
		return p.table(l, scope)
	case !n.Is("Conv", "ConvTranspose", "Gemm", "MatMul"):
		return nil, fmt.Sprintf("is a weight of %s, which runtimes do not compute in integers", n.Op)
	case s.In != 1:
		return nil, fmt.Sprintf("is the left factor of %s, and integers stand on the right", n.Op)
	case n.Is("MatMul") && len(v.Const.Shape) != 2:
		return nil, "is a stack of matrices"
	case n.Is("Gemm") && (n.Int("transA", 0) != 0 || n.Float("alpha", 1) != 1 || n.Float("beta", 1) != 1):
		return nil, "is multiplied by a Gemm that turns or scales what it takes"
	}
	if n.Is("ConvTranspose") {
		l.groups = n.Int("group", 1)
	}
	return l, p.biased(l)
}

// table is a table of embeddings, each column of which has a step: rows are looked up as
// integers.
func (p *Plan) table(l *Layer, scope prune.Scope) (*Layer, string) {
	n, u := l.Node, p.uses[l.Weight]
	switch {
	case !scope.Embeddings:
		return nil, "is a table of embeddings"
	case len(u) > 1:
		return nil, "is a table that other nodes read too"
	case n.Int("axis", 0) != 0 || len(l.Weight.Const.Shape) != 2:
		return nil, "is a table whose rows are not looked up"
	}
	l.adds, l.Axis = nil, 1
	return l, ""
}

// biased finds the constant that a layer adds, and gives it one of zeros where it has none
// and could; the reason where what is added is not known by channel.
func (p *Plan) biased(l *Layer) string {
	n := l.Node
	if n.Is("MatMul") {
		l.adds = nil
		u := p.uses[n.Out(0)]
		if len(u) != 1 || !u[0].Node.Is("Add") || p.Graph.IsOutput(n.Out(0)) {
			return ""
		}
		if b := u[0].Node.In(1 - u[0].Index); b.IsConst() && b.DType == tensor.Float32 && len(p.uses[b]) == 1 && len(b.Const.Shape) == 1 && b.Const.Len() == l.outs() {
			l.bias, l.adds = b, u[0].Node
		}
		return ""
	}
	b := n.In(2)
	if b == nil {
		b = p.Graph.Const(l.Weight.Name+"/bias", tensor.New(tensor.Float32, l.outs()), graph.Param)
		for len(n.Inputs) < 3 {
			n.Inputs = append(n.Inputs, nil)
		}
		n.Inputs[2] = b
	}
	if !b.IsConst() || b.DType != tensor.Float32 || b.Const.Len() != l.outs() || len(b.Const.Shape) == 0 || b.Const.Shape[len(b.Const.Shape)-1] != l.outs() {
		return "has a bias that is not one constant for each channel"
	}
	if len(b.Const.Shape) > 1 || len(p.uses[b]) > 1 { // its own, as a vector
		b = p.Graph.Const(b.Name, b.Const.Clone().Reshape(l.outs()), b.Role)
		n.Inputs[2] = b
	}
	l.bias = b
	return ""
}

// outs is the number of channels that a layer makes.
func (l *Layer) outs() int { return l.Weight.Const.Shape[l.Axis] * l.groups }

// integral says whether the bias becomes integers with the layer: one that an Add behind it
// adds does not.
func (l *Layer) integral() bool { return l.bias != nil && l.adds == l.Node }
