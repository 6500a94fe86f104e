package model

import (
	"pare/graph"
	"pare/prune"
	"pare/prune/structure"
	"pare/tensor"
	"pare/train"
)

// mostInner bounds the values inside a network that are matched with the teacher's.
const mostInner = 12

// inner lists values inside a network that was cut from a dense one which are matched
// with the dense one's: sums of branches, where there are any, else, where it is asked for,
// what stands behind activations; spread over the depth of the network. kept says which
// positions the cut has left.
//
// A sum carries what all later layers build on. Channels behind an activation are what a
// narrower network has to use otherwise than the dense one did: to hold them to it costs
// more than it teaches.
func inner(dense, cut *graph.Graph, kept structure.Kept, activations bool) []train.Inner {
	var sums, acts []train.Inner
	for _, n := range cut.Nodes {
		y := n.Out(0)
		if y == nil || y.DType != tensor.Float32 || len(y.Shape) < 3 || cut.IsOutput(y) || len(n.Inputs) == 0 {
			continue
		}
		in, ok := matches(dense.Value(y.Name), y, kept[y.Name])
		switch {
		case !ok:
		case n.Is("Add", "Sum") && !n.In(0).IsConst() && n.In(1) != nil && !n.In(1).IsConst():
			sums = append(sums, in)
		case n.Is("Relu", "LeakyRelu", "HardSwish", "Clip", "Gelu", "Elu", "PRelu", "Mish", "Sigmoid"):
			acts = append(acts, in)
		}
	}
	all := sums
	if len(all) < 2 {
		if all = nil; activations {
			all = acts
		}
	}
	if len(all) <= mostInner {
		return all
	}
	var out []train.Inner
	for i := range mostInner {
		out = append(out, all[(i+1)*len(all)/mostInner-1])
	}
	return out
}

// matches says whether a value has the positions of the dense network's that are kept,
// cut along one axis at most.
func matches(was, is *graph.Value, masks []*prune.Mask) (train.Inner, bool) {
	in := train.Inner{Name: is.Name}
	if was == nil || was.DType != tensor.Float32 || len(was.Shape) != len(is.Shape) {
		return in, false
	}
	for d := range is.Shape {
		if d < len(masks) && masks[d] != nil {
			m := masks[d]
			if in.Kept != nil || was.Shape[d] != graph.N(m.Len) || is.Shape[d] != graph.N(m.Count()) || d == 0 {
				return in, false
			}
			in.Axis = d
			for i := range m.Len {
				if m.Kept(i) {
					in.Kept = append(in.Kept, i)
				}
			}
			continue
		}
		if was.Shape[d] != is.Shape[d] {
			return in, false
		}
	}
	return in, true
}
