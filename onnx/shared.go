package onnx

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/onnx/onnxpb"
	"pare/sharing"
	"pare/tensor"

	"google.golang.org/protobuf/proto"
)

// Weights that read from a shared array (package sharing) are left out of the sparse
// form: it holds the array instead, as one more initialiser of the structure. The
// layout is in the model's metadata.
const (
	sharedMark  = "pare.shared" // in a tensor's external_data: its entries are the layout's
	sharedArray = "pare.shared.array"
)

// leaveOut puts the array in the place of the weights that read from it, where
// the network has such.
func (w *writer) leaveOut(g *graph.Graph, m *onnxpb.ModelProto) {
	l, array := sharing.Of(g)
	if l == nil || g.Value(sharedArray) != nil {
		return
	}
	var shared []*onnxpb.TensorProto
	for _, t := range m.Graph.Initializer {
		if slices.ContainsFunc(l.Tensors, func(x sharing.Tensor) bool { return x.Name == t.GetName() }) &&
			tensor.DType(t.GetDataType()) == tensor.Float32 {
			shared = append(shared, t)
		}
	}
	if len(shared) != len(l.Tensors) {
		return
	}
	for _, t := range shared {
		delete(w.raw, t)
		t.ExternalData = append(t.ExternalData, &onnxpb.StringStringEntryProto{Key: proto.String(sharedMark), Value: proto.String("")})
	}
	t := tensor.From(array, len(array))
	p := headerOf(sharedArray, t)
	w.raw[p] = t
	m.Graph.Initializer = append(m.Graph.Initializer, p)
}

// marked says whether a weight is left out as shared.
func marked(t *onnxpb.TensorProto) bool {
	k := len(t.ExternalData) - 1
	return k >= 0 && t.ExternalData[k].GetKey() == sharedMark
}

// putBack reads the array and has the weights that are left out filled late.
func (r *reader) putBack(m *onnxpb.ModelProto) error {
	var left []*onnxpb.TensorProto
	for _, t := range m.GetGraph().GetInitializer() {
		if marked(t) {
			left = append(left, t)
		}
	}
	if len(left) == 0 {
		return nil
	}
	var props []graph.Prop
	for _, p := range m.MetadataProps {
		props = append(props, graph.Prop{Key: p.GetKey(), Value: p.GetValue()})
	}
	l, err := sharing.Parse(props)
	if err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	at := slices.IndexFunc(m.Graph.Initializer, func(t *onnxpb.TensorProto) bool { return t.GetName() == sharedArray })
	if l == nil || at < 0 {
		return fmt.Errorf("damaged: weight %q is shared, but the file has no layout or no array", left[0].GetName())
	}
	array, err := r.tensor(m.Graph.Initializer[at])
	if err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	if array.DType != tensor.Float32 || len(array.Shape) != 1 || array.Shape[0] != l.Len {
		return fmt.Errorf("damaged: the shared array is %v of shape %v, the layout wants %d float32 numbers", array.DType, array.Shape, l.Len)
	}
	m.Graph.Initializer = slices.Delete(m.Graph.Initializer, at, at+1)
	by := map[string]*onnxpb.TensorProto{}
	for _, t := range left {
		by[t.GetName()] = t
	}
	packs := make([]*pack, len(l.Tensors))
	for k, want := range l.Tensors {
		t := by[want.Name]
		if t == nil || len(by) != len(l.Tensors) {
			return fmt.Errorf("damaged: the layout has %d shared weights such as %q, the file %d: the two do not belong together", len(l.Tensors), want.Name, len(by))
		}
		shape, n, err := shapeOf(t.Dims)
		if err == nil && (!slices.Equal(shape, want.Shape) || tensor.DType(t.GetDataType()) != tensor.Float32) {
			err = fmt.Errorf("shape %v, the layout has %v", shape, want.Shape)
		}
		if err == nil {
			err = r.take(n)
		}
		if err != nil {
			return fmt.Errorf("damaged: shared weight %q: %w", want.Name, err)
		}
		t.ExternalData = t.ExternalData[:len(t.ExternalData)-1]
		packs[k] = &pack{name: want.Name, n: n}
		r.packed[t] = packs[k]
	}
	r.last = append(r.last, func() error {
		to := make([][]float32, len(packs))
		for k, p := range packs {
			to[k] = make([]float32, p.n)
			p.t.Data = to[k]
		}
		l.Expand(array.F32(), to)
		return nil
	})
	return nil
}
