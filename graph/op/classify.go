package op

import (
	"math"

	"pare/graph"
)

// Classify sets the role of every initialiser whose role is Auto:
//
//   - Stat: what Params says is a mean or a variance.
//   - Param: floating-point weights that training should move. These are the
//     other parameters that Params lists: weights and biases of layers, scales and
//     biases of normalisations, slopes, embeddings, stacks of matrices that are looked up,
//     and vectors or larger tensors
//     that are added to or multiplied with data (biases, layer scales).
//     A weight is also found behind nodes that compute only with constants,
//     such as a Transpose or a mask, and in the bodies of If, Loop and Scan.
//   - Packed: integers that a DequantizeLinear turns into the weights of a layer, or
//     bytes that a MatMulNBits or a GatherBlockQuantized unpacks.
//   - Frozen: everything else, such as scalars, integers, shapes and
//     attention masks (recognised by an infinity or a huge negative number).
func Classify(g *graph.Graph) { classify(g, nil) }

// classify is Classify where the values of inline came from Constant nodes:
// they are weights only where an operator takes weights.
func classify(g *graph.Graph, inline map[*graph.Value]bool) {
	fixed := map[*graph.Value]bool{}
	markConstants(g, fixed)
	m := marker{fixed: fixed, packed: map[*graph.Value]bool{}}
	slot := map[*graph.Value]bool{} // weights by position
	bias := map[*graph.Value]bool{} // weights by being added or multiplied
	stat := map[*graph.Value]bool{}
	uses := g.Uses()
	Each(g, func(n *graph.Node) {
		if v := n.In(0); n.Is("Gather", "GatherND") && v != nil && len(v.Shape) > 2 && looksUpMatrix(n, uses) {
			m.mark(slot, v)
		}
		for _, p := range Params(n) {
			v := n.In(p.In)
			switch {
			case p.Part == Quantised && n.Domain == ContribDomain:
				if v.IsConst() {
					m.packed[v] = true
				}
			case p.Part == Mean || p.Part == Variance:
				m.mark(stat, v)
			case p.Data:
				if !fixed[n.Out(0)] {
					m.mark(bias, v)
				}
			case p.Part == Table && v != nil && len(v.Shape) != 2: // not an embedding
			default:
				m.mark(slot, v)
			}
		}
	})
	for _, v := range g.Consts() {
		if v.Role != graph.Auto {
			continue
		}
		switch {
		case stat[v]:
			v.Role = graph.Stat
		case slot[v] && v.DType.IsFloat():
			v.Role = graph.Param
		case m.packed[v]:
			v.Role = graph.Packed
		case bias[v] && !inline[v] && v.DType.IsFloat() && v.Const.Len() > 1 && !isMask(v):
			v.Role = graph.Param
		default:
			v.Role = graph.Frozen
		}
	}
}

// looksUpMatrix says whether what a node looks up is multiplied as a matrix, as the weights
// of experts are that are looked up by the experts' numbers.
func looksUpMatrix(n *graph.Node, uses map[*graph.Value][]graph.Use) bool {
	v := n.Out(0)
	for range 8 {
		var next *graph.Node
		for _, u := range uses[v] {
			if u.Node.Is("MatMul", "Einsum") {
				return true
			}
			if u.Node.Is("Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze") && u.Index == 0 {
				next = u.Node
			}
		}
		if next == nil {
			break
		}
		v = next.Out(0)
	}
	return false
}

// marker marks initialisers by what they are to operators.
type marker struct {
	fixed, packed map[*graph.Value]bool
}

// mark marks the initialiser v, or those from which v is computed.
func (m *marker) mark(set map[*graph.Value]bool, v *graph.Value) {
	if v == nil || !m.fixed[v] || set[v] || !v.DType.IsFloat() && !v.From.Is("QuantizeLinear") {
		return
	}
	set[v] = true
	if v.From == nil {
		return
	}
	if x := v.From.In(0); v.From.Is("DequantizeLinear") && x.IsConst() && x.DType.IsInt() && len(x.Const.Shape) > 1 {
		m.packed[x] = true
		return
	}
	in := operands(v.From)
	for _, x := range in {
		if x != nil && (x.Const == nil || x.Const.Len() > 1 || v.From.Is("Concat") || len(in) == 1) {
			m.mark(set, x)
		}
	}
}

// isMask says whether a constant is added to hide things: it holds an
// infinity or a huge negative number.
func isMask(v *graph.Value) bool {
	f, err := floats(v.Const)
	if err != nil {
		return false
	}
	for _, x := range f {
		if math.IsInf(x, 0) || x <= -1e4 {
			return true
		}
	}
	return false
}
