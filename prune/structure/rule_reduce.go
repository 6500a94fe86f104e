package structure

import (
	"pare/graph"
	"pare/tensor"
)

// Reductions. To some of them what is zero adds nothing, so that an axis that they
// reduce may be cut; a mean is told how many there were (adaptMean).
var (
	_ = register(Rule{Tie: tieReduce(false), Zeros: zeroAsFirst, Flow: FlowScales}, "ReduceMax")
	_ = register(Rule{Tie: tieReduce(false), Zeros: zeroAsFirst}, "ReduceMin")
	_ = register(Rule{Tie: tieReduce(false)}, "ReduceProd", "ReduceLogSum", "ReduceLogSumExp", "ArgMax", "ArgMin")
	_ = register(Rule{Tie: tieReduce(true), Zeros: zeroAsFirst, Flow: FlowScales}, "ReduceSum")
	_ = register(Rule{Tie: tieReduce(true), Zeros: zeroAsFirst}, "ReduceL1", "ReduceL2", "ReduceSumSquare")
	_ = register(Rule{Tie: tieMean, Adapt: adaptMean, Zeros: zeroAsFirst, Flow: FlowScales}, "ReduceMean")
)

func tieMean(r *Relation, n *graph.Node) { tieReduce(n.In(0).DType == tensor.Float32)(r, n) }

func tieReduce(additive bool) func(r *Relation, n *graph.Node) {
	return func(r *Relation, n *graph.Node) {
		x, y := n.In(0), n.Out(0)
		keep := n.Int("keepdims", 1) != 0
		axes, ok := reduced(n)
		if !ok {
			r.Opaque("reduces axes that are not constant")
			return
		}
		o := 0
		for d := range x.Shape {
			if axes[d] {
				if !additive || !r.Dead(x, d) {
					r.Keep(x, d, "reduces this axis, where a channel that is cut need not be zero")
				}
				if keep {
					o++
				}
				continue
			}
			r.Same(x, d, y, o)
			o++
		}
	}
}

// reduced lists the axes of a reduction; false where they are computed.
func reduced(n *graph.Node) (map[int]bool, bool) {
	rank := len(n.In(0).Shape)
	out := map[int]bool{}
	if n.Is("ArgMax", "ArgMin") {
		out[normal(n.Int("axis", 0), rank)] = true
		return out, true
	}
	axes := n.Ints("axes")
	if n.In(1) != nil {
		var ok bool
		if axes, ok = n.In(1).Ints(); !ok {
			return nil, false
		}
	}
	if len(axes) == 0 && n.Int("noop_with_empty_axes", 0) == 0 {
		for d := range rank {
			out[d] = true
		}
	}
	for _, a := range axes {
		out[normal(a, rank)] = true
	}
	return out, true
}

// adaptMean makes the mean over an axis that lost zeros a mean over all that
// there were: times kept/all.
func adaptMean(c *Cutting) error {
	x, y := c.Old.In(0), c.Old.Out(0)
	axes, _ := reduced(c.Old)
	f := 1.0
	for d := range x.Shape {
		if k := c.Kept(x, d); k != nil && axes[d] {
			f *= float64(k.Count()) / float64(k.Len)
		}
	}
	if f != 1 {
		c.After("Mul", []*graph.Value{c.Graph.Const(y.Name+"/share", tensor.Scalar(float32(f)), graph.Frozen)})
	}
	return nil
}
