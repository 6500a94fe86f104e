package onnx

import (
	"testing"

	"pare/graph/op"
	"pare/onnx/onnxpb"

	"google.golang.org/protobuf/proto"
)

// An output that is a sequence of maps, as a ZipMap makes it, stays one in the file that
// is written, though Pare computes it as a tensor; and what is said of it stays.
func TestOutputOfMaps(t *testing.T) {
	tensorOf := func(d int32) *onnxpb.TypeProto {
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(d), Shape: &onnxpb.TensorShapeProto{}}}}
	}
	maps := &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{SequenceType: &onnxpb.TypeProto_Sequence{ElemType: &onnxpb.TypeProto{
		Value: &onnxpb.TypeProto_MapType{MapType: &onnxpb.TypeProto_Map{KeyType: proto.Int32(7), ValueType: tensorOf(1)}}}}}}
	in := tensorOf(1)
	for range 2 {
		in.GetTensorType().Shape.Dim = append(in.GetTensorType().Shape.Dim, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: 2}})
	}
	m := &onnxpb.ModelProto{IrVersion: proto.Int64(8), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}, {Domain: proto.String(op.LearnedDomain), Version: proto.Int64(3)}},
		Graph: &onnxpb.GraphProto{Name: proto.String("g"),
			Input:  []*onnxpb.ValueInfoProto{{Name: proto.String("x"), Type: in}},
			Output: []*onnxpb.ValueInfoProto{{Name: proto.String("z"), DocString: proto.String("by class"), Type: maps}},
			Node: []*onnxpb.NodeProto{{OpType: proto.String("ZipMap"), Domain: proto.String(op.LearnedDomain), Input: []string{"x"}, Output: []string{"z"},
				Attribute: []*onnxpb.AttributeProto{{Name: proto.String("classlabels_int64s"), Type: onnxpb.AttributeProto_INTS.Enum(), Ints: []int64{4, 5}}}}}}}
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	g, err := Decode(b, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Simplify(g); err != nil {
		t.Fatal(err)
	}
	if s := g.Outputs[0].Shape.String(); s != "[2 2]" {
		t.Errorf("it is computed as %s, want [2 2]", s)
	}
	if b, err = Encode(g, Options{}); err != nil {
		t.Fatal(err)
	}
	again := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(b, again); err != nil {
		t.Fatal(err)
	}
	if o := again.Graph.Output[0]; !proto.Equal(o, m.Graph.Output[0]) {
		t.Errorf("the output is %v, want %v", o, m.Graph.Output[0])
	}
}
