package onnx

import (
	"bytes"
	"fmt"
	"strconv"

	"pare/graph"
	"pare/graph/op"
	"pare/onnx/onnxpb"
	"pare/tensor"

	"google.golang.org/protobuf/proto"
)

// Options of writing.
type Options struct {
	Sparse   bool // weights that it makes smaller, two thirds of them zero, become sparse_initializers
	Half     bool // in Pare's sparse form, large float32 weights are rounded to float16
	External bool // weights go to a file next to the model (always above 1.9 GB)
}

// maxInline is the size above which protobuf cannot hold a model.
const maxInline = 1_900_000_000

// Write writes a model file beside its place, and renames it. Weights that go to a file
// of their own are written before, to one that no model has named yet: whenever the
// process ends, the old network or the new one is whole.
func Write(path string, g *graph.Graph, o Options) error {
	size := 0
	for _, v := range g.Consts() {
		size += v.Const.Bytes()
	}
	w := &writer{opt: o, outside: o.External || size > maxInline}
	m, err := w.model(g)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f, err := openOutput(path, w.outside)
	if err != nil {
		return err
	}
	defer f.close()
	if w.outside {
		name, err := f.writeData(w.parts)
		if err != nil {
			return err
		}
		for _, l := range w.locations {
			l.Value = proto.String(name)
		}
	}
	e, err := w.layOut(m)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.write(e.writeTo)
}

// Encode writes a model to memory, weights inside.
func Encode(g *graph.Graph, o Options) ([]byte, error) {
	e, err := encoded(g, o)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(int(e.size()))
	err = e.writeTo(&b)
	return b.Bytes(), err
}

// Size is the number of bytes of a model in one file, which it does not make.
func Size(g *graph.Graph, o Options) (int64, error) {
	e, err := encoded(g, o)
	if err != nil {
		return 0, err
	}
	return e.size(), nil
}

func encoded(g *graph.Graph, o Options) (*layout, error) {
	w := &writer{opt: o}
	m, err := w.model(g)
	if err != nil {
		return nil, err
	}
	return w.layOut(m)
}

type writer struct {
	opt     Options
	outside bool // large weights go to a file of their own
	names   *names
	raw     map[*onnxpb.TensorProto]*tensor.Tensor // contents that the messages do not hold

	parts     []part                           // of the file of weights
	locations []*onnxpb.StringStringEntryProto // that name it
	end       int64                            // its length so far
}

// part is a tensor at its place in the file of weights.
type part struct {
	at int64
	t  *tensor.Tensor
}

