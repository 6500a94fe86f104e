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
//     biases of normalisations, slopes, embeddings, and vectors or larger tensors
//     that are added to or multiplied with data (biases, layer scales).
//     A weight is also found behind nodes that compute only with constants,
//     such as a Transpose or a mask.
//   - Frozen: everything else, such as scalars, integers, shapes and
//     attention masks (recognised by an infinity or a huge negative number).
func Classify(g *graph.Graph) { classify(g, nil) }

// classify is Classify where the values of inline came from Constant nodes:
// they are weights only where an operator takes weights.
func classify(g *graph.Graph, inline map[*graph.Value]bool) {
	fixed := constantValues(g)
	slot := map[*graph.Value]bool{} // weights by position
	bias := map[*graph.Value]bool{} // weights by being added or multiplied
	stat := map[*graph.Value]bool{}
	for _, n := range g.Nodes {
		for _, p := range Params(n) {
			v := n.In(p.In)
			switch {
			case p.Part == Mean || p.Part == Variance:
				mark(stat, v, fixed)
			case p.Data:
				if !fixed[n.Out(0)] {
					mark(bias, v, fixed)
				}
			case p.Part == Table && v != nil && len(v.Shape) != 2: // not an embedding
			default:
				mark(slot, v, fixed)
			}
		}
	}
	for _, v := range g.Consts() {
		if v.Role != graph.Auto {
			continue
		}
		switch {
		case stat[v]:
			v.Role = graph.Stat
		case slot[v] && v.DType.IsFloat():
			v.Role = graph.Param
		case bias[v] && !inline[v] && v.DType.IsFloat() && v.Const.Len() > 1 && !isMask(v):
			v.Role = graph.Param
		default:
			v.Role = graph.Frozen
		}
	}
}

// constantValues marks the initialisers and all that is computed from them alone.
func constantValues(g *graph.Graph) map[*graph.Value]bool {
	fixed := map[*graph.Value]bool{}
	for _, v := range g.Consts() {
		fixed[v] = true
	}
	for _, n := range g.Nodes {
		all := len(n.Inputs) > 0 && !random[n.Op]
		for _, v := range n.Inputs {
			all = all && (v == nil || fixed[v])
		}
		if all {
			for _, o := range n.Outputs {
				fixed[o] = true
			}
		}
	}
	delete(fixed, nil)
	return fixed
}

// mark marks the initialiser v, or those from which v is computed.
func mark(set map[*graph.Value]bool, v *graph.Value, fixed map[*graph.Value]bool) {
	if v == nil || !fixed[v] || set[v] || !v.DType.IsFloat() {
		return
	}
	set[v] = true
	if v.From == nil {
		return
	}
	in := v.From.Inputs
	if !v.From.Is("Add", "Sub", "Mul", "Div", "Concat", "Where") {
		in = in[:min(1, len(in))] // the others are shapes, axes, scales
	}
	for _, x := range in {
		if x != nil && (x.Const == nil || x.Const.Len() > 1 || v.From.Is("Concat") || len(in) == 1) {
			mark(set, x, fixed)
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
