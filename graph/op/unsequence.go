package op

import (
	"pare/graph"
	"pare/tensor"
)

// Unsequence writes a SplitToSequence of which SequenceAt takes the parts by
// constant numbers as a Split, as PyTorch's exporter means it. What it cannot
// write so is left as it is. The graph's nodes must be sorted.
func Unsequence(g *graph.Graph) {
	found := false
	for _, n := range g.Nodes {
		found = found || n.Is("SplitToSequence")
	}
	if !found {
		return
	}
	uses := g.Uses()
	dims := map[*graph.Value][]graph.Dim{}
	nodes := g.Nodes
	g.Nodes = nil
	for _, n := range nodes {
		switch {
		case n.Is("SplitToSequence"):
			if s := splitOf(g, n, uses[n.Out(0)]); s != nil {
				n = s
			}
		case n.Is("SequenceAt") && n.Out(0) != nil && n.Out(0).From != n:
			continue // its output is a part of the Split now
		}
		g.Nodes = append(g.Nodes, n)
		_ = inferNode(g, n, dims) // what cannot be inferred yet is reported later
	}
}

// splitOf makes the Split for a SplitToSequence whose parts are read by uses;
// nil where it is none.
func splitOf(g *graph.Graph, n *graph.Node, uses []graph.Use) *graph.Node {
	x := n.In(0)
	sizes, ok := constInts(g, n.In(1))
	if !ok || x == nil || x.Shape == nil || len(uses) == 0 || g.IsOutput(n.Out(0)) {
		return nil
	}
	a := n.Int("axis", 0)
	if a < 0 {
		a += len(x.Shape)
	}
	if a < 0 || a >= len(x.Shape) {
		return nil
	}
	if len(n.In(1).Shape) == 0 { // one number: equal parts, the last what is left
		d, each := x.Shape[a], sizes[0]
		if !d.Known() || each < 1 || int64(d.Mul)/each > maxContents {
			return nil
		}
		sizes = nil
		for left := int64(d.Mul); left > 0; left -= each {
			sizes = append(sizes, min(left, each))
		}
	}
	outs := make([]*graph.Value, len(sizes))
	for _, u := range uses {
		i, ok := constInts(g, u.Node.In(1))
		if !u.Node.Is("SequenceAt") || u.Index != 0 || !ok || len(i) != 1 {
			return nil
		}
		if i[0] < 0 {
			i[0] += int64(len(sizes))
		}
		if i[0] < 0 || i[0] >= int64(len(sizes)) || outs[i[0]] != nil || u.Node.Out(0) == nil {
			return nil
		}
		outs[i[0]] = u.Node.Out(0)
	}
	s := &graph.Node{Op: "Split", Name: n.Name, Inputs: []*graph.Value{x}, Doc: n.Doc, Unknown: n.Unknown}
	s.Set("axis", a)
	if g.Version("") < 13 {
		s.Set("split", sizes)
	} else {
		t := tensor.New(tensor.Int64, len(sizes))
		copy(tensor.Of[int64](t), sizes)
		s.Inputs = append(s.Inputs, g.Const(n.Name+"/split", t, graph.Frozen))
	}
	for i := range outs {
		if outs[i] == nil {
			outs[i] = &graph.Value{Name: g.Fresh(n.Name + "/part")}
		}
		outs[i].From = s
	}
	s.Outputs = outs
	return s
}

// constInts gives the numbers of an initialiser or of a Constant node.
func constInts(g *graph.Graph, v *graph.Value) ([]int64, bool) {
	if v == nil {
		return nil, false
	}
	t := v.Const
	if t == nil && v.From.Is("Constant") {
		out, err := evalNode(Lookup("", "Constant"), v.From, g.Version(""), nil)
		if err != nil {
			return nil, false
		}
		t = out[0]
	}
	if t == nil || t.Len() == 0 {
		return nil, false
	}
	s, err := t.Int64s()
	return append([]int64{}, s...), err == nil
}
