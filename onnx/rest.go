package onnx

import (
	"slices"

	"pare/graph"
	"pare/onnx/onnxpb"

	"google.golang.org/protobuf/proto"
)

// What a file says of a value, a tensor or an attribute that the graph does not
// hold is kept as wire bytes in Unknown, and written again: documentation of
// attributes, metadata, denotations, fields that Pare does not know.

// restOfMessage gives the wire bytes of rest, the fields of a message that the
// graph does not hold, with the fields of the message that Pare does not know.
func restOfMessage(p, rest proto.Message) ([]byte, error) {
	rest.ProtoReflect().SetUnknown(p.ProtoReflect().GetUnknown())
	return proto.Marshal(rest)
}

// restOfValue is the rest of a value's entry, nil where there is none.
func restOfValue(p *onnxpb.ValueInfoProto) ([]byte, error) {
	dims := p.GetType().GetTensorType().GetShape().GetDim()
	named := slices.ContainsFunc(dims, func(d *onnxpb.TensorShapeProto_Dimension) bool { return d.Denotation != nil })
	unknown := p.ProtoReflect().GetUnknown()
	if p.MetadataProps == nil && unknown == nil && !named && p.GetType().GetDenotation() == "" {
		return nil, nil
	}
	rest := &onnxpb.ValueInfoProto{MetadataProps: p.MetadataProps}
	if t := p.Type; t != nil && (named || t.Denotation != nil) {
		rest.Type = &onnxpb.TypeProto{Denotation: t.Denotation}
		if named {
			shape := &onnxpb.TensorShapeProto{}
			for _, d := range dims {
				shape.Dim = append(shape.Dim, &onnxpb.TensorShapeProto_Dimension{Denotation: d.Denotation})
			}
			rest.Type.Value = &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{Shape: shape}}
		}
	}
	return restOfMessage(p, rest)
}

// withRest puts the rest of a value back into its entry. Denotations go to the
// axes while their number stays the same.
func withRest(p *onnxpb.ValueInfoProto, unknown []byte) {
	rest := &onnxpb.ValueInfoProto{}
	if len(unknown) == 0 || proto.Unmarshal(unknown, rest) != nil {
		return
	}
	p.MetadataProps = rest.MetadataProps
	p.ProtoReflect().SetUnknown(rest.ProtoReflect().GetUnknown())
	if t := rest.Type; t.GetValue() != nil && (t.GetTensorType() == nil || t.GetTensorType().ElemType != nil) { // no tensor, or none that Pare can hold
		p.Type = t
		return
	}
	if p.Type == nil || rest.Type == nil {
		return
	}
	p.Type.Denotation = rest.Type.Denotation
	was, is := rest.Type.GetTensorType().GetShape().GetDim(), p.Type.GetTensorType().GetShape().GetDim()
	if len(was) != len(is) {
		return
	}
	for i, d := range was {
		is[i].Denotation = d.Denotation
	}
}

// restOfTensor is the rest of an initialiser.
func restOfTensor(p *onnxpb.TensorProto) ([]byte, error) {
	if p.MetadataProps == nil && p.ProtoReflect().GetUnknown() == nil {
		return nil, nil
	}
	return restOfMessage(p, &onnxpb.TensorProto{MetadataProps: p.MetadataProps})
}

// withTensorRest puts it back.
func withTensorRest(p *onnxpb.TensorProto, v *graph.Value) {
	rest := &onnxpb.TensorProto{}
	if len(v.Unknown) > 0 && proto.Unmarshal(v.Unknown, rest) == nil {
		p.MetadataProps = rest.MetadataProps
		p.ProtoReflect().SetUnknown(rest.ProtoReflect().GetUnknown())
	}
}

// restOfAttr is the rest of an attribute.
func restOfAttr(p *onnxpb.AttributeProto) ([]byte, error) {
	if p.DocString == nil && p.ProtoReflect().GetUnknown() == nil {
		return nil, nil
	}
	return restOfMessage(p, &onnxpb.AttributeProto{DocString: p.DocString})
}
