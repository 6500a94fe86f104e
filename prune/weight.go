// Package prune is the vocabulary of paring a network: the weights that may be
// cut (candidates), masks over them, and the exact selection of what stays.
// Its subpackages hold the other words: score, allocate, schedule, structure.
package prune

import (
	"errors"
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Kind says what a weight belongs to.
type Kind uint8

// The kinds of prunable weights.
const (
	Conv      Kind = iota // convolution kernel [out, in/groups, k...]
	Depthwise             // convolution with one input channel a group
	Linear                // matrix of Gemm or MatMul
	Embedding             // table read by Gather
	Recurrent             // matrices of RNN, GRU, LSTM
)

func (k Kind) String() string {
	return [...]string{"conv", "depthwise", "linear", "embedding", "recurrent"}[k]
}

// Weight is a prunable tensor of a network: the matrix or kernel of a layer.
// Biases and normalisation parameters are not prunable.
type Weight struct {
	*graph.Value
	Kind Kind
	Node *graph.Node // the first layer whose weight it is, maybe in a subgraph
	Out  int         // axis of the outputs: 0 for Conv and transB, 1 for MatMul
	Outs []int       // all axes of the outputs where there are several, in order
}

// Outputs is the number of outputs that the weight makes.
func (w *Weight) Outputs() int {
	if w.Outs == nil {
		return w.Const.Shape[w.Out]
	}
	n := 1
	for _, d := range w.Outs {
		n *= w.Const.Shape[d]
	}
	return n
}

// Len is the number of entries.
func (w *Weight) Len() int { return w.Const.Len() }

// Data is the storage; entries are changed in place.
func (w *Weight) Data() []float32 { return w.Const.F32() }

// FanIn is the number of inputs that an output sums over.
func (w *Weight) FanIn() float64 {
	if w.Kind == Recurrent { // [directions, gates*hidden, inputs]
		return float64(w.Const.Shape[2])
	}
	return float64(w.Len()) / float64(w.Outputs())
}

// Scope chooses which weights are candidates.
type Scope struct {
	Include    []string // patterns over names (see Match); empty means all
	Exclude    []string // patterns over names
	Embeddings bool     // tables of embeddings too (off: they dominate small networks)
}

// Weights lists the prunable weights in the order of first use: every constant of
// which a product with what the network computes is taken, each once. It returns an
// error where there are none, where a pattern is none or matches no weight, where a
// weight is of a type other than float32, or where one holds a NaN or infinity.
// What is left out, and why, is told by Skipped.
func Weights(g *graph.Graph, s Scope) ([]*Weight, error) {
	all := survey(g, s.Embeddings)
	if err := s.check(all.names()); err != nil {
		return nil, err
	}
	out, err := all.weights(s)
	if err == nil && len(out) == 0 {
		err = none(g, all, s)
	}
	return out, err
}

// PartWeights is Weights for a part of a network, which may have none: patterns may mean
// weights of other parts (see CheckNames).
func PartWeights(g *graph.Graph, s Scope) ([]*Weight, error) {
	return survey(g, s.Embeddings).weights(s)
}

// weights are those of a scope.
func (cs candidates) weights(s Scope) ([]*Weight, error) {
	var out []*Weight
	for _, c := range cs {
		if c.out(s) != "" {
			continue
		}
		w := c.Weight
		if w.DType != tensor.Float32 {
			return nil, fmt.Errorf("weight %q is %v: convert the network to float32 before pruning", w.Name, w.DType)
		}
		if i := w.Const.Finite(); i >= 0 {
			return nil, fmt.Errorf("weight %q has a NaN or infinity at entry %d: the network is broken before pruning", w.Name, i)
		}
		out = append(out, w)
	}
	return out, nil
}

// Check returns an error where a pattern is none, or matches no weight of the
// network.
func (s Scope) Check(g *graph.Graph) error { return s.check(survey(g, s.Embeddings).names()) }

// CheckNames is Check for a network whose weights of two axes or more are called so.
func (s Scope) CheckNames(names []string) error { return s.check(names) }

// none is the error where there is nothing to prune.
func none(g *graph.Graph, all candidates, s Scope) error {
	integers := ""
	op.Each(g, func(n *graph.Node) {
		for _, p := range op.Params(n) {
			if p.Part == op.Quantised {
				integers = n.Name
			}
		}
	})
	for _, c := range all {
		if integers == "" && c.Role == graph.Packed {
			integers = c.Node.Name
		}
	}
	if integers != "" {
		return fmt.Errorf("the network is quantised (node %q): prune the float32 network it was made from", integers)
	}
	text := "no prunable weight: the network has no Conv, Gemm or MatMul with a constant float32 weight in scope"
	skips := all.skipped(s)
	for i, k := range skips {
		if i == 3 {
			text += fmt.Sprintf("; and %d more", len(skips)-i)
			break
		}
		text += "; " + k.String()
	}
	return errors.New(text)
}

// kinds are the parts of an operator that are prunable weights.
var kinds = map[op.Part]Kind{op.Kernel: Conv, op.Depthwise: Depthwise, op.Matrix: Linear, op.Table: Embedding, op.Gates: Recurrent}

// Total is the number of entries of all weights.
func Total(ws []*Weight) int {
	n := 0
	for _, w := range ws {
		n += w.Len()
	}
	return n
}
