package onnx

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/onnx/onnxpb"
	"pare/tensor"
)

// graphReader reads one graph of a model.
type graphReader struct {
	*reader
	g     *graph.Graph
	here  *scope // what the graph defines, and what the graphs around it do
	depth int    // 0 is the outermost graph
}

// graph reads a graph; outer holds the values that an enclosing graph offers.
// Initialisers of subgraphs get names that no other value of the model has: the
// writer puts them into the outermost graph.
func (r *reader) graph(p *onnxpb.GraphProto, opset map[string]int, outer *scope, depth int) (*graph.Graph, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("subgraphs are nested more than %d deep", maxDepth)
	}
	s := &graphReader{reader: r, g: &graph.Graph{Name: p.GetName(), Doc: p.GetDocString(), Opset: opset},
		here: &scope{map[string]*graph.Value{}, outer}, depth: depth}
	for _, read := range []func(*onnxpb.GraphProto) error{s.initialisers, s.inputs, s.nodes, s.edges, s.outputs} {
		if err := read(p); err != nil {
			return nil, err
		}
	}
	s.valueInfo(p)
	var err error
	if s.g.Unknown, err = restOfMessage(p, &onnxpb.GraphProto{QuantizationAnnotation: p.QuantizationAnnotation, MetadataProps: p.MetadataProps}); err != nil {
		return nil, err
	}
	return s.g, s.g.Sort()
}

// define adds a value to the scope; what says in errors what it is.
func (s *graphReader) define(v *graph.Value, what string) error {
	if v.Name == "" {
		return fmt.Errorf("%s has no name", what)
	}
	if s.here.vals[v.Name] != nil {
		return fmt.Errorf("the name %q is given twice (%s)", v.Name, what)
	}
	s.here.vals[v.Name] = v
	if s.depth > 0 && v.Const != nil {
		v.Name = s.unique(v.Name)
	}
	return nil
}

func (s *graphReader) initialisers(p *onnxpb.GraphProto) error {
	for _, t := range p.Initializer {
		x, err := s.tensor(t)
		if err != nil {
			return err
		}
		v := &graph.Value{Name: t.GetName(), DType: x.DType, Shape: graph.Dims(x.Shape...), Const: x, Doc: t.GetDocString()}
		if v.Unknown, err = restOfTensor(t); err != nil {
			return err
		}
		if err := s.define(v, "an initialiser"); err != nil {
			return err
		}
	}
	for _, t := range p.SparseInitializer {
		x, err := s.sparse(t)
		if err != nil {
			return err
		}
		if err := s.define(&graph.Value{Name: t.GetValues().GetName(), DType: x.DType, Shape: graph.Dims(x.Shape...), Const: x}, "a sparse initialiser"); err != nil {
			return err
		}
	}
	return nil
}

func (s *graphReader) inputs(p *onnxpb.GraphProto) error {
	for _, in := range p.Input {
		if v := s.here.vals[in.GetName()]; v != nil && v.Const != nil {
			continue // before IR 4 initialisers are listed among the inputs
		}
		v, err := valueOf(in)
		if err != nil {
			return err
		}
		if err := s.define(v, "an input"); err != nil {
			return err
		}
		s.g.Inputs = append(s.g.Inputs, v)
	}
	return nil
}

// nodes reads the nodes with their outputs. What they read comes after: it may
// be defined by a later node.
func (s *graphReader) nodes(p *onnxpb.GraphProto) error {
	for _, n := range p.Node {
		k := &graph.Node{Op: n.GetOpType(), Domain: domainOf(n.GetDomain()), Name: n.GetName(), Doc: n.GetDocString()}
		var err error
		if k.Unknown, err = restOfMessage(n, &onnxpb.NodeProto{Overload: n.Overload, MetadataProps: n.MetadataProps}); err != nil {
			return err
		}
		for _, o := range n.Output {
			if o == "" {
				k.Outputs = append(k.Outputs, nil)
				continue
			}
			v := &graph.Value{Name: o, From: k}
			if err := s.define(v, fmt.Sprintf("an output of node %q (%s)", k.Name, k.Op)); err != nil {
				return err
			}
			k.Outputs = append(k.Outputs, v)
		}
		s.g.Nodes = append(s.g.Nodes, k)
	}
	return nil
}

// edges gives the nodes their inputs and attributes.
func (s *graphReader) edges(p *onnxpb.GraphProto) error {
	for i, n := range p.Node {
		k := s.g.Nodes[i]
		for _, in := range n.Input {
			if in == "" {
				k.Inputs = append(k.Inputs, nil)
				continue
			}
			v := s.here.find(in)
			if v == nil {
				return fmt.Errorf("node %q (%s) reads %q, which nothing defines", k.Name, k.Op, in)
			}
			k.Inputs = append(k.Inputs, v)
		}
		for _, a := range n.Attribute {
			at, err := s.attr(a)
			if err != nil {
				return fmt.Errorf("node %q (%s): %w", k.Name, k.Op, err)
			}
			k.Attrs = append(k.Attrs, at)
		}
	}
	return nil
}

func (s *graphReader) outputs(p *onnxpb.GraphProto) error {
	for _, o := range p.Output {
		v := s.here.find(o.GetName())
		if v == nil {
			return fmt.Errorf("output %q of the graph is defined by nothing", o.GetName())
		}
		if d, err := valueOf(o); err == nil && v.Const == nil && v.From != nil {
			v.DType, v.Shape, v.Doc, v.Unknown = d.DType, d.Shape, d.Doc, d.Unknown
		} else if err != nil && v.From != nil { // a sequence or a map
			if v.Unknown, err = restOfMessage(o, &onnxpb.ValueInfoProto{Type: o.Type, MetadataProps: o.MetadataProps}); err != nil {
				return err
			}
			v.Doc = o.GetDocString()
		}
		if s.depth > 0 && (v.Const != nil || s.here.vals[o.GetName()] != v) {
			v = s.pass(s.g, v)
		}
		s.g.Outputs = append(s.g.Outputs, v)
	}
	return nil
}

// valueInfo takes over what the file says of values between nodes.
func (s *graphReader) valueInfo(p *onnxpb.GraphProto) {
	for _, i := range p.ValueInfo {
		if v := s.here.vals[i.GetName()]; v != nil && v.Const == nil && v.From != nil {
			if d, err := valueOf(i); err == nil {
				v.DType, v.Shape, v.Doc, v.Unknown, v.Listed = d.DType, d.Shape, d.Doc, d.Unknown, true
			}
		}
	}
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
			if x.DimValue == -1 { // some exporters write what they do not know like this
				v.Shape = append(v.Shape, unnamed(v, i))
				continue
			}
			if x.DimValue < 0 || x.DimValue > math.MaxInt32 {
				return nil, fmt.Errorf("value %q: dimension %d is not possible", v.Name, x.DimValue)
			}
			v.Shape = append(v.Shape, graph.N(int(x.DimValue)))
		case *onnxpb.TensorShapeProto_Dimension_DimParam:
			if x.DimParam == "" {
				v.Shape = append(v.Shape, unnamed(v, i))
				continue
			}
			v.Shape = append(v.Shape, graph.Sym(x.DimParam))
		default:
			v.Shape = append(v.Shape, unnamed(v, i))
		}
	}
	return v, nil
}

// unnamed is a size that the file leaves open without a name for it.
func unnamed(v *graph.Value, axis int) graph.Dim {
	return graph.Sym(fmt.Sprintf("%s.%d", v.Name, axis))
}
