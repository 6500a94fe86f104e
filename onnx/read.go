// Package onnx reads and writes ONNX files as graphs.
package onnx

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"pare/graph"
	"pare/graph/op"
	"pare/onnx/onnxpb"
	"pare/tensor"

	"google.golang.org/protobuf/proto"
)

// maxDepth bounds the nesting of subgraphs.
const maxDepth = 32

// MinIR is the oldest version of the format that Pare reads. Graphs of opsets
// before 7 are rewritten (op.Upgrade).
const MinIR = 3

// Read reads a model file. External data is looked for in its folder.
func Read(path string) (*graph.Graph, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	g, err := Decode(b, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

// Decode reads a model from memory; dir is the folder of its external data,
// "" where there is none.
func Decode(b []byte, dir string) (*graph.Graph, error) {
	m := &onnxpb.ModelProto{}
	if err := unmarshal(b, m, mostStructure(len(b))); err != nil {
		return nil, fmt.Errorf("not an ONNX file, or a damaged one: %w", err)
	}
	return (&reader{dir: dir, spread: mostSpread(len(b)), written: mostStructure(len(b))}).model(m)
}

func (r *reader) model(m *onnxpb.ModelProto) (*graph.Graph, error) {
	if m.Graph == nil {
		return nil, fmt.Errorf("not an ONNX file, or a damaged one: it has no graph")
	}
	if m.GetIrVersion() < MinIR {
		return nil, fmt.Errorf("IR version %d is older than %d", m.GetIrVersion(), MinIR)
	}
	if err := inline(m, r.written); err != nil {
		return nil, err
	}
	opset := map[string]int{}
	for _, o := range m.OpsetImport {
		d := o.GetDomain()
		if d == "ai.onnx" {
			d = ""
		}
		if o.GetVersion() < 1 || o.GetVersion() > math.MaxInt32 {
			return nil, fmt.Errorf("opset version %d of domain %q is not possible", o.GetVersion(), d)
		}
		opset[d] = int(o.GetVersion())
	}
	if len(opset) == 0 {
		return nil, fmt.Errorf("the model names no opset")
	}
	r.names, r.next = map[string]int{}, map[string]int{}
	eachName(m.Graph, func(s string) { r.names[s]++ })
	if v, ok := opset[""]; ok && v < 7 {
		r.spread = 0 // there were no sparse weights yet
	}
	g, err := r.graph(m.Graph, opset, nil, 0)
	if err != nil {
		return nil, err
	}
	g.Meta = graph.Meta{IRVersion: m.GetIrVersion(), Producer: m.GetProducerName(), ProducerVersion: m.GetProducerVersion(),
		Domain: m.GetDomain(), ModelVersion: m.GetModelVersion(), Doc: m.GetDocString()}
	for _, p := range m.MetadataProps {
		g.Meta.Props = append(g.Meta.Props, graph.Prop{Key: p.GetKey(), Value: p.GetValue()})
	}
	rest := &onnxpb.ModelProto{}
	rest.ProtoReflect().SetUnknown(m.ProtoReflect().GetUnknown())
	if g.Meta.Unknown, err = proto.Marshal(rest); err != nil {
		return nil, err
	}
	for _, f := range r.late {
		if err := f(); err != nil {
			return nil, err
		}
	}
	if err := op.Upgrade(g); err != nil {
		return nil, err
	}
	op.Unsequence(g)
	return g, nil
}

// graph reads a graph; outer holds the values that an enclosing graph offers.
// Initialisers of subgraphs get names that no other value of the model has: the
// writer puts them into the outermost graph.
func (r *reader) graph(p *onnxpb.GraphProto, opset map[string]int, outer *scope, depth int) (*graph.Graph, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("subgraphs are nested more than %d deep", maxDepth)
	}
	g := &graph.Graph{Name: p.GetName(), Doc: p.GetDocString(), Opset: opset}
	vals := map[string]*graph.Value{}
	define := func(v *graph.Value, what string) error {
		if v.Name == "" {
			return fmt.Errorf("%s has no name", what)
		}
		if vals[v.Name] != nil {
			return fmt.Errorf("the name %q is given twice (%s)", v.Name, what)
		}
		vals[v.Name] = v
		if depth > 0 && v.Const != nil {
			v.Name = r.unique(v.Name)
		}
		return nil
	}
	for _, t := range p.Initializer {
		x, err := r.tensor(t)
		if err != nil {
			return nil, err
		}
		v := &graph.Value{Name: t.GetName(), DType: x.DType, Shape: graph.Dims(x.Shape...), Const: x, Doc: t.GetDocString()}
		if v.Unknown, err = restOfTensor(t); err != nil {
			return nil, err
		}
		if err := define(v, "an initialiser"); err != nil {
			return nil, err
		}
	}
	for _, t := range p.SparseInitializer {
		x, err := r.sparse(t)
		if err != nil {
			return nil, err
		}
		if err := define(&graph.Value{Name: t.GetValues().GetName(), DType: x.DType, Shape: graph.Dims(x.Shape...), Const: x}, "a sparse initialiser"); err != nil {
			return nil, err
		}
	}
	for _, in := range p.Input {
		if v := vals[in.GetName()]; v != nil && v.Const != nil {
			continue // before IR 4 initialisers are listed among the inputs
		}
		v, err := valueOf(in)
		if err != nil {
			return nil, err
		}
		if err := define(v, "an input"); err != nil {
			return nil, err
		}
		g.Inputs = append(g.Inputs, v)
	}
	for _, n := range p.Node {
		k := &graph.Node{Op: n.GetOpType(), Domain: n.GetDomain(), Name: n.GetName(), Doc: n.GetDocString()}
		if k.Domain == "ai.onnx" {
			k.Domain = ""
		}
		rest := &onnxpb.NodeProto{Overload: n.Overload, MetadataProps: n.MetadataProps}
		rest.ProtoReflect().SetUnknown(n.ProtoReflect().GetUnknown())
		var err error
		if k.Unknown, err = proto.Marshal(rest); err != nil {
			return nil, err
		}
		for _, o := range n.Output {
			if o == "" {
				k.Outputs = append(k.Outputs, nil)
				continue
			}
			v := &graph.Value{Name: o, From: k}
			if err := define(v, fmt.Sprintf("an output of node %q (%s)", k.Name, k.Op)); err != nil {
				return nil, err
			}
			k.Outputs = append(k.Outputs, v)
		}
		g.Nodes = append(g.Nodes, k)
	}
	here := &scope{vals, outer}
	for i, n := range p.Node {
		k := g.Nodes[i]
		for _, in := range n.Input {
			if in == "" {
				k.Inputs = append(k.Inputs, nil)
				continue
			}
			v := here.find(in)
			if v == nil {
				return nil, fmt.Errorf("node %q (%s) reads %q, which nothing defines", k.Name, k.Op, in)
			}
			k.Inputs = append(k.Inputs, v)
		}
		for _, a := range n.Attribute {
			at, err := r.attr(a, opset, here, depth)
			if err != nil {
				return nil, fmt.Errorf("node %q (%s): %w", k.Name, k.Op, err)
			}
			k.Attrs = append(k.Attrs, at)
		}
	}
	for _, o := range p.Output {
		v := here.find(o.GetName())
		if v == nil {
			return nil, fmt.Errorf("output %q of the graph is defined by nothing", o.GetName())
		}
		if d, err := valueOf(o); err == nil && v.Const == nil && v.From != nil {
			v.DType, v.Shape, v.Doc, v.Unknown = d.DType, d.Shape, d.Doc, d.Unknown
		}
		if depth > 0 && (v.Const != nil || vals[o.GetName()] != v) {
			v = r.pass(g, v)
		}
		g.Outputs = append(g.Outputs, v)
	}
	for _, i := range p.ValueInfo {
		if v := vals[i.GetName()]; v != nil && v.Const == nil && v.From != nil {
			if d, err := valueOf(i); err == nil {
				v.DType, v.Shape, v.Doc, v.Unknown, v.Listed = d.DType, d.Shape, d.Doc, d.Unknown, true
			}
		}
	}
	rest := &onnxpb.GraphProto{QuantizationAnnotation: p.QuantizationAnnotation, MetadataProps: p.MetadataProps}
	rest.ProtoReflect().SetUnknown(p.ProtoReflect().GetUnknown())
	var err error
	if g.Unknown, err = proto.Marshal(rest); err != nil {
		return nil, err
	}
	return g, g.Sort()
}

// valueOf reads name, type and shape of a tensor value.
func valueOf(p *onnxpb.ValueInfoProto) (*graph.Value, error) {
	v := &graph.Value{Name: p.GetName(), Doc: p.GetDocString()}
	var err error
	if v.Unknown, err = restOfValue(p); err != nil {
		return nil, err
	}
	t := p.GetType().GetTensorType()
	if t == nil {
		if p.GetType() == nil || p.GetType().Value == nil {
			return v, nil
		}
		return nil, fmt.Errorf("value %q is not a tensor", v.Name)
	}
	if v.DType = tensor.DType(t.GetElemType()); t.GetElemType() > 255 || t.GetElemType() != 0 && !v.DType.Valid() {
		return nil, fmt.Errorf("value %q has data type %d, which Pare cannot hold", v.Name, t.GetElemType())
	}
	if t.Shape == nil {
		return v, nil
	}
	v.Shape = graph.Shape{}
	for i, d := range t.Shape.Dim {
		switch x := d.Value.(type) {
		case *onnxpb.TensorShapeProto_Dimension_DimValue:
			if x.DimValue < 0 || x.DimValue > math.MaxInt32 {
				return nil, fmt.Errorf("value %q: dimension %d is not possible", v.Name, x.DimValue)
			}
			v.Shape = append(v.Shape, graph.N(int(x.DimValue)))
		case *onnxpb.TensorShapeProto_Dimension_DimParam:
			v.Shape = append(v.Shape, graph.Sym(x.DimParam))
		default:
			v.Shape = append(v.Shape, graph.Sym(fmt.Sprintf("%s.%d", v.Name, i)))
		}
	}
	return v, nil
}
