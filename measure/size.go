// Package measure says what a network takes and gives: parameters, bytes,
// multiply-accumulates, latency, memory, and which of several are worth having.
package measure

import (
	"maps"

	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
	"pare/sharing"
	"pare/tensor"
)

// Size is what a network takes on paper and on disk.
type Size struct {
	Params      int64 `json:"params"`       // trained numbers
	NonZero     int64 `json:"nonzero"`      // of them
	Kept        int64 `json:"kept"`         // numbers that must be kept: those that are not zero, a shared one once
	MACs        int64 `json:"macs"`         // multiply-accumulates for one sample, dense
	Effective   int64 `json:"effective"`    // those whose weight is not zero
	Bytes       int64 `json:"bytes"`        // of the ONNX file
	SparseBytes int64 `json:"sparse_bytes"` // in Pare's sparse form
}

// Sparsity is the share of the parameters that are zero.
func (s Size) Sparsity() float64 {
	if s.Params == 0 {
		return 0
	}
	return 1 - float64(s.NonZero)/float64(s.Params)
}

// Layer is what one weight takes.
type Layer struct {
	Name      string `json:"name"`
	Op        string `json:"op"`
	Shape     []int  `json:"shape"`
	Params    int64  `json:"params"`
	NonZero   int64  `json:"nonzero"`
	MACs      int64  `json:"macs"`
	Effective int64  `json:"effective"`
	Output    string `json:"output"` // shape of what the layer makes
}

// zeros is the share of the weight's entries that are zero.
func (l *Layer) zeros() float64 { return 1 - float64(l.NonZero)/float64(max(1, l.Params)) }

// Of measures a network whose shapes are inferred, and its layers: the nodes
// that multiply by a weight.
func Of(g *graph.Graph) (Size, []Layer, error) {
	s, layers := Count(g)
	b, err := onnx.Encode(g, onnx.Options{})
	if err != nil {
		return s, nil, err
	}
	z, err := onnx.EncodeSparse(g, false)
	if err != nil {
		return s, nil, err
	}
	s.Bytes, s.SparseBytes = int64(len(b)), int64(len(z))
	return s, layers, nil
}

// Count is Of without the files' bytes, which it leaves at 0.
func Count(g *graph.Graph) (Size, []Layer) {
	var s Size
	for _, v := range g.Consts() {
		if v.Role != graph.Param {
			continue
		}
		s.Params += int64(v.Const.Len())
		s.NonZero += nonZero(v.Const)
	}
	s.Kept = s.NonZero
	if l, array := sharing.Of(g); l != nil {
		for _, t := range l.Tensors {
			s.Kept -= nonZero(g.Value(t.Name).Const)
		}
		s.Kept += nonZero(tensor.From(array, len(array)))
	}
	var layers []Layer
	c, _ := op.OneSample(g)
	shown := atSizes(g)
	for i, n := range c.Nodes {
		macs, ok := op.MACs(n)
		if !ok {
			continue
		}
		l := Layer{Op: n.Op, MACs: macs, Effective: macs}
		if o := shown.Nodes[i].Out(0); o != nil {
			l.Output = o.Shape.String()
		}
		for _, v := range n.Inputs {
			if v.IsConst() && len(v.Const.Shape) > 1 && v.DType.IsFloat() {
				l.Name, l.Shape = v.Name, v.Const.Shape
				l.Params, l.NonZero = int64(v.Const.Len()), nonZero(v.Const)
				if l.Params > 0 {
					l.Effective = int64(float64(macs) * float64(l.NonZero) / float64(l.Params))
				}
				break
			}
		}
		s.MACs += macs
		s.Effective += l.Effective
		if l.Name != "" {
			layers = append(layers, l)
		}
	}
	return s, layers
}

// atSizes is the network at the sizes that it is counted at, but for the batch, whose
// symbol stays.
func atSizes(g *graph.Graph) *graph.Graph {
	sizes := map[string]int{}
	assumed, _ := op.Assume(g)
	maps.Copy(sizes, assumed)
	if len(sizes) == 0 && len(g.Usage.Sizes) == 0 {
		return g
	}
	maps.Copy(sizes, g.Usage.Sizes)
	c, _ := g.Clone(false)
	if op.Bind(c, sizes) != nil {
		return g
	}
	return c
}

func nonZero(t *tensor.Tensor) int64 {
	n := int64(0)
	if x := t.F32(); x != nil {
		for _, v := range x {
			if v != 0 {
				n++
			}
		}
		return n
	}
	f, err := t.Float64s()
	if err != nil {
		return int64(t.Len())
	}
	for _, v := range f {
		if v != 0 {
			n++
		}
	}
	return n
}
