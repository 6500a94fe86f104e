package language

import (
	"pare/graph"
	"pare/tensor"
)

// norms lists the normalisations that read a value, and who else does. why is what stands in
// the way of understanding one.
func (f *finder) norms(v *graph.Value) (ns []*streamNorm, rest []graph.Use, why string) {
	taken := map[*graph.Node]bool{}
	for _, u := range f.uses[v] {
		n := u.Node
		switch {
		case taken[n]:
		case n.Is("LayerNormalization", "RMSNormalization") && u.Index == 0:
			x, no := f.fused(n)
			if no != "" {
				return nil, nil, no
			}
			ns = append(ns, x)
		default:
			if x, nodes := f.spelled(v, n); x != nil {
				ns = append(ns, x)
				for _, m := range nodes {
					taken[m] = true
				}
			}
		}
	}
	for _, u := range f.uses[v] {
		if !taken[u.Node] && !(u.Node.Is("LayerNormalization", "RMSNormalization") && u.Index == 0) {
			rest = append(rest, u)
		}
	}
	return ns, rest, ""
}

// fused reads a normalisation that is one node.
func (f *finder) fused(n *graph.Node) (*streamNorm, string) {
	x := n.In(0)
	rank, d := len(x.Shape), x.Shape[len(x.Shape)-1].Mul
	if a := n.Int("axis", -1); a != -1 && a != rank-1 {
		return nil, n.Op + " " + n.Name + " is over more than one axis"
	}
	s := &streamNorm{out: n.Out(0), eps: float64(n.Float("epsilon", 1e-5)), mean: n.Is("LayerNormalization")}
	for i, to := range []*[]float32{&s.scale, &s.shift} {
		c := n.In(1 + i)
		if c == nil {
			continue
		}
		if *to = perChannel(c, d); *to == nil {
			return nil, n.Op + " " + n.Name + " is not scaled by constants"
		}
	}
	for i := 1; i < len(n.Outputs); i++ {
		if o := n.Out(i); o != nil && (len(f.uses[o]) > 0 || f.g.IsOutput(o)) {
			return nil, n.Op + " " + n.Name + " has outputs beside its first"
		}
	}
	return s, ""
}

// spelled reads a normalisation by the root mean square that is spelled out, from the node that
// squares v: x/sqrt(mean(x²)+ε), or times the reciprocal of it, times a scale. nodes are those
// of it that read v. nil: the node begins none.
func (f *finder) spelled(v *graph.Value, square *graph.Node) (*streamNorm, []*graph.Node) {
	two, isNumber := number(square.In(1))
	if !(square.Is("Mul") && square.In(0) == v && square.In(1) == v) && !(square.Is("Pow") && square.In(0) == v && isNumber && two == 2) {
		return nil, nil
	}
	mean := f.only(square.Out(0))
	if !mean.Is("ReduceMean") || !overLast(v, mean.Out(0)) {
		return nil, nil
	}
	plus := f.only(mean.Out(0))
	if !plus.Is("Add") {
		return nil, nil
	}
	eps, ok := number(plus.In(0))
	if !ok {
		eps, ok = number(plus.In(1))
	}
	root := f.only(plus.Out(0))
	if !ok || !root.Is("Sqrt") {
		return nil, nil
	}
	by := f.only(root.Out(0))
	if by == nil {
		return nil, nil
	}
	if one, is := number(by.In(0)); by.Is("Reciprocal") || by.Is("Div") && is && one == 1 {
		if by = f.only(by.Out(0)); !by.Is("Mul") || by.In(0) != v && by.In(1) != v {
			return nil, nil
		}
	} else if !by.Is("Div") || by.In(0) != v || by.In(1) != root.Out(0) {
		return nil, nil
	}
	s := &streamNorm{out: by.Out(0), eps: eps}
	if n := f.only(s.out); n.Is("Mul") {
		for i := range 2 {
			if c := perChannel(n.In(i), v.Shape[len(v.Shape)-1].Mul); c != nil && n.In(1-i) == s.out {
				s.scale, s.out = c, n.Out(0)
				break
			}
		}
	}
	return s, []*graph.Node{square, by}
}

// only is the one node that reads a value; nil: there is none, or several.
func (f *finder) only(v *graph.Value) *graph.Node {
	if us := f.uses[v]; len(us) == 1 && !f.g.IsOutput(v) {
		return us[0].Node
	}
	return nil
}

// overLast says whether a value has the shape of v with a last axis of 1.
func overLast(v, mean *graph.Value) bool {
	n := len(v.Shape)
	return len(mean.Shape) == n && mean.Shape[:n-1].Equal(v.Shape[:n-1]) && mean.Shape[n-1].Sym == "" && mean.Shape[n-1].Mul == 1
}

// perChannel are the numbers of a constant of one a channel, or of such a one plus a number, as
// Gemma's norms have it; nil: it is none.
func perChannel(v *graph.Value, d int) []float32 {
	if v == nil {
		return nil
	}
	if n := v.From; n.Is("Add") {
		for i := range 2 {
			if k, ok := number(n.In(i)); ok {
				if w := perChannel(n.In(1-i), d); w != nil {
					out := make([]float32, d)
					for c := range out {
						out[c] = w[c] + float32(k)
					}
					return out
				}
			}
		}
		return nil
	}
	if !v.IsConst() || v.DType != tensor.Float32 || v.Const.Len() != d || v.Const.Shape[len(v.Const.Shape)-1] != d {
		return nil
	}
	return v.Const.F32()
}
