package train

import (
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/graph/op"
)

// batchSym stands for the batch while it is followed through a network.
const batchSym = "pare/batch"

// rebatch gives a network whose file fixes the batch another one, where every value
// keeps the samples apart: what depends on the input has the batch in its shape, and
// nothing runs along its axis.
func (v *View) rebatch(sizes map[string]int, fixed int) error {
	refuse := func(why string) error {
		return catalog.Errorf("the network's batch is fixed to %d, and cannot be %d: %s; give {Recipe.Batch} %d, or export it with a free batch", fixed, v.Batch, why, fixed)
	}
	g := v.Graph
	before, m := g.Clone(false)
	if err := op.Bind(before, sizes); err != nil {
		return err
	}
	var ins []*graph.Value
	for _, in := range g.Inputs {
		if len(in.Shape) > 0 && (in.Shape[0] == graph.N(fixed) || !in.Shape[0].Known()) {
			in.Shape[0] = graph.Sym(batchSym)
			ins = append(ins, in)
		}
	}
	for _, n := range g.Nodes {
		if n.Is("Reshape") && n.Int("allowzero", 0) == 0 {
			keepBatch(g, n, m[n.In(0)], fixed)
		}
	}
	if err := op.Bind(g, sizes); err != nil {
		return refuse(err.Error())
	}
	if why := apart(g, ins); why != "" {
		return refuse(why)
	}
	if err := op.Bind(g, map[string]int{batchSym: v.Batch}); err != nil {
		return refuse(err.Error())
	}
	v.note("the network's batch is fixed to %d: it is trained with %d samples at a time, and written with its own", fixed, v.Batch)
	return nil
}

// keepBatch lets a Reshape whose first size is that of the batch take whatever the
// batch is.
func keepBatch(g *graph.Graph, n *graph.Node, was *graph.Value, fixed int) {
	s := n.In(1)
	if was == nil || len(was.Shape) == 0 || was.Shape[0] != graph.N(fixed) || !s.IsConst() {
		return
	}
	to, err := s.Const.Int64s()
	if err != nil || len(to) == 0 || to[0] != int64(fixed) {
		return
	}
	ints := make([]int, len(to))
	for i, x := range to {
		ints[i] = int(x)
	}
	ints[0] = 0
	n.Inputs[1] = op.NewBuilder(g, s.Name).Ints(ints...)
}

// apart says why samples of a batch meet; "" where they do not.
func apart(g *graph.Graph, ins []*graph.Value) string {
	on := map[*graph.Value]bool{}
	for _, in := range ins {
		on[in] = true
	}
	has := func(v *graph.Value) bool {
		return slices.ContainsFunc(v.Shape, func(d graph.Dim) bool { return slices.Contains(d.Factors(), batchSym) })
	}
	for _, n := range g.Nodes {
		if !slices.ContainsFunc(append(n.Captures(), n.Inputs...), func(v *graph.Value) bool { return on[v] }) || n.Is("Shape", "Size") {
			continue
		}
		for _, o := range n.Outputs {
			if o == nil {
				continue
			}
			if on[o] = true; o.Shape == nil || !has(o) {
				return "after node " + n.Name + " (" + n.Op + ") samples are no longer apart"
			}
		}
		if x := n.In(0); n.Is("Softmax", "LogSoftmax", "CumSum", "LayerNormalization", "Hardmax") && x != nil && has(x) {
			if axis := n.Int("axis", -1); axis == 0 || axis == -len(x.Shape) || n.Is("CumSum") {
				return "node " + n.Name + " (" + n.Op + ") runs over the batch"
			}
		}
	}
	return ""
}
