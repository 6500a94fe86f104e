package structure

import (
	"math"

	"pare/graph"
	"pare/tensor"
)

// Layer normalisation takes mean and variance over the axes from `axis` on.
// Over the last axis alone, what is cut was zero and is put back as zeros for
// them alone (adaptLayerNorm); else it would move those of the others.
var _ = register(Rule{Tie: tieLayerNorm, Adapt: adaptLayerNorm, Zeros: zeroAsParams}, "LayerNormalization")

func tieLayerNorm(r *Relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	a := normal(n.Int("axis", -1), len(x.Shape))
	last := len(x.Shape) - 1
	padded := a == last && r.Dead(x, last) && x.DType == tensor.Float32 && len(n.Outputs) == 1 && r.Opset() >= 17
	for _, p := range n.Inputs[1:] {
		padded = padded && (p == nil || len(p.Shape) == 1 && r.Dead(p, 0))
	}
	const why = "takes mean and variance over this axis"
	for d := range x.Shape {
		if d < a || padded {
			r.Same(x, d, y, d)
		}
		if d < a {
			continue
		}
		for _, p := range n.Inputs[1:] {
			switch {
			case p == nil:
			case padded:
				r.Same(p, 0, y, d)
			default:
				r.Keep(p, d-len(x.Shape)+len(p.Shape), why)
			}
		}
		if !padded {
			r.Keep(x, d, why)
			r.Keep(y, d, why)
		}
	}
}

// adaptLayerNorm puts the zeros that were cut back behind what is left, for
// mean and variance, and takes them away again:
//
//	Slice(LayerNormalization(Pad(x), Pad(scale), Pad(bias)))
//
// A network that was cut so before gets wider pads instead of more nodes.
func adaptLayerNorm(c *Cutting) error {
	x := c.Old.In(0)
	last := len(x.Shape) - 1
	k := c.Kept(x, last)
	if k == nil {
		return nil
	}
	gone, again := k.Len-k.Count(), c.cutBefore()
	for i, v := range c.New.Inputs {
		switch {
		case v == nil:
		case again:
			pads, _ := v.From.In(1).Ints()
			pads[len(pads)-1] += gone
			c.setInput(v.From, 1, pads)
		default:
			pads := make([]int, 2*len(v.Shape))
			pads[len(pads)-1] = gone
			wide := c.Graph.Add("Pad", "", []*graph.Value{v, c.Ints(v.Name+"/zeros", pads)}, []string{v.Name + "/wide"}).Outputs[0]
			wide.DType = v.DType
			c.New.Inputs[i] = wide
		}
	}
	if again {
		return nil
	}
	at := func(what string, i int) *graph.Value { return c.Ints(c.New.Name+"/"+what, []int{i}) }
	c.After("Slice", []*graph.Value{at("from", 0), at("to", k.Count()), at("axis", last)})
	return nil
}

// cutBefore says whether the layer normalisation stands between pads of its own
// and a Slice that takes them away.
func (c *Cutting) cutBefore() bool {
	for _, v := range c.Old.Inputs {
		if v == nil {
			continue
		}
		f := v.From
		if !f.Is("Pad") || len(f.Inputs) != 2 || len(c.uses[v]) != 1 {
			return false
		}
		pads, ok := f.In(1).Ints()
		for i, p := range pads {
			ok = ok && (p == 0) == (i < len(pads)-1)
		}
		if !ok {
			return false
		}
	}
	u := c.uses[c.Old.Out(0)]
	if len(u) != 1 || !u[0].Node.Is("Slice") {
		return false
	}
	from, ok := u[0].Node.In(1).Ints()
	axes, known := u[0].Node.In(3).Ints()
	last := len(c.Old.In(0).Shape) - 1
	return ok && known && len(from) == 1 && from[0] == 0 && len(axes) == 1 && normal(axes[0], last+1) == last
}

// RMS normalisation takes only the mean of squares, to which what is zero adds
// nothing: scale and epsilon make up for the number (adaptRMSNorm).
var _ = register(Rule{Tie: tieRMSNorm, Adapt: adaptRMSNorm, Zeros: zeroAsFirst}, "RMSNormalization")

func tieRMSNorm(r *Relation, n *graph.Node) {
	x, w, y := n.In(0), n.In(1), n.Out(0)
	a := normal(n.Int("axis", -1), len(x.Shape))
	for d := range x.Shape {
		r.Same(x, d, y, d)
		if d < a {
			continue
		}
		r.Same(w, d-len(x.Shape)+len(w.Shape), y, d)
		if !r.Dead(x, d) || d != len(x.Shape)-1 || a != d || !w.IsConst() {
			r.Keep(x, d, "takes the mean of squares over this axis")
		}
	}
}

// adaptRMSNorm makes up for the zeros that the mean of squares lost: with r the
// share that is left, x/sqrt(r*mean+e)*w = x/sqrt(mean+e/r)*w/sqrt(r).
func adaptRMSNorm(c *Cutting) error {
	x := c.Old.In(0)
	k := c.Kept(x, len(x.Shape)-1)
	if k == nil {
		return nil
	}
	r := float64(k.Count()) / float64(k.Len)
	c.New.Set("epsilon", float32(float64(c.Old.Float("epsilon", 1e-5))/r))
	w := c.New.Inputs[1]
	f := c.Graph.Const(c.New.Name+"/share", tensor.Scalar(float32(1/math.Sqrt(r))), graph.Frozen)
	c.New.Inputs[1] = c.Graph.Add("Mul", "", []*graph.Value{w, f}, []string{w.Name + "/whole"}).Outputs[0]
	return nil
}
