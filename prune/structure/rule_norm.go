package structure

import "pare/graph"

// Normalisations by channel. With scale and bias zero the output is. For batch
// normalisation so it is where the input, the mean and the bias are.
var (
	_ = register(Rule{Tie: tieBatchNorm, Zeros: zeroAsParams, Factors: []int{1, 4}, Separate: true, Flow: FlowScales}, "BatchNormalization")
	_ = register(Rule{Tie: tieBatchNorm, Zeros: zeroAsParams}, "InstanceNormalization")
)

func tieBatchNorm(r *Relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	r.sameAxes(x, y)
	for _, p := range n.Inputs[1:] {
		r.Same(y, 1, p, 0)
	}
	for _, p := range n.Outputs[1:] {
		r.Same(y, 1, p, 0)
	}
	if n.Op == "InstanceNormalization" || n.Int("training_mode", 0) != 0 {
		r.KeepFrom(x, 2, "normalises over this axis")
	}
	if n.Int("training_mode", 0) != 0 { // statistics of the batch
		r.Keep(x, 0, "normalises over this axis")
	}
}

// Group normalisation: a group goes as a whole, or the others' mean and
// variance would move.
var _ = register(Rule{Tie: tieGroupNorm, Adapt: adaptGroupNorm, Zeros: zeroAsParams}, "GroupNormalization")

func tieGroupNorm(r *Relation, n *graph.Node) {
	x, scale, bias, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	g := n.Int("num_groups", 1)
	r.Same(x, 0, y, 0)
	r.Same(x, 1, y, 1)
	r.KeepFrom(x, 2, "normalises over this axis")
	c := r.Size(x, 1)
	if c == 0 || g < 1 || c%g != 0 {
		r.Opaque("normalises an axis of unknown size")
		return
	}
	for _, p := range []*graph.Value{scale, bias} {
		if p.Shape[0] == x.Shape[1] {
			r.Same(y, 1, p, 0)
		} else { // until opset 20: one for each group
			r.TiePairs(y, 1, p, 0, overlap(c, 1, c/g, c, g))
		}
	}
	for i := range c {
		r.Tie(y, 1, i, y, 1, i/(c/g)*(c/g), 1)
	}
}

func adaptGroupNorm(c *Cutting) error {
	if k := c.Kept(c.Old.In(0), 1); k != nil {
		c.New.Set("num_groups", c.Old.Int("num_groups", 1)*k.Count()/k.Len)
	}
	return nil
}

// A division by a norm.
var _ = register(Rule{Tie: tieLpNorm, Zeros: zeroAsFirst}, "LpNormalization")

func tieLpNorm(r *Relation, n *graph.Node) {
	x := n.In(0)
	r.sameAxes(x, n.Out(0))
	if a := normal(n.Int("axis", -1), len(x.Shape)); !r.Dead(x, a) {
		r.Keep(x, a, "takes the norm over this axis")
	}
}
