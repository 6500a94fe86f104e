package structure

import (
	"slices"

	"pare/graph"
	"pare/tensor"
)

// Gate multiplies channels of a network, sample by sample, by the entries of a matrix
// [batch, gates+1] wherever trained weights read them; its last column is 1. first says of
// each group where its gates begin, one a channel; negative: it has none. The matrix becomes
// a parameter of the network, whose gradient is that of the gates. The network takes batches
// of that size from then on. It returns an error where no gated channel is read.
func Gate(g *graph.Graph, groups []*Group, first []int, gates *tensor.Tensor) (*graph.Value, error) {
	m := g.Const("gates", gates, graph.Param)
	return m, GateReads(g, groups, first, m)
}

// columns says of every position of the computed values which column of a matrix of gates,
// of that width, is its gate: the last one where it has none.
func columns(groups []*Group, first []int, width int) map[Axis][]int64 {
	column := map[Axis][]int64{}
	for i, grp := range groups {
		if first[i] < 0 {
			continue
		}
		for k, a := range grp.Axes {
			if a.Value.IsConst() || a.Dim == 0 {
				continue
			}
			at := column[a]
			if at == nil {
				at = slices.Repeat([]int64{int64(width - 1)}, a.Value.Shape[a.Dim].Mul)
				column[a] = at
			}
			for c, ch := range grp.Channels {
				for _, p := range ch.At[k] {
					at[p] = int64(first[i] + c)
				}
			}
		}
	}
	return column
}

// GateReads is Gate by a matrix that is there already; with one row all samples have the
// same gates, and the network takes batches of any size.
func GateReads(g *graph.Graph, groups []*Group, first []int, m *graph.Value) error {
	column := columns(groups, first, m.Const.Shape[1])
	reads := map[*graph.Value]bool{}
	for i, grp := range groups {
		if first[i] < 0 {
			continue
		}
		for _, k := range grp.Readers() {
			reads[grp.Axes[k].Value] = true
		}
	}
	gated := map[Axis]*graph.Value{}
	for _, n := range slices.Clone(g.Nodes) {
		if !slices.ContainsFunc(n.Inputs, func(v *graph.Value) bool { return reads[v] }) {
			continue
		}
		for i, x := range n.Inputs {
			if x == nil || x.IsConst() {
				continue
			}
			for d := 1; d < len(x.Shape); d++ {
				at := Axis{n.Inputs[i], d} // of what has other axes gated already
				if column[Axis{x, d}] == nil {
					continue
				}
				if gated[at] == nil {
					gated[at] = gate(g, m, at, column[Axis{x, d}])
				}
				n.Inputs[i] = gated[at]
			}
		}
	}
	return g.Sort()
}

// gate multiplies an axis of a value by columns of the matrix.
func gate(g *graph.Graph, m *graph.Value, a Axis, column []int64) *graph.Value {
	x := a.Value
	take := g.Add("Gather", "", []*graph.Value{m, g.Const(x.Name+"/gates", tensor.Vector(column...), graph.Frozen)}, []string{x.Name + "/gate"}, graph.MakeAttr("axis", 1))
	shape := make([]int64, len(x.Shape))
	for d := range shape {
		shape[d] = 1
	}
	shape[0], shape[a.Dim] = int64(m.Const.Shape[0]), int64(len(column))
	turn := g.Add("Reshape", "", []*graph.Value{take.Outputs[0], g.Const(x.Name+"/gates.shape", tensor.Vector(shape...), graph.Frozen)}, []string{x.Name + "/gate.shaped"})
	y := g.Add("Mul", "", []*graph.Value{x, turn.Outputs[0]}, []string{x.Name + "/gated"})
	for _, n := range []*graph.Node{take, turn, y} {
		n.Outputs[0].DType = x.DType
	}
	y.Outputs[0].Shape = slices.Clone(x.Shape)
	take.Outputs[0].Shape = graph.Dims(m.Const.Shape[0], len(column))
	turn.Outputs[0].Shape = graph.Dims(ints64(shape)...)
	return y.Outputs[0]
}

func ints64(s []int64) []int {
	out := make([]int, len(s))
	for i, x := range s {
		out[i] = int(x)
	}
	return out
}
