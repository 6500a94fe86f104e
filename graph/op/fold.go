package op

import (
	"pare/graph"
	"pare/tensor"
)

// maxFolded bounds the elements of a constant that folding may create where
// its inputs were smaller.
const maxFolded = 1 << 22

// Fold evaluates what does not depend on the inputs: nodes over constants, and
// integer tensors whose contents shape inference finds. It reports how many
// nodes disappeared. Trained parameters (Role Param) and running statistics
// and weights that are stored as integers are never folded away. What is computed of constants that are not yet
// classified (Role Auto) is not classified either; the rest is Frozen.
func Fold(g *graph.Graph) (int, error) { return fold(g, false) }

// fold is Fold. With keep the graph is one that will be written: weights stay behind
// the nodes that quantise them.
func fold(g *graph.Graph, keep bool) (int, error) {
	before := len(g.Nodes)
	for {
		dims, err := inferAll(g)
		if err != nil {
			return 0, err
		}
		uses := g.Uses()
		changed := false
		for _, n := range g.Nodes {
			if !foldable(g, n, uses) || keep && n.Is("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear") {
				continue
			}
			for i, t := range foldNode(g, n, dims) {
				o := n.Out(i)
				if o == nil || t == nil || len(uses[o]) == 0 || g.IsOutput(o) {
					continue // an output must stay the output of a node
				}
				c := constFor(g, o, t, foldedRole(n))
				if keep {
					c.Made = madeBy(n, c)
				}
				g.ReplaceUses(o, c)
				changed = true
			}
		}
		removed := g.Prune()
		if !changed && removed == 0 {
			return before - len(g.Nodes), nil
		}
	}
}

// foldable says whether someone reads an output of n that is not an output of
// the graph.
func foldable(g *graph.Graph, n *graph.Node, uses map[*graph.Value][]graph.Use) bool {
	for _, o := range n.Outputs {
		if o != nil && len(uses[o]) > 0 && !g.IsOutput(o) {
			return true
		}
	}
	return false
}

// constFor makes an initialiser that takes over the name of o, whose producer
// is about to go.
func constFor(g *graph.Graph, o *graph.Value, t *tensor.Tensor, r graph.Role) *graph.Value {
	c := g.Const(o.Name, t, r)
	c.Name, o.Name = o.Name, c.Name
	c.Doc, c.Stored = o.Doc, o.Stored
	return c
}

func foldedRole(n *graph.Node) graph.Role {
	for _, v := range n.Inputs {
		if v.IsConst() && v.Role == graph.Auto {
			return graph.Auto
		}
	}
	return graph.Frozen
}

// foldNode gives the outputs of n as constants, nil where they are not.
func foldNode(g *graph.Graph, n *graph.Node, dims map[*graph.Value][]graph.Dim) []*tensor.Tensor {
	if random[n.Op] {
		return nil
	}
	known := make([]*tensor.Tensor, len(n.Outputs))
	for i, o := range n.Outputs {
		if o != nil {
			known[i] = contentsTensor(o, dims)
		}
	}
	in := make([]*tensor.Tensor, len(n.Inputs))
	elements := maxFolded
	for i, v := range n.Inputs {
		if v == nil {
			continue
		}
		if v.Const == nil || v.Role == graph.Param || v.Role == graph.Stat || v.Role == graph.Packed {
			return known
		}
		in[i] = v.Const
		elements = max(elements, v.Const.Len())
	}
	for _, o := range n.Outputs {
		if o == nil {
			continue
		}
		if size, ok := o.Shape.Ints(); ok {
			if c, ok := tensor.Size(size); !ok || c > elements {
				return known
			}
		} else if !n.Is("NonZero", "Compress", "Unique") { // these are bounded by their inputs
			return known
		}
	}
	d := Lookup(n.Domain, n.Op)
	if d == nil || d.Eval == nil {
		return known
	}
	out, err := evalNode(d, n, g.Version(n.Domain), in)
	if err != nil {
		return known // the same error appears, with its node, when the graph runs
	}
	return out
}

// contentsTensor is an integer tensor whose elements inference has found, or nil.
func contentsTensor(o *graph.Value, dims map[*graph.Value][]graph.Dim) *tensor.Tensor {
	d, ok := dims[o]
	if !ok || o.DType != tensor.Int64 && o.DType != tensor.Int32 && o.DType != tensor.Bool {
		return nil
	}
	size, sized := o.Shape.Ints()
	v, known := graph.Shape(d).Ints()
	if !known || !sized {
		return nil
	}
	if c, ok := tensor.Size(size); !ok || c != len(v) {
		return nil
	}
	t := tensor.New(o.DType, size...)
	for i, x := range v {
		switch s := t.Data.(type) {
		case []int64:
			s[i] = int64(x)
		case []int32:
			s[i] = int32(x)
		case []bool:
			s[i] = x != 0
		}
	}
	return t
}

// random names the operators whose result is not a function of their inputs.
var random = map[string]bool{
	"RandomNormal": true, "RandomUniform": true, "RandomNormalLike": true, "RandomUniformLike": true,
	"Bernoulli": true, "Multinomial": true, "Dropout": true, "If": true, "Loop": true, "Scan": true,
}
