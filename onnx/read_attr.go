package onnx

import (
	"fmt"

	"pare/graph"
	"pare/onnx/onnxpb"

	"google.golang.org/protobuf/proto"
)

// transformed is what f makes of each element, up to the first error.
func transformed[A, B any](in []A, f func(A) (B, error)) ([]B, error) {
	var out []B
	for _, x := range in {
		y, err := f(x)
		if err != nil {
			return nil, err
		}
		out = append(out, y)
	}
	return out, nil
}

// nested reads a subgraph.
func (s *graphReader) nested(p *onnxpb.GraphProto) (*graph.Graph, error) {
	return s.graph(p, s.g.Opset, s.here, s.depth+1)
}

func (s *graphReader) attr(p *onnxpb.AttributeProto) (graph.Attr, error) {
	a := graph.Attr{Name: p.GetName(), Kind: kindOf(p)}
	var err error
	if a.Unknown, err = restOfAttr(p); err != nil {
		return a, err
	}
	keep := false
	switch a.Kind {
	case graph.AttrFloat:
		a.F = p.GetF()
	case graph.AttrInt:
		a.I = p.GetI()
	case graph.AttrString:
		a.S = string(p.S)
	case graph.AttrTensor:
		a.T, err = s.tensor(p.GetT())
	case graph.AttrGraph:
		if p.G == nil {
			return a, fmt.Errorf("attribute %q holds no graph", a.Name)
		}
		a.G, err = s.nested(p.G)
	case graph.AttrFloats:
		a.Floats = append([]float32{}, p.Floats...)
	case graph.AttrInts:
		a.Ints = append([]int64{}, p.Ints...)
	case graph.AttrStrings:
		for _, b := range p.Strings {
			a.Strings = append(a.Strings, string(b))
		}
	case graph.AttrTensors:
		a.Tensors, err = transformed(p.Tensors, s.tensor)
	case graph.AttrGraphs:
		a.Graphs, err = transformed(p.Graphs, s.nested)
	default:
		keep = true
	}
	if err != nil {
		return a, fmt.Errorf("attribute %q: %w", a.Name, err)
	}
	if keep || p.GetRefAttrName() != "" {
		a.Raw, err = proto.Marshal(p)
	}
	return a, err
}

// kindOf is the attribute's type; files of IR 3 may leave it out.
func kindOf(p *onnxpb.AttributeProto) graph.AttrKind {
	if t := p.GetType(); t != 0 {
		return graph.AttrKind(t)
	}
	switch {
	case p.F != nil:
		return graph.AttrFloat
	case p.I != nil:
		return graph.AttrInt
	case p.S != nil:
		return graph.AttrString
	case p.T != nil:
		return graph.AttrTensor
	case p.G != nil:
		return graph.AttrGraph
	case len(p.Floats) > 0:
		return graph.AttrFloats
	case len(p.Ints) > 0:
		return graph.AttrInts
	case len(p.Strings) > 0:
		return graph.AttrStrings
	}
	return 0
}
