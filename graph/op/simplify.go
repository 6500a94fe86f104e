package op

import (
	"slices"

	"pare/graph"
	"pare/tensor"
)

// Simplify cleans a graph as exporters write it, and reports how many nodes
// disappeared. Constant nodes become initialisers, roles are set (Classify),
// what does not depend on the inputs is folded, an If whose condition is
// constant becomes its branch, shape changes of a weight that
// only one node reads are applied to the weight, what changes a weight before its
// layer reads it is applied to it too, and nodes that do nothing are
// removed: Identity, Dropout of a network that is not being trained, Cast to
// the same type, Reshape, Transpose, Slice, Pad, Expand … whose result is
// their input. The outputs keep their names and values. What is written after it is
// not larger than it was: see graph.Value.Made, and weights stay quantised.
func Simplify(g *graph.Graph) (int, error) { return simplify(g, true) }

// SimplifyAll is Simplify for a graph that will not be written.
func SimplifyAll(g *graph.Graph) (int, error) { return simplify(g, false) }

func simplify(g *graph.Graph, keep bool) (int, error) {
	before := len(g.Nodes)
	if err := InferAll(g); err != nil {
		return 0, err
	}
	classify(g, inlineConstants(g))
	for {
		n := len(g.Nodes)
		if _, err := fold(g, keep); err != nil {
			return 0, err
		}
		changed := takeBranches(g)
		changed = foldWeights(g) || changed
		changed = foldReparametrised(g) || changed
		changed = fixShapes(g) || changed
		for _, n := range g.Nodes {
			if y := unchanged(g, n); y != nil && bypass(g, n.Out(0), y) {
				changed = true
				continue
			}
			changed = merge(g, n) || changed
		}
		g.Prune()
		if !changed && len(g.Nodes) == n {
			return before - n, InferAll(g)
		}
	}
}

// inlineConstants turns Constant nodes into initialisers and gives these.
func inlineConstants(g *graph.Graph) map[*graph.Value]bool {
	inline := map[*graph.Value]bool{}
	for _, n := range g.Nodes {
		o := n.Out(0)
		if !n.Is("Constant") || o == nil || g.IsOutput(o) {
			continue
		}
		t, err := evalNode(Lookup("", "Constant"), n, g.Version(""), nil)
		if err != nil {
			continue
		}
		c := constFor(g, o, t[0], graph.Auto)
		g.ReplaceUses(o, c)
		inline[c] = true
	}
	g.Prune()
	inlineWeights(g, inline)
	return inline
}

// inlineWeights makes initialisers of the Constant nodes of subgraphs that hold
// weights or biases. Two subgraphs may use the same name.
func inlineWeights(g *graph.Graph, inline map[*graph.Value]bool) {
	if !slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool { return len(n.Subgraphs()) > 0 }) {
		return
	}
	taken := map[string]bool{}
	for _, v := range g.Values() {
		taken[v.Name] = true
	}
	Each(g, func(n *graph.Node) {
		for _, s := range n.Subgraphs() {
			for _, m := range s.Nodes {
				o := m.Out(0)
				if !m.Is("Constant") || o == nil || s.IsOutput(o) {
					continue
				}
				t, err := evalNode(Lookup("", "Constant"), m, g.Version(""), nil)
				if err != nil || !t[0].DType.IsFloat() || t[0].Len() < 2 {
					continue
				}
				c := g.Const(o.Name, t[0], graph.Auto)
				if !taken[o.Name] {
					c.Name, o.Name = o.Name, c.Name
				}
				taken[c.Name] = true
				c.Doc = o.Doc
				s.ReplaceUses(o, c)
				inline[c] = true
			}
			s.Prune()
		}
	})
}

// foldWeights applies changes of shape and floating-point type to a weight
// that is read nowhere else; it keeps its name and its role.
func foldWeights(g *graph.Graph) bool {
	changed := false
	uses := g.Uses()
	for _, n := range g.Nodes {
		w, o := n.In(0), n.Out(0)
		if !n.Is("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast") || !w.IsConst() ||
			len(uses[w]) != 1 || g.IsOutput(w) || o == nil || g.IsOutput(o) || !o.DType.IsFloat() {
			continue
		}
		in := make([]*tensor.Tensor, len(n.Inputs))
		ok := true
		for i, v := range n.Inputs {
			if ok = ok && v.IsConst(); ok {
				in[i] = v.Const
			}
		}
		if !ok {
			continue
		}
		t, err := evalNode(Lookup("", n.Op), n, g.Version(""), in)
		if err != nil {
			continue
		}
		c := constFor(g, w, t[0], w.Role)
		g.ReplaceUses(o, c)
		uses[c] = uses[o]
		changed = true
	}
	return changed
}

// fixShapes replaces the shapes that Reshape and Expand compute while running
// by constants, where 0, -1 and 1 can stand for the sizes that are not known.
func fixShapes(g *graph.Graph) bool {
	changed := false
	for _, n := range g.Nodes {
		x, s, o := n.In(0), n.In(1), n.Out(0)
		if !n.Is("Reshape", "Expand") || s == nil || s.IsConst() || o == nil || o.Shape == nil || x == nil || x.Shape == nil {
			continue
		}
		dims, ok := constShape(n, x.Shape, o.Shape)
		if !ok {
			continue
		}
		t := tensor.New(tensor.Int64, len(dims))
		copy(tensor.Of[int64](t), dims)
		n.Inputs[1] = g.Const(s.Name+"/const", t, graph.Frozen)
		changed = true
	}
	return changed
}

