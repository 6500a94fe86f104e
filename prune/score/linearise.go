package score

import (
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// What synaptic flow passes through: operators that scale with their first
// input, activations that are the identity on positive numbers, and places where
// branches meet.
var (
	scales = []string{"Identity", "Dropout", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Expand", "Tile", "Slice", "Split", "Pad",
		"Gather", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceSum", "ReduceMax", "Resize", "Upsample",
		"DepthToSpace", "SpaceToDepth", "BatchNormalization"}
	identities = []string{"Relu", "LeakyRelu", "PRelu", "Clip", "Elu", "Celu", "ThresholdedRelu"}
	meetings   = []string{"Add", "Sum", "Concat", "Max"}
	products   = []string{"Conv", "ConvTranspose", "Gemm", "MatMul"}
)

// linearise makes the network one of positive weights: it zeroes what is added,
// makes normalisations and activations neutral, and multiplies branches by inputs
// of the program where they meet.
func (f *Flow) linearise() error {
	on := map[*graph.Value]bool{f.net.Inputs[0]: true}
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
		last := f.net.IsOutput(n.Out(0))
		switch {
		case n.Is(products...) && len(data) == 1 && data[0] < 2 && f.weight[n.In(1-data[0])] != nil:
			if b := n.In(2); b.IsConst() {
				clear(b.Const.F32())
			}
		case n.Is("BatchNormalization"):
			for i, x := range []float32{1, 0, 0, 1} {
				v := n.In(i + 1)
				if !v.IsConst() {
					return fmt.Errorf("the statistics of node %q are computed: synaptic flow needs them as initialisers", n.Name)
				}
				for k := range v.Const.F32() {
					v.Const.F32()[k] = x
				}
			}
		case n.Is(scales...):
		case n.Is(identities...) || n.Is("Softmax", "LogSoftmax") && last:
			n.Op, n.Inputs, n.Attrs = "Identity", n.Inputs[:1], nil
		case n.Is("Mul", "Div") && len(data) == 1 && n.In(1-data[0]).IsConst() && (n.Is("Mul") || data[0] == 0):
			x := n.In(1 - data[0]).Const.F32()
			for i := range x {
				x[i] = float32(math.Abs(float64(x[i])))
			}
		case n.Is(meetings...) || n.Is("Sub") && len(data) == 1 && data[0] == 0:
			f.meet(n, data)
		default:
			return fmt.Errorf("synaptic flow is not defined through node %q (%s): it follows convolutions, linear layers, pooling, sums and activations such as Relu; use snip or magnitude", n.Name, n.Op)
		}
	}
	return f.net.Sort()
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
			if w := f.weight[v]; w != nil && n.Is(products...) {
				most += w.power
			}
		}
		for _, o := range n.Outputs {
			power[o] = most
		}
	}
}
