// Package prune is the vocabulary of paring a network: the weights that may be
// cut (candidates), masks over them, and the exact selection of what stays.
// Its subpackages hold the other words: score, allocate, schedule, structure.
package prune

import (
	"errors"
	"fmt"
	"path"

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
	Node *graph.Node // the first node that reads it
	Out  int         // axis of the outputs: 0 for Conv and transB, 1 for MatMul
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
	return float64(w.Len()) / float64(w.Const.Shape[w.Out])
}

// Scope chooses which weights are candidates.
type Scope struct {
	Include    []string // glob patterns over names; empty means all
	Exclude    []string // glob patterns over names
	Embeddings bool     // tables of embeddings too (off: they dominate small networks)
}

// Weights lists the prunable weights in the order of first use. It returns an
// error where there are none, where a weight is quantised to integers or of a
// type other than float32, or where one holds a NaN or infinity.
func Weights(g *graph.Graph, s Scope) ([]*Weight, error) {
	for _, p := range append(append([]string{}, s.Include...), s.Exclude...) {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("bad layer pattern %q: %w", p, err)
		}
	}
	var out []*Weight
	seen := map[*graph.Value]bool{}
	integers := ""
	for _, n := range g.Nodes {
		if quantised(n) {
			integers = n.Name
		}
		for _, w := range candidates(n) {
			if seen[w.Value] || w.Kind == Embedding && !s.Embeddings || !s.match(w.Name) {
				continue
			}
			seen[w.Value] = true
			if !w.DType.IsFloat() {
				continue
			}
			if w.DType != tensor.Float32 {
				return nil, fmt.Errorf("weight %q is %v: convert the network to float32 before pruning", w.Name, w.DType)
			}
			if i := w.Const.Finite(); i >= 0 {
				return nil, fmt.Errorf("weight %q has a NaN or infinity at entry %d: the network is broken before pruning", w.Name, i)
			}
			out = append(out, w)
		}
	}
	if len(out) == 0 {
		if integers != "" {
			return nil, fmt.Errorf("the network is quantised (node %q): prune the float32 network it was made from", integers)
		}
		return nil, errors.New("no prunable weight: the network has no Conv, Gemm or MatMul with a constant float32 weight in scope")
	}
	return out, nil
}

func (s Scope) match(name string) bool {
	any := func(ps []string) bool {
		for _, p := range ps {
			if ok, _ := path.Match(p, name); ok {
				return true
			}
		}
		return false
	}
	return (len(s.Include) == 0 || any(s.Include)) && !any(s.Exclude)
}

// kinds are the parts of an operator that are prunable weights.
var kinds = map[op.Part]Kind{op.Kernel: Conv, op.Depthwise: Depthwise, op.Matrix: Linear, op.Table: Embedding, op.Gates: Recurrent}

// candidates gives the constant weights that a node reads as such: one side of a
// matrix product, all that others have.
func candidates(n *graph.Node) []*Weight {
	var out []*Weight
	for _, p := range op.Params(n) {
		k, ok := kinds[p.Part]
		v := n.In(p.In)
		if !ok || !v.IsConst() || len(v.Const.Shape) < 2 || v.Const.Len() == 0 || k == Linear && out != nil {
			continue
		}
		out = append(out, &Weight{v, k, n, p.Out})
	}
	return out
}

// quantised says whether a node multiplies by integers in the place of weights.
func quantised(n *graph.Node) bool {
	for _, p := range op.Params(n) {
		if p.Part == op.Quantised {
			return true
		}
	}
	return false
}

// Total is the number of entries of all weights.
func Total(ws []*Weight) int {
	n := 0
	for _, w := range ws {
		n += w.Len()
	}
	return n
}
