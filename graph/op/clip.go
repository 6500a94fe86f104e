package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// Clip limits x to [min, max]: attributes before opset 11, inputs from then
// on. Where the bounds are constants the gradient is 0 at the bounds, as that of
// PyTorch's ReLU6 and Hardtanh; else it passes there, as that of torch.clamp.
var _ = register(Def{Name: "Clip", Infer: sameAs,
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		lo, hi := arg(in, 1), arg(in, 2)
		if a := n.Attr("min"); a != nil {
			lo = tensor.Scalar(float64(a.F))
		}
		if a := n.Attr("max"); a != nil {
			hi = tensor.Scalar(float64(a.F))
		}
		for _, t := range []*tensor.Tensor{lo, hi} {
			if t != nil && t.Len() != 1 {
				return nil, fmt.Errorf("a bound of Clip has %d elements, not one", t.Len())
			}
		}
		out := in[0]
		var err error
		if lo != nil {
			if out, err = boundBelow.eval(out, lo.Reshape()); err != nil {
				return nil, err
			}
		}
		if hi != nil {
			if out, err = boundAbove.eval(out, hi.Reshape()); err != nil {
				return nil, err
			}
		}
		return single(out, nil)
	},
	Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		x, d, zero := n.In(0), dy[0], b.Scalar(0, dy[0])
		lo, hi := clipBounds(b, n)
		if fixed(lo) && fixed(hi) {
			out := make([]*graph.Value, max(1, len(n.Inputs)))
			out[0] = b.Pare("ClipGrad", nil, d, n.Out(0), lo, hi)
			return out, nil
		}
		out := make([]*graph.Value, max(1, len(n.Inputs)))
		for i, bound := range []*graph.Value{lo, hi} {
			if bound == nil {
				continue
			}
			inside := b.Op([]string{"GreaterOrEqual", "LessOrEqual"}[i], x, bound)
			if v := n.In(i + 1); v != nil && (!v.IsConst() || v.Role == graph.Param) {
				out[i+1] = sumTo(b, b.Op("Where", inside, zero, d), v)
			}
			d = b.Op("Where", inside, d, zero)
		}
		out[0] = d
		return out, nil
	}})

// fixed says whether a bound is missing or a number that is not trained.
func fixed(v *graph.Value) bool {
	return v == nil || v.IsConst() && v.Role != graph.Param && v.Const.Len() == 1
}

var (
	boundBelow = binary{name: "Clip", mixed: true, float: math.Max, int: func(x, y int64) int64 { return max(x, y) },
		uint: func(x, y uint64) uint64 { return max(x, y) }}
	boundAbove = binary{name: "Clip", mixed: true, float: math.Min, int: func(x, y int64) int64 { return min(x, y) },
		uint: func(x, y uint64) uint64 { return min(x, y) }}
)

// clipBounds gives the bounds as values, nil where there is none.
func clipBounds(b *Builder, n *graph.Node) (lo, hi *graph.Value) {
	lo, hi = n.In(1), n.In(2)
	if a := n.Attr("min"); a != nil {
		lo = b.Scalar(float64(a.F), n.In(0))
	}
	if a := n.Attr("max"); a != nil {
		hi = b.Scalar(float64(a.F), n.In(0))
	}
	return lo, hi
}