// model makes the message of a model. The contents of its initialisers are in w.raw.
func (w *writer) model(g *graph.Graph) (*onnxpb.ModelProto, error) {
	g, err := op.AsStored(g)
	if err != nil {
		return nil, err
	}
	w.names, w.raw = namesOf(g), map[*onnxpb.TensorProto]*tensor.Tensor{}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(g.Meta.Unknown, m); err != nil {
		return nil, err
	}
	ir := g.Meta.IRVersion
	if ir < 4 {
		ir = 4 // initialisers need not be inputs from IR 4 on
	}
	m.IrVersion = proto.Int64(ir)
	set := func(p **string, s string) {
		if s != "" {
			*p = proto.String(s)
		}
	}
	set(&m.ProducerName, g.Meta.Producer)
	set(&m.ProducerVersion, g.Meta.ProducerVersion)
	set(&m.Domain, g.Meta.Domain)
	set(&m.DocString, g.Meta.Doc)
	if g.Meta.ModelVersion != 0 {
		m.ModelVersion = proto.Int64(g.Meta.ModelVersion)
	}
	for _, p := range g.Meta.Props {
		m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String(p.Key), Value: proto.String(p.Value)})
	}
	for _, d := range sorted(g.Opset) {
		if d != graph.Pare {
			m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String(d), Version: proto.Int64(int64(g.Opset[d]))})
		}
	}
	if m.Graph, err = w.graph(g); err != nil {
		return nil, err
	}
	for _, v := range g.Consts() { // those of subgraphs too
		if err := w.initialiser(m.Graph, v); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func sorted(m map[string]int) []string {
	var out []string
	for k := range m {
		i := len(out)
		for i > 0 && out[i-1] > k {
			i--
		}
		out = append(out[:i], append([]string{k}, out[i:]...)...)
	}
	return out
}

func (w *writer) graph(g *graph.Graph) (*onnxpb.GraphProto, error) {
	p := &onnxpb.GraphProto{}
	if err := proto.Unmarshal(g.Unknown, p); err != nil {
		return nil, err
	}
	p.Name = proto.String(g.Name)
	if g.Doc != "" {
		p.DocString = proto.String(g.Doc)
	}
	for _, v := range g.Inputs {
		p.Input = append(p.Input, w.info(v))
	}
	for _, n := range g.Nodes {
		if n.Domain == graph.Pare {
			return nil, fmt.Errorf("node %q (pare.%s) belongs to training and cannot be written to a file", n.Name, n.Op)
		}
		q, err := w.node(n)
		if err != nil {
			return nil, err
		}
		p.Node = append(p.Node, q)
		for _, v := range n.Outputs {
			if v != nil && v.Listed && v.DType != tensor.Undefined && !g.IsOutput(v) {
				p.ValueInfo = append(p.ValueInfo, w.info(v))
			}
		}
	}
	for _, v := range g.Outputs {
		p.Output = append(p.Output, w.info(v))
	}
	return p, nil
}

func (w *writer) info(v *graph.Value) *onnxpb.ValueInfoProto {
	p := &onnxpb.ValueInfoProto{Name: proto.String(w.names.values[v])}
	if v.Doc != "" {
		p.DocString = proto.String(v.Doc)
	}
	t := &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(v.DType))}
	if v.Shape != nil {
		t.Shape = &onnxpb.TensorShapeProto{}
		for _, d := range v.Shape {
			k := &onnxpb.TensorShapeProto_Dimension{}
			if d.Known() {
				k.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d.Mul)}
			} else {
				k.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d.String()}
			}
			t.Shape.Dim = append(t.Shape.Dim, k)
		}
	}
	if v.DType != tensor.Undefined || v.Shape != nil {
		p.Type = &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: t}}
	}
	if v.Const == nil {
		withRest(p, v.Unknown)
	}
	return p
}

func (w *writer) node(n *graph.Node) (*onnxpb.NodeProto, error) {
	p := &onnxpb.NodeProto{}
	if err := proto.Unmarshal(n.Unknown, p); err != nil {
		return nil, err
	}
	p.OpType = proto.String(n.Op)
	if name := w.names.nodes[n]; name != "" {
		p.Name = proto.String(name)
	}
	if n.Domain != "" {
		p.Domain = proto.String(n.Domain)
	}
	if n.Doc != "" {
		p.DocString = proto.String(n.Doc)
	}
	p.Input, p.Output = w.names.of(n.Inputs), w.names.of(n.Outputs)
	for i := range n.Attrs {
		a, err := w.attr(&n.Attrs[i])
		if err != nil {
			return nil, fmt.Errorf("node %q (%s): %w", n.Name, n.Op, err)
		}
		p.Attribute = append(p.Attribute, a)
	}
	return p, nil
}

