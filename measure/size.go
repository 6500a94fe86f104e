// Package measure says what a network takes and gives: parameters, bytes,
// multiply-accumulates, latency, memory, and which of several are worth having.
package measure

import (
	"context"

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

// Of measures a network whose shapes are inferred, and its layers: the nodes
// that multiply by a weight.
func Of(g *graph.Graph) (Size, []Layer, error) { return OfContext(context.Background(), g) }

// OfContext is Of that the end of the context ends.
func OfContext(ctx context.Context, g *graph.Graph) (Size, []Layer, error) {
	s, layers := Count(g)
	var err error
	if s.Bytes, err = onnx.Size(g, onnx.Options{}); err != nil {
		return s, nil, err
	}
	s.SparseBytes, err = onnx.SparseSize(ctx, g, false)
	return s, layers, err
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
	for i, n := range c.Nodes {
		macs, ok := op.MACs(n)
		if !ok {
			continue
		}
		l := Layer{Op: n.Op, MACs: macs, Effective: macs}
		if o := g.Nodes[i].Out(0); o != nil {
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