// constShape writes the shape o of a Reshape or Expand of x with numbers only.
func constShape(n *graph.Node, x, o graph.Shape) ([]int64, bool) {
	dims := make([]int64, len(o))
	free := n.Is("Reshape") // to use -1 once
	for i, d := range o {
		j := i + len(x) - len(o) // the axis of x that Expand aligns with i
		switch {
		case d.Known():
			dims[i] = int64(d.Mul)
			if d.Mul < 1 {
				return nil, false
			}
		case n.Is("Reshape") && n.Int("allowzero", 0) == 0 && i < len(x) && x[i] == d:
			dims[i] = 0
		case n.Is("Expand") && j >= 0 && x[j] == d:
			dims[i] = 1
		case free:
			dims[i], free = -1, false
		default:
			return nil, false
		}
	}
	return dims, true
}

// bypass makes the readers of o read y instead. An output of the graph that
// is an input or an initialiser must stay the output of a node.
func bypass(g *graph.Graph, o, y *graph.Value) bool {
	if g.IsOutput(o) && (y.From == nil || g.IsOutput(y)) {
		return false
	}
	g.ReplaceUses(o, y)
	return true
}

// unchanged gives the value that output 0 of a node equals, or nil.
func unchanged(g *graph.Graph, n *graph.Node) *graph.Value {
	x, o := n.In(0), n.Out(0)
	if x == nil || o == nil || n.Domain != "" {
		return nil
	}
	equal := x.Shape != nil && x.Shape.Equal(o.Shape)
	switch n.Op {
	case "Identity":
		return x
	case "Dropout":
		if mask := n.Out(1); mask != nil && (g.IsOutput(mask) || len(g.Uses()[mask]) > 0) {
			return nil
		}
		if t := n.In(2); t == nil || t.IsConst() && t.DType == tensor.Bool && !tensor.Of[bool](t.Const)[0] {
			return x
		}
	case "Cast", "CastLike":
		if x.DType == o.DType && x.DType != tensor.Undefined {
			return x
		}
	case "Reshape", "Flatten", "Squeeze", "Unsqueeze":
		if root := reshaped(n); root.Shape != nil && root.Shape.Equal(o.Shape) {
			return root
		}
	case "Expand":
		if equal {
			return x
		}
	case "Transpose":
		if p := permOf(n); p != nil && identityPerm(p) {
			return x
		}
	case "Concat", "Sum", "Max", "Min", "Mean":
		if len(n.Inputs) == 1 {
			return x
		}
	case "Split":
		if len(n.Outputs) == 1 {
			return x
		}
	case "Slice":
		if equal && forward(n) {
			return x
		}
	case "Pad":
		if equal && noPads(n) {
			return x
		}
	case "Tile":
		if equal && n.In(1).IsConst() && allOf(n.In(1), 1) {
			return x
		}
	}
	return nil
}

// reshaped follows a chain of changes of shape to its start.
func reshaped(n *graph.Node) *graph.Value {
	v := n.In(0)
	for v.From.Is("Reshape", "Flatten", "Squeeze", "Unsqueeze") && v.From.In(0) != nil {
		v = v.From.In(0)
	}
	return v
}

func permOf(n *graph.Node) []int {
	if p := n.Ints("perm"); p != nil {
		return p
	}
	x := n.In(0)
	if x == nil || x.Shape == nil {
		return nil
	}
	p := make([]int, len(x.Shape))
	for i := range p {
		p[i] = len(p) - 1 - i
	}
	return p
}

func identityPerm(p []int) bool {
	for i, a := range p {
		if a != i {
			return false
		}
	}
	return true
}

// forward says whether a Slice takes no step but 1.
func forward(n *graph.Node) bool {
	steps := n.In(4)
	return steps == nil || steps.IsConst() && allOf(steps, 1)
}

func noPads(n *graph.Node) bool {
	if p := n.Ints("pads"); p != nil {
		for _, v := range p {
			if v != 0 {
				return false
			}
		}
		return true
	}
	return n.In(1).IsConst() && allOf(n.In(1), 0)
}

func allOf(v *graph.Value, want int64) bool {
	s, err := v.Const.Int64s()
	if err != nil {
		return false
	}
	for _, x := range s {
		if x != want {
			return false
		}
	}
	return true
}

// merge joins a Transpose with the Transpose that it reads, and lets a
// Reshape read what the Reshape before it read.
func merge(g *graph.Graph, n *graph.Node) bool {
	x := n.In(0)
	if x == nil || x.From == nil || x.From.In(0) == nil {
		return false
	}
	switch {
	case n.Is("Transpose") && x.From.Is("Transpose"):
		outer, inner := permOf(n), permOf(x.From)
		if len(outer) != len(inner) || outer == nil {
			return false
		}
		p := make([]int, len(outer))
		for i, a := range outer {
			p[i] = inner[a]
		}
		n.Set("perm", p)
		n.Inputs[0] = x.From.In(0)
		return true
	case n.Is("Reshape") && x.From.Is("Reshape", "Flatten", "Squeeze", "Unsqueeze"):
		s := n.In(1)
		if !s.IsConst() {
			return false
		}
		dims, err := s.Const.Int64s()
		if err != nil {
			return false
		}
		for _, d := range dims {
			if d == 0 { // copies a size of the tensor between
				return false
			}
		}
		n.Inputs[0] = x.From.In(0)
		return true
	}
	return false
}
