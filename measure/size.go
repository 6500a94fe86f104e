// Package measure says what a network takes and gives: parameters, bytes,
// multiply-accumulates, latency, memory, and which of several are worth having.
package measure

import (
	"context"
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
	Name      string `json:"name"`            // of the weight, as patterns want it
	Label     string `json:"label,omitempty"` // what a person knows the layer by
	Node      string `json:"node,omitempty"`  // that multiplies by the weight
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
	reader := map[*graph.Value]*graph.Node{}
	for _, k := range op.Sites(g) {
		reader[k.Value] = k.Node
	}
	for _, v := range g.Consts() {
		if v.Role != graph.Param && v.Role != graph.Packed {
			continue
		}
		all, left := entries(v, reader[v])
		s.Params += all
		s.NonZero += left
	}
	s.Kept = s.NonZero
	if l, array := sharing.Of(g); l != nil {
		for _, t := range l.Tensors {
			s.Kept -= nonZero(g.Value(t.Name).Const)
		}
		s.Kept += nonZero(tensor.From(array, len(array)))
	}
	c, m := op.OneSample(g)
	w := weigher{of: map[*graph.Node]*graph.Value{}, output: map[*graph.Value]string{}}
	for _, k := range op.Sites(c) {
		if w.of[k.Node] == nil && len(k.Value.Const.Shape) > 1 && (k.Value.DType.IsFloat() || k.Value.Role == graph.Packed) {
			w.of[k.Node] = k.Value
		}
	}
	shown := map[string]string{}
	for _, v := range atSizes(g).Values() {
		shown[v.Name] = v.Shape.String()
	}
	for old, v := range m {
		if old.From != nil {
			if w.output[v] = shown[old.Name]; w.output[v] == "" { // of a body
				w.output[v] = old.Shape.String()
			}
		}
	}
	s.MACs, s.Effective = w.count(c, 1)
	label(g, w.layers)
	return s, w.layers
}

// weigher counts the products of a network and lists its layers.
type weigher struct {
	of     map[*graph.Node]*graph.Value // the weight of a node
	output map[*graph.Value]string      // shapes as they were before sizes were filled in
	layers []Layer
}

// count adds up a graph that runs a number of times. Of the branches of an If the one
// that takes more counts; all layers are listed.
func (w *weigher) count(g *graph.Graph, times int64) (macs, effective int64) {
	for _, n := range g.Nodes {
		if bodies := n.Subgraphs(); len(bodies) > 0 {
			var most, kept int64
			for _, b := range bodies {
				if a, e := w.count(b, times*int64(op.Times(n))); a > most || a == most && e > kept {
					most, kept = a, e
				}
			}
			macs, effective = macs+most, effective+kept
			continue
		}
		k, ok := op.MACs(n)
		if !ok {
			continue
		}
		k *= times
		l := Layer{Op: n.Op, MACs: k, Effective: k}
		if o := n.Out(0); o != nil {
			l.Output = w.output[o]
		}
		if v := w.of[n]; v != nil {
			l.Name, l.Shape = v.Name, v.Const.Shape
			l.Params, l.NonZero = entries(v, n)
			if l.Params > 0 {
				l.Effective = int64(float64(k) * float64(l.NonZero) / float64(l.Params))
			}
		}
		macs += k
		effective += l.Effective
		if l.Name != "" {
			w.layers = append(w.layers, l)
		}
	}
	return macs, effective
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

// entries counts the numbers of a weight, and those that are not zero; several lie in a
// byte where the node that reads it unpacks them.
func entries(v *graph.Value, n *graph.Node) (all, left int64) {
	if v.Role == graph.Packed && n != nil {
		if all, left, ok := op.PackedBits(n, v); ok {
			return all, left
		}
	}
	return int64(v.Const.Len()), nonZero(v.Const)
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
