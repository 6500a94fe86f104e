package score

import (
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
	"pare/tensor"
)

// linearise makes the network one of positive weights: it zeroes what is added,
// makes normalisations and activations neutral, and multiplies branches by inputs
// of the program where they meet.
func (f *Flow) linearise() error {
	on := map[*graph.Value]bool{}
	for _, in := range f.net.Inputs {
		on[in] = true
	}
	for _, n := range slices.Clone(f.net.Nodes) {
		var data []int // inputs that the network's input reaches
		for i, v := range n.Inputs {
			if v != nil && on[v] && v.DType.IsFloat() {
				data = append(data, i)
			}
		}
		if len(data) == 0 || n.Out(0) == nil || !n.Out(0).DType.IsFloat() {
			continue
		}
		for _, o := range n.Outputs {
			on[o] = true
		}
		switch flow := structure.RuleOf(n).Flow; {
		case flow == structure.FlowWeighs && len(data) == 1 && data[0] < 2 && f.weight[n.In(1-data[0])] != nil:
			neutral(n)
		case flow == structure.FlowScales:
			if !neutral(n) {
				return fmt.Errorf("the statistics of node %q are computed: synaptic flow needs them as initialisers", n.Name)
			}
		case flow == structure.FlowPasses, flow == structure.FlowPassesLast && f.net.IsOutput(n.Out(0)):
			n.Op, n.Domain, n.Inputs, n.Attrs = "Identity", "", n.Inputs[:1], nil
		case (flow == structure.FlowMultiplies || flow == structure.FlowDivides && data[0] == 0) && len(data) == 1 && n.In(1-data[0]).IsConst():
			x := n.In(1 - data[0]).Const.F32()
			for i := range x {
				x[i] = float32(math.Abs(float64(x[i])))
			}
		case flow == structure.FlowMeets, flow == structure.FlowSubtracts && len(data) == 1 && data[0] == 0:
			f.meet(n, data)
		default:
			return fmt.Errorf("synaptic flow is not defined through node %q (%s): it follows convolutions, linear layers, pooling, sums and activations such as Relu; use snip or magnitude", n.Name, n.Op)
		}
	}
	return f.net.Sort()
}

// neutral gives the parameters of a node that are added 0 and those that scale 1.
// It is false where one of them is computed.
func neutral(n *graph.Node) bool {
	ok := true
	for _, p := range op.Params(n) {
		x := float32(0)
		switch p.Part {
		case op.Scale, op.Variance:
			x = 1
		case op.Bias, op.Mean:
		default:
			continue
		}
		v := n.In(p.In)
		if !v.IsConst() {
			ok = ok && v == nil
			continue
		}
		for k := range v.Const.F32() {
			v.Const.F32()[k] = x
		}
	}
	return ok
}

// meet zeroes the constants among what a node brings together and, where more
// than one branch comes, gives each a factor.
func (f *Flow) meet(n *graph.Node, data []int) {
	for i, v := range n.Inputs {
		if v.IsConst() && v.Const.F32() != nil && !slices.Contains(data, i) {
			clear(v.Const.F32())
		}
	}
	if len(data) < 2 {
		return
	}
	for _, i := range data {
		by := &graph.Value{Name: f.net.Fresh(n.Name + "/power"), DType: tensor.Float32, Shape: graph.Shape{}}
		f.net.Inputs = append(f.net.Inputs, by)
		m := f.net.Add("Mul", "", []*graph.Value{n.Inputs[i], by}, []string{n.Name + "/balanced"})
		m.Outputs[0].DType, m.Outputs[0].Shape = n.Inputs[i].DType, n.Inputs[i].Shape
		f.scale[m.Outputs[0]] = by
		n.Inputs[i] = m.Outputs[0]
	}
}

// balance sets the factors of branches that meet, so that all are divided by the
// greatest power of two among them.
func (f *Flow) balance() {
	power := map[*graph.Value]int{f.net.Inputs[0]: 0} // what a value is divided by
	for _, n := range f.net.Nodes {
		in := func(i int) (int, bool) {
			if v := n.In(i); v != nil && v.From != nil && f.scale[v] != nil {
				p, ok := power[v.From.In(0)]
				return p, ok
			}
			p, ok := power[n.In(i)]
			return p, ok
		}
		most, reached := math.MinInt, false
		for i := range n.Inputs {
			if p, ok := in(i); ok {
				most, reached = max(most, p), true
			}
		}
		if !reached {
			continue
		}
		for i, v := range n.Inputs {
			if by := f.scale[v]; by != nil {
				p, _ := in(i)
				f.prog.Input(by.Name).F32()[0] = float32(math.Ldexp(1, p-most))
			}
			if w := f.weight[v]; w != nil && structure.RuleOf(n).Flow == structure.FlowWeighs {
				most += w.power
			}
		}
		for _, o := range n.Outputs {
			power[o] = most
		}
	}
}
