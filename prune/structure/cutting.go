package structure

import (
	"pare/graph"
	"pare/prune"
	"pare/tensor"
)

// Cutting is one node while channels are cut from the network: what its rule's
// Adapt works on.
type Cutting struct {
	Graph *graph.Graph // the new network, to which nodes and constants may be added
	Old   *graph.Node  // the node in the network that is cut
	New   *graph.Node  // its copy in the new one, to change; its values still have their old shapes

	uses    map[*graph.Value][]graph.Use // of the network that is cut
	numbers *numbers
	gone    map[Axis]*prune.Mask
}

// Kept says which positions of an axis of one of Old's values stay; nil: all.
func (c *Cutting) Kept(v *graph.Value, dim int) *prune.Mask {
	if v == nil {
		return nil
	}
	return c.gone[Axis{v, dim}]
}

// Ints makes a constant vector.
func (c *Cutting) Ints(name string, v []int) *graph.Value {
	t := tensor.New(tensor.Int64, len(v))
	for k, x := range v {
		tensor.Of[int64](t)[k] = int64(x)
	}
	return c.Graph.Const(name, t, graph.Frozen)
}

// SetInput gives New a constant of its own as input i.
func (c *Cutting) SetInput(i int, v []int) { c.setInput(c.New, i, v) }

func (c *Cutting) setInput(n *graph.Node, i int, v []int) {
	for len(n.Inputs) <= i {
		n.Inputs = append(n.Inputs, nil)
	}
	stem := n.Name
	if old := n.Inputs[i]; old != nil {
		stem = old.Name
	}
	n.Inputs[i] = c.Ints(stem, v)
}

// After puts a node behind output 0 of New that takes over its name. The first
// input of the node is that output; in lists the others.
func (c *Cutting) After(op string, in []*graph.Value, attrs ...graph.Attr) {
	o := c.New.Outputs[0]
	m := c.Graph.Add(op, "", append([]*graph.Value{nil}, in...), []string{o.Name + "/part"}, attrs...)
	c.New.Outputs[0], m.Outputs[0] = m.Outputs[0], o
	c.New.Outputs[0].From, o.From = c.New, m
	c.New.Outputs[0].DType = o.DType
	m.Inputs[0] = c.New.Outputs[0]
}

// adapt lets the node's rule change it where one of its axes is cut.
func (c *Cutting) adapt() error {
	rule := RuleOf(c.Old)
	if rule.Adapt == nil {
		return nil
	}
	for _, vs := range [][]*graph.Value{c.Old.Inputs, c.Old.Outputs} {
		for _, v := range vs {
			if v == nil {
				continue
			}
			for d := range v.Shape {
				if c.Kept(v, d) != nil {
					return rule.Adapt(c)
				}
			}
		}
	}
	return nil
}

// adaptShape changes the wanted shape, input i, of a node where its output is
// cut. In a shape that is computed the numbers that change are written over.
func adaptShape(i int) func(c *Cutting) error {
	return func(c *Cutting) error {
		if c.Old.In(i) == nil {
			return nil
		}
		y := c.Old.Out(0)
		shape, known := c.Old.In(i).Ints()
		rank := len(shape)
		if !known {
			rank = c.Old.In(i).Shape[0].Mul
			shape = make([]int, rank)
		}
		off := len(y.Shape) - rank // Expand may give fewer axes
		over := make([]bool, rank)
		changed := false
		for d := range shape {
			if k := c.Kept(y, d+off); k != nil && (!known || shape[d] > 1) {
				shape[d], over[d], changed = k.Count(), true, true
			}
		}
		switch {
		case !changed:
		case known:
			c.SetInput(i, shape)
		default:
			was := c.New.Inputs[i]
			c.SetInput(i, shape)
			mask := c.Graph.Const(was.Name+"/cut", &tensor.Tensor{DType: tensor.Bool, Shape: []int{rank}, Data: over}, graph.Frozen)
			w := c.Graph.Add("Where", "", []*graph.Value{mask, c.New.Inputs[i], was}, []string{was.Name + "/shape"})
			c.New.Inputs[i] = w.Outputs[0]
		}
		return nil
	}
}

// count is the number of kept positions in [lo, hi).
func count(m *prune.Mask, lo, hi int) int {
	n := 0
	for i := lo; i < hi; i++ {
		if m.Kept(i) {
			n++
		}
	}
	return n
}
