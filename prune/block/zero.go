package block

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Zero gives a copy of the network in which the branches of some blocks are zero, for the
// last weights, scales, biases and shifts in them are: a branch that ends in batch
// normalisation would else still add a constant. It computes what Remove's copy does, but
// where normalisations go too (Block.Norm). It returns an error where a branch ends in
// something that is not zero for any weights, and for plain layers, which have no other
// way through.
func Zero(g *graph.Graph, blocks []*Block) (*graph.Graph, error) {
	c, m := g.Clone(true)
	for _, b := range blocks {
		for _, p := range b.parts {
			if p.branch == nil {
				return nil, fmt.Errorf("layer %s has no shortcut: without it nothing would come through", b.Name)
			}
			if err := silence(c, m[p.branch]); err != nil {
				return nil, fmt.Errorf("block %s: %w", b.Name, err)
			}
		}
	}
	return c, nil
}

// silence makes a value zero.
func silence(g *graph.Graph, v *graph.Value) error {
	n := v.From
	if n == nil {
		return fmt.Errorf("value %q has no weights behind it", v.Name)
	}
	done := false
	for _, p := range op.Params(n) {
		switch {
		case !n.In(p.In).IsConst() || p.Data:
		case p.Part == op.Kernel, p.Part == op.Depthwise, p.Part == op.Matrix, p.Part == op.Scale:
			done = true
			zero(g, n, p.In)
		case p.Part == op.Bias:
			zero(g, n, p.In)
		}
	}
	if done {
		return nil
	}
	switch {
	case n.Is("Add", "Sub", "Sum", "Concat", "Where"):
		for i, x := range n.Inputs {
			if x == nil || !x.DType.IsFloat() {
				continue
			}
			if x.IsConst() {
				zero(g, n, i)
			} else if err := silence(g, x); err != nil {
				return err
			}
		}
		return nil
	case n.Is("Mul"):
		for i, x := range n.Inputs {
			if x.IsConst() {
				zero(g, n, i)
				return nil
			}
		}
		return silence(g, n.In(0))
	case n.Is("Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Tanh", "Gelu", "Mish", "HardSwish", "Swish", "Identity", "Dropout", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze",
		"Cast", "Slice", "Div", "Neg", "AveragePool", "MaxPool", "GlobalAveragePool", "Resize", "Pad", "DepthToSpace", "SpaceToDepth", "Expand"):
		return silence(g, n.In(0))
	}
	return fmt.Errorf("it ends in %s %q, which zeros do not come through", n.Op, n.Name)
}

// zero gives a node zeros in the place of a constant, which others may read.
func zero(g *graph.Graph, n *graph.Node, i int) {
	t := n.In(i).Const
	n.Inputs[i] = g.Const(n.In(i).Name+"/zero", tensor.New(t.DType, t.Shape...), n.In(i).Role)
}
