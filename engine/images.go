package engine

import (
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// asImages makes convolutions, poolings and normalisations over one axis into ones over
// images of one row, for which there are kernels. Sizes are known, and weights do not change.
func asImages(g *graph.Graph) error {
	b, changed := op.NewBuilder(g, "row"), false
	for _, n := range append([]*graph.Node{}, g.Nodes...) {
		if !oneAxis(n) {
			continue
		}
		k := &graph.Node{Op: n.Op, Name: n.Name, Inputs: append([]*graph.Value{b.Unsqueeze(n.In(0), 2)}, n.Inputs[1:]...), Outputs: []*graph.Value{{Name: g.Fresh(n.Out(0).Name)}}}
		k.Outputs[0].From = k
		if n.Is("Conv") {
			w := n.In(1)
			s := w.Const.Shape
			k.Inputs[1] = g.Const(w.Name, &tensor.Tensor{DType: w.DType, Shape: []int{s[0], s[1], 1, s[2]}, Data: w.Const.Data}, w.Role)
		}
		for _, a := range n.Attrs {
			switch v := n.Ints(a.Name); {
			case a.Name == "pads" && len(v) == 2:
				a = graph.MakeAttr(a.Name, []int{0, v[0], 0, v[1]})
			case len(v) == 1 && (a.Name == "kernel_shape" || a.Name == "strides" || a.Name == "dilations"):
				a = graph.MakeAttr(a.Name, []int{1, v[0]})
			}
			k.Attrs = append(k.Attrs, a)
		}
		b.Append(k)
		g.ReplaceUses(n.Out(0), b.Squeeze(k.Out(0), 2))
		changed = true
	}
	if !changed {
		return nil
	}
	if err := b.Err(); err != nil {
		return err
	}
	if err := g.Sort(); err != nil {
		return err
	}
	g.Prune()
	return nil
}

// oneAxis says whether a node slides over one axis of float32 numbers.
func oneAxis(n *graph.Node) bool {
	x := n.In(0)
	if !n.Is("Conv", "MaxPool", "AveragePool", "BatchNormalization") || n.Out(0) == nil || len(n.Outputs) > 1 || x.DType != tensor.Float32 || x.IsConst() {
		return false
	}
	for _, d := range x.Shape {
		if !d.Known() || d.Mul == 0 {
			return false
		}
	}
	w := n.In(1)
	return len(x.Shape) == 3 && (!n.Is("Conv") || w.IsConst() && w.Const.F32() != nil && len(w.Const.Shape) == 3)
}
