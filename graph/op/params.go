package op

import (
	"slices"

	"pare/graph"
)

// Part says what a constant at an input of an operator is to it.
type Part uint8

// The parts that parameters play.
const (
	Factor    Part = iota // multiplies in a way that has no rows to prune: slopes, peepholes
	Kernel                // of a convolution
	Depthwise             // kernel of a convolution with one input channel a group
	Matrix                // one side of a matrix product
	Table                 // rows that are looked up
	Gates                 // matrix of a recurrent operator
	Quantised             // kernel or matrix of integers
	Bias                  // is added
	Scale                 // multiplies a channel
	Mean                  // statistic of the training data
	Variance              // statistic of the training data
)

// Param is an input that holds a parameter where a constant stands there.
type Param struct {
	In   int
	Part Part
	Out  int   // of a prunable part: the axis of the outputs that it makes
	Outs []int // where it makes outputs along several axes: all of them, Out among them
	Data bool  // the constant may as well be part of the computation, as in x+1
}

// Prunable says whether the part is a weight of a layer: of two axes or more, one
// of them that of the outputs.
func (p Part) Prunable() bool { return p >= Kernel && p <= Gates }

// Params lists the parameters of a node. Which initialisers training moves
// (Classify), which weights may be pruned (prune.Weights), how they are drawn
// (prune.Init) and what makes channels (prune/structure) all follow from it, so it
// stands on their common floor.
func Params(n *graph.Node) []Param {
	if d := Lookup(n.Domain, n.Op); d != nil && d.Params != nil {
		return d.Params(n)
	}
	return nil
}

// PartOf is the part that input i of a node plays; false where it holds none.
func PartOf(n *graph.Node, i int) (Part, bool) {
	for _, p := range Params(n) {
		if p.In == i {
			return p.Part, true
		}
	}
	return 0, false
}

func init() {
	fixed := func(ps ...Param) func(*graph.Node) []Param {
		return func(*graph.Node) []Param { return ps }
	}
	affine := fixed(Param{In: 1, Part: Scale}, Param{In: 2, Part: Bias})
	gates := fixed(Param{In: 1, Part: Gates, Out: 1}, Param{In: 2, Part: Gates, Out: 1}, Param{In: 3, Part: Bias}, Param{In: 7, Part: Factor})
	for name, f := range map[string]func(*graph.Node) []Param{
		"Conv":                  convParams,
		"ConvTranspose":         fixed(Param{In: 1, Part: Kernel, Out: 1}, Param{In: 2, Part: Bias}),
		"DeformConv":            func(n *graph.Node) []Param { return append(convParams(n)[:1], Param{In: 3, Part: Bias}) },
		"CausalConvWithState":   fixed(Param{In: 1, Part: Depthwise}, Param{In: 2, Part: Bias}),
		"Gemm":                  gemmParams,
		"MatMul":                matMulParams,
		"Einsum":                einsumParams,
		"Gather":                fixed(Param{In: 0, Part: Table, Out: 1}),
		"LSTM":                  gates,
		"GRU":                   gates,
		"RNN":                   gates,
		"ConvInteger":           fixed(Param{In: 1, Part: Quantised}),
		"MatMulInteger":         fixed(Param{In: 1, Part: Quantised}),
		"DequantizeLinear":      fixed(Param{In: 0, Part: Quantised}),
		"QLinearConv":           fixed(Param{In: 3, Part: Quantised}),
		"QLinearMatMul":         fixed(Param{In: 3, Part: Quantised}),
		"BatchNormalization":    fixed(Param{In: 1, Part: Scale}, Param{In: 2, Part: Bias}, Param{In: 3, Part: Mean}, Param{In: 4, Part: Variance}),
		"InstanceNormalization": affine,
		"LayerNormalization":    affine,
		"GroupNormalization":    affine,
		"RMSNormalization":      fixed(Param{In: 1, Part: Scale}),
		"PRelu":                 fixed(Param{In: 1, Part: Factor}),
		"Add":                   fixed(Param{In: 0, Part: Bias, Data: true}, Param{In: 1, Part: Bias, Data: true}),
		"Mul":                   fixed(Param{In: 0, Part: Scale, Data: true}, Param{In: 1, Part: Scale, Data: true}),
	} {
		defs[key{"", name}].Params = f
	}
}

func convParams(n *graph.Node) []Param {
	part := Kernel
	if w := n.In(1); n.Int("group", 1) > 1 && w != nil && len(w.Shape) > 1 && w.Shape[1] == graph.N(1) {
		part = Depthwise
	}
	return []Param{{In: 1, Part: part}, {In: 2, Part: Bias}}
}

func gemmParams(n *graph.Node) []Param {
	return []Param{{In: 1, Part: Matrix, Out: 1 - n.Int("transB", 0)}, {In: 0, Part: Matrix, Out: n.Int("transA", 0)}, {In: 2, Part: Bias}}
}

// matMulParams leaves vectors out: they are not known from data.
func matMulParams(n *graph.Node) []Param {
	var out []Param
	if v := n.In(1); v != nil && len(v.Shape) > 1 {
		out = append(out, Param{In: 1, Part: Matrix, Out: len(v.Shape) - 1})
	}
	if v := n.In(0); v != nil && len(v.Shape) > 1 {
		out = append(out, Param{In: 0, Part: Matrix, Out: len(v.Shape) - 2})
	}
	return out
}

// einsumParams takes an operand for a matrix where it has axes that the result
// has, and others that are summed over. One that has not scales.
func einsumParams(n *graph.Node) []Param {
	e, err := equationOf(n)
	out := make([]Param, 0, len(n.Inputs))
	for i, v := range n.Inputs {
		p := Param{In: i, Part: Factor}
		if err == nil && v != nil {
			for d, r := range e.in[i] {
				if slices.Contains(e.out, r) {
					p.Outs = append(p.Outs, d)
				}
			}
			if k := len(p.Outs); k > 0 && k < len(e.in[i]) {
				p.Part, p.Out = Matrix, p.Outs[0]
			} else {
				p.Outs = nil
			}
			if len(p.Outs) == 1 {
				p.Outs = nil
			}
		}
		out = append(out, p)
	}
	return out
}