func (w *writer) attr(a *graph.Attr) (*onnxpb.AttributeProto, error) {
	p := &onnxpb.AttributeProto{}
	if a.Raw != nil {
		return p, proto.Unmarshal(a.Raw, p)
	}
	if err := proto.Unmarshal(a.Unknown, p); err != nil {
		return nil, err
	}
	p.Name = proto.String(a.Name)
	p.Type = onnxpb.AttributeProto_AttributeType(a.Kind).Enum()
	var err error
	switch a.Kind {
	case graph.AttrFloat:
		p.F = proto.Float32(a.F)
	case graph.AttrInt:
		p.I = proto.Int64(a.I)
	case graph.AttrString:
		p.S = []byte(a.S)
	case graph.AttrTensor:
		p.T = tensorProto("", a.T)
	case graph.AttrGraph:
		p.G, err = w.graph(a.G)
	case graph.AttrFloats:
		p.Floats = a.Floats
	case graph.AttrInts:
		p.Ints = a.Ints
	case graph.AttrStrings:
		for _, s := range a.Strings {
			p.Strings = append(p.Strings, []byte(s))
		}
	case graph.AttrTensors:
		for _, t := range a.Tensors {
			p.Tensors = append(p.Tensors, tensorProto("", t))
		}
	case graph.AttrGraphs:
		p.Graphs, err = transformed(a.Graphs, w.graph)
	default:
		err = fmt.Errorf("attribute %q has kind %d", a.Name, a.Kind)
	}
	return p, err
}

// headerOf is a tensor's message without its contents.
func headerOf(name string, t *tensor.Tensor) *onnxpb.TensorProto {
	p := &onnxpb.TensorProto{DataType: proto.Int32(int32(t.DType))}
	if name != "" {
		p.Name = proto.String(name)
	}
	for _, d := range t.Shape {
		p.Dims = append(p.Dims, int64(d))
	}
	return p
}

func fillStrings(p *onnxpb.TensorProto, t *tensor.Tensor) {
	for _, x := range tensor.Of[string](t) {
		p.StringData = append(p.StringData, []byte(x))
	}
}

func tensorProto(name string, t *tensor.Tensor) *onnxpb.TensorProto {
	p := headerOf(name, t)
	if t.DType == tensor.String {
		fillStrings(p, t)
	} else {
		p.RawData = t.Raw()
	}
	return p
}

func (w *writer) initialiser(g *onnxpb.GraphProto, v *graph.Value) error {
	if w.opt.Sparse && v.DType == tensor.Float32 && len(v.Const.Shape) > 0 {
		if s := sparseProto(w.names.values[v], v); s != nil {
			g.SparseInitializer = append(g.SparseInitializer, s)
			return nil
		}
	}
	p := headerOf(w.names.values[v], v.Const)
	if v.Doc != "" {
		p.DocString = proto.String(v.Doc)
	}
	withTensorRest(p, v)
	g.Initializer = append(g.Initializer, p)
	switch n := int64(v.Const.Bytes()); {
	case v.DType == tensor.String:
		fillStrings(p, v.Const)
	case w.outside && n >= 1024:
		w.end = (w.end + 63) / 64 * 64
		p.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
		for _, e := range [][2]string{{"location", ""}, {"offset", strconv.FormatInt(w.end, 10)}, {"length", strconv.FormatInt(n, 10)}} {
			p.ExternalData = append(p.ExternalData, &onnxpb.StringStringEntryProto{Key: proto.String(e[0]), Value: proto.String(e[1])})
		}
		w.locations = append(w.locations, p.ExternalData[0])
		w.parts = append(w.parts, part{w.end, v.Const})
		w.end += n
	default:
		w.raw[p] = v.Const
	}
	return nil
}

// sparseProto is the sparse form of a weight, nil where it would not be smaller.
func sparseProto(name string, v *graph.Value) *onnxpb.SparseTensorProto {
	var vals []float32
	var idx []int64
	for i, x := range v.Const.F32() {
		if x != 0 {
			vals, idx = append(vals, x), append(idx, int64(i))
		}
	}
	if len(vals)*3 >= v.Const.Len() {
		return nil
	}
	p := &onnxpb.SparseTensorProto{Values: tensorProto(name, tensor.Vector(vals...)), Indices: tensorProto(name+"_indices", tensor.Vector(idx...))}
	for _, d := range v.Const.Shape {
		p.Dims = append(p.Dims, int64(d))
	}
	return p
}
