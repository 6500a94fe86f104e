package structure

import "pare/graph"

// Heads says whether the group's channels are heads of an attention: positions of an axis
// that the product of probabilities and values treats one by one, or heads of an Attention
// node. Where heads of queries share one of keys and values a channel is that with all of
// them.
func (g *Group) Heads() bool {
	for k, a := range g.Axes {
		n := a.Value.From
		switch {
		case n == nil:
		case n.Is("MatMul"):
			if a.Dim < len(a.Value.Shape)-2 && !n.In(0).IsConst() && !n.In(1).IsConst() && attends(n.In(0)) {
				return true
			}
		case n.Is("Attention") && n.Out(0) == a.Value:
			if len(a.Value.Shape) == 4 && a.Dim == 1 || len(a.Value.Shape) == 3 && a.Dim == 2 && len(g.Channels[0].At[k]) > 1 {
				return true
			}
		}
	}
	return false
}

// attends says whether a value holds the probabilities of a softmax.
func attends(v *graph.Value) bool {
	for range 6 {
		n := v.From
		if n == nil || n.Is("Softmax") {
			return n != nil
		}
		switch {
		case n.Is("Identity", "Dropout", "Cast", "Mul", "Reshape", "Expand", "Unsqueeze"):
			v = n.In(0)
		case n.Is("Where"): // in the place of what is not a number
			v = n.In(2)
		default:
			return false
		}
		if v == nil {
			return false
		}
	}
	return false
}
