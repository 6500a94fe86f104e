package op

import (
	"pare/graph"
	"pare/tensor"
)

// maxFolded bounds the elements of a constant that folding may create where
// its inputs were smaller.
const maxFolded = 1 << 24

// Fold evaluates what does not depend on the inputs: nodes over constants, and
// integer tensors whose contents shape inference can tell. It reports how many
// nodes disappeared. Trained parameters (Role Param) and running statistics
// are never folded away.
func Fold(g *graph.Graph) (int, error) {
	before := len(g.Nodes)
	for {
		dims, err := inferAll(g)
		if err != nil {
			return 0, err
		}
		changed := false
		for _, n := range g.Nodes {
			outs := foldNode(g, n, dims)
			for i, t := range outs {
				o := n.Out(i)
				if o == nil || t == nil {
					continue
				}
				c := g.Const(o.Name+"/folded", t, graph.Frozen)
				if g.IsOutput(o) {
					continue // an output must stay the output of a node
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

// foldNode gives the outputs of n as constants, nil where they are not.
func foldNode(g *graph.Graph, n *graph.Node, dims map[*graph.Value][]graph.Dim) []*tensor.Tensor {
	if o := n.Out(0); o != nil && len(n.Outputs) == 1 {
		if d, ok := dims[o]; ok && o.DType == tensor.Int64 {
			size, sized := o.Shape.Ints()
			v, known := graph.Shape(d).Ints()
			if known && sized {
				if c, _ := tensor.Size(size); c == len(v) {
					t := tensor.New(tensor.Int64, size...)
					for i, x := range v {
						tensor.Of[int64](t)[i] = int64(x)
					}
					return []*tensor.Tensor{t}
				}
			}
		}
	}
	if random[n.Op] {
		return nil
	}
	in := make([]*tensor.Tensor, len(n.Inputs))
	for i, v := range n.Inputs {
		if v == nil {
			continue
		}
		if v.Const == nil || v.Role == graph.Param || v.Role == graph.Stat {
			return nil
		}
		in[i] = v.Const
	}
	for _, o := range n.Outputs {
		if o == nil {
			continue
		}
		size, ok := o.Shape.Ints()
		if !ok {
			return nil
		}
		if c, ok := tensor.Size(size); !ok || c > maxFolded {
			return nil
		}
	}
	d := Lookup(n.Domain, n.Op)
	if d == nil || d.Eval == nil {
		return nil
	}
	out, err := d.Eval(n, g.Version(n.Domain), in)
	if err != nil {
		return nil // the same error appears, with its node, when the graph runs
	}
	return out
}

// random names the operators whose result is not a function of their inputs.
var random = map[string]bool{
	"RandomNormal": true, "RandomUniform": true, "RandomNormalLike": true, "RandomUniformLike": true,
	"Bernoulli": true, "Multinomial": true, "Dropout": true, "If": true, "Loop": true, "Scan": true,
}
