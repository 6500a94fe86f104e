package model_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pare/internal/modeltest"
	"pare/measure"
	"pare/model"
	"pare/model/oneshot"
	"pare/onnx"
	"pare/onnx/onnxpb"

	"google.golang.org/protobuf/proto"
)

// However a file leaves a size open, by a name, without one, as -1, as 0, or the whole
// rank, it is free: the data decides it, and the network trains as with fixed sizes.
func TestOpenSizes(t *testing.T) {
	type dim = onnxpb.TensorShapeProto_Dimension
	number := func(n int64) func(*dim) {
		return func(d *dim) { d.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: n} }
	}
	named := func(s string) func(*dim) {
		return func(d *dim) { d.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: s} }
	}
	var want []byte
	for _, c := range []struct {
		what string
		set  func(*dim)
	}{
		{"fixed", number(8)}, {"a name", named("S")}, {"no name", func(d *dim) { d.Value = nil }}, {"an empty name", named("")}, {"-1", number(-1)}, {"0", number(0)},
		{"no rank", nil},
	} {
		j := modeltest.ConvJob(t, "resnet8")
		b, err := onnx.Encode(j.Graph, onnx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m := &onnxpb.ModelProto{}
		if err := proto.Unmarshal(b, m); err != nil {
			t.Fatal(err)
		}
		shape := m.Graph.Input[0].Type.GetTensorType().Shape
		if c.set == nil {
			m.Graph.Input[0].Type.GetTensorType().Shape = nil
		} else {
			c.set(shape.Dim[2])
			c.set(shape.Dim[3])
		}
		m.Graph.ValueInfo = nil
		if b, err = proto.Marshal(m); err != nil {
			t.Fatal(err)
		}
		if j.Graph, err = onnx.Decode(b, ""); err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		notes, err := model.Prepare(j.Graph)
		if err != nil || (c.what == "0") != strings.Contains(fmt.Sprint(notes), "has size 0 in the file") {
			t.Errorf("%s: %v, %v", c.what, notes, err)
			continue
		}
		if _, err := model.Fits(j.Graph, j.Data, j.Judge()); err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		r := modeltest.Run(t, &oneshot.GlobalMP{Sparsity: .5}, j)
		got := modeltest.Bits(r.Graph)
		if want == nil {
			want = got
		}
		if string(got) != string(want) {
			t.Errorf("%s: other weights", c.what)
		}
		s, _ := measure.Count(r.Graph)
		m0, _ := measure.Count(modeltest.ConvJob(t, "resnet8").Graph)
		if s.MACs != m0.MACs {
			t.Errorf("%s: %d multiply-accumulates, want %d", c.what, s.MACs, m0.MACs)
		}
		if _, err := measure.Metrics(context.Background(), r.Graph, j.Data, j.Judge(), j.Engine); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}
