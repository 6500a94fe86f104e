package structure

import (
	"pare/graph"
)

// adaptLayerNorm puts the zeros that were cut back behind what is left, for
// mean and variance, and takes them away again:
//
//	Slice(LayerNormalization(Pad(x), Pad(scale), Pad(bias)))
//
// A network that was cut so before gets wider pads instead of more nodes.
func adaptLayerNorm(c *graph.Graph, old, n *graph.Node, uses map[*graph.Value][]graph.Use, keep keeper) {
	x := old.In(0)
	last := len(x.Shape) - 1
	k := keep(x, last)
	if k == nil {
		return
	}
	gone, again := k.Len-k.Count(), cutBefore(old, uses)
	for i, v := range n.Inputs {
		switch {
		case v == nil:
		case again:
			pads, _ := ints(v.From.In(1))
			pads[len(pads)-1] += gone
			setInput(c, v.From, 1, pads)
		default:
			pads := make([]int, 2*len(v.Shape))
			pads[len(pads)-1] = gone
			n.Inputs[i] = c.Add("Pad", "", []*graph.Value{v, constInts(c, v.Name+"/zeros", pads)}, []string{v.Name + "/wide"}).Outputs[0]
			n.Inputs[i].DType = v.DType
		}
	}
	if again {
		return
	}
	at := func(what string, i int) *graph.Value { return constInts(c, n.Name+"/"+what, []int{i}) }
	adaptAfter(c, n, "Slice", []*graph.Value{nil, at("from", 0), at("to", k.Count()), at("axis", last)})
}

// cutBefore says whether a layer normalisation stands between pads of its own
// and a Slice that takes them away.
func cutBefore(n *graph.Node, uses map[*graph.Value][]graph.Use) bool {
	for _, v := range n.Inputs {
		if v == nil {
			continue
		}
		f := v.From
		if !f.Is("Pad") || len(f.Inputs) != 2 || len(uses[v]) != 1 {
			return false
		}
		pads, ok := ints(f.In(1))
		for i, p := range pads {
			ok = ok && (p == 0) == (i < len(pads)-1)
		}
		if !ok {
			return false
		}
	}
	u := uses[n.Out(0)]
	if len(u) != 1 || !u[0].Node.Is("Slice") {
		return false
	}
	from, ok := ints(u[0].Node.In(1))
	axes, known := ints(u[0].Node.In(3))
	last := len(n.In(0).Shape) - 1
	return ok && known && len(from) == 1 && from[0] == 0 && len(axes) == 1 && normal(axes[0], last+1) == last
}
