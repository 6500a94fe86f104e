package onnx

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pare/graph"
	"pare/onnx/onnxpb"
	"pare/tensor"
	"pare/zoo"

	"google.golang.org/protobuf/proto"
)

// all is a graph with an initialiser of every type.
func all() *graph.Graph {
	g := graph.New("all", 17)
	g.Meta.Props = []graph.Prop{{Key: "k", Value: "v"}}
	g.Meta.Doc = "doc"
	r := rand.New(rand.NewPCG(1, 1))
	for d := tensor.Float32; d <= tensor.BFloat16; d++ {
		if !d.Valid() {
			continue
		}
		t := tensor.New(d, 2, 3)
		if s := tensor.Of[string](t); s != nil {
			s[1] = "x\x00y"
		} else {
			b := make([]byte, 6*d.Size())
			for i := range b {
				b[i] = byte(r.UintN(256))
				if d == tensor.Bool {
					b[i] &= 1
				}
			}
			t, _ = tensor.FromRaw(b, d, 2, 3)
		}
		c := g.Const("c_"+d.String(), t, graph.Auto)
		n := g.Add("Identity", "", []*graph.Value{c}, []string{"y_" + d.String()})
		n.Set("i", 3).Set("f", 1.5).Set("s", "text").Set("is", []int{1, 2}).Set("fs", []float32{1, 2}).Set("ss", []string{"a", ""}).Set("t", tensor.Scalar(int64(7)))
		o := n.Outputs[0]
		o.DType, o.Shape = d, graph.Shape{graph.N(2), graph.Sym("M")}
		g.Outputs = append(g.Outputs, o)
	}
	return g
}

func raws(g *graph.Graph) map[string][]byte {
	out := map[string][]byte{}
	for _, v := range g.Consts() {
		out[v.Name] = append(v.Const.Raw(), []byte(strings.Join(tensor.Of[string](v.Const), "|"))...)
	}
	return out
}

// Reading what was written gives the same graph, in every form.
func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	g := all()
	for _, name := range []string{"a.onnx", "b.pare", "c.onnx"} {
		path := filepath.Join(dir, name)
		if err := Save(path, g, Options{External: name == "c.onnx"}); err != nil {
			t.Fatal(err)
		}
		h, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if g.String() != h.String() {
			t.Errorf("%s: the graph differs:\n%v\n%v", name, g, h)
		}
		if !reflect.DeepEqual(raws(g), raws(h)) {
			t.Errorf("%s: initialisers differ", name)
		}
		for i, n := range g.Nodes {
			if !reflect.DeepEqual(n.Attrs, h.Nodes[i].Attrs) {
				t.Errorf("%s: attributes differ: %+v, %+v", name, n.Attrs, h.Nodes[i].Attrs)
			}
		}
		if h.Meta.Doc != "doc" || len(h.Meta.Props) != 1 {
			t.Errorf("%s: metadata %+v", name, h.Meta)
		}
	}
}

// Data in the typed fields reads as the raw bytes do.
func TestTyped(t *testing.T) {
	g := all()
	b, _ := Encode(g, Options{})
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	for _, x := range m.Graph.Initializer {
		raw := x.RawData
		x.RawData = nil
		switch tensor.DType(x.GetDataType()) {
		case tensor.Float32:
			for ; len(raw) > 0; raw = raw[4:] {
				x.FloatData = append(x.FloatData, math.Float32frombits(le.Uint32(raw)))
			}
		case tensor.Float64:
			for ; len(raw) > 0; raw = raw[8:] {
				x.DoubleData = append(x.DoubleData, math.Float64frombits(le.Uint64(raw)))
			}
		case tensor.Int64:
			for ; len(raw) > 0; raw = raw[8:] {
				x.Int64Data = append(x.Int64Data, int64(le.Uint64(raw)))
			}
		case tensor.Uint64:
			for ; len(raw) > 0; raw = raw[8:] {
				x.Uint64Data = append(x.Uint64Data, le.Uint64(raw))
			}
		case tensor.Uint32:
			for ; len(raw) > 0; raw = raw[4:] {
				x.Uint64Data = append(x.Uint64Data, uint64(le.Uint32(raw)))
			}
		case tensor.Int32:
			for ; len(raw) > 0; raw = raw[4:] {
				x.Int32Data = append(x.Int32Data, int32(le.Uint32(raw)))
			}
		case tensor.Int16:
			for ; len(raw) > 0; raw = raw[2:] {
				x.Int32Data = append(x.Int32Data, int32(int16(le.Uint16(raw))))
			}
		case tensor.Uint16, tensor.Float16, tensor.BFloat16:
			for ; len(raw) > 0; raw = raw[2:] {
				x.Int32Data = append(x.Int32Data, int32(le.Uint16(raw)))
			}
		case tensor.Int8:
			for _, v := range raw {
				x.Int32Data = append(x.Int32Data, int32(int8(v)))
			}
		case tensor.Uint8, tensor.Bool:
			for _, v := range raw {
				x.Int32Data = append(x.Int32Data, int32(v))
			}
		}
	}
	b, _ = proto.Marshal(m)
	h, err := Decode(b, "")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(raws(g), raws(h)) {
		t.Error("initialisers differ")
	}
}

// Fields that Pare does not know come through unchanged.
func TestUnknownFields(t *testing.T) {
	b, err := Encode(all(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	extra := []byte{0xfa, 0x3e, 3, 'a', 'b', 'c'} // field 1007
	m.ProtoReflect().SetUnknown(extra)
	m.Graph.ProtoReflect().SetUnknown(extra)
	m.Graph.Node[0].ProtoReflect().SetUnknown(extra)
	b, _ = proto.Marshal(m)
	g, err := Decode(b, "")
	if err != nil {
		t.Fatal(err)
	}
	b, _ = Encode(g, Options{})
	if n := bytes.Count(b, extra); n != 3 {
		t.Errorf("%d of 3 unknown fields are left", n)
	}
}

// What a file says of values, tensors and attributes beside their contents comes
// through, and so do the types of values between.
func TestRest(t *testing.T) {
	b, err := Encode(all(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	meta := []*onnxpb.StringStringEntryProto{{Key: proto.String("k"), Value: proto.String("v")}}
	extra := []byte{0xfa, 0x3e, 3, 'a', 'b', 'c'} // field 1007
	g := m.Graph
	g.Initializer[0].MetadataProps, g.Output[0].MetadataProps = meta, meta
	g.Initializer[0].ProtoReflect().SetUnknown(extra)
	g.Output[0].ProtoReflect().SetUnknown(extra)
	g.Output[0].Type.Denotation = proto.String("TENSOR")
	g.Output[0].Type.GetTensorType().Shape.Dim[1].Denotation = proto.String("DATA_FEATURE")
	g.Node[0].Attribute[0].DocString = proto.String("doc")
	g.Node[0].Attribute[0].ProtoReflect().SetUnknown(extra)
	g.Node = append(g.Node, &onnxpb.NodeProto{OpType: proto.String("Identity"), Input: []string{g.Output[0].GetName()}, Output: []string{"between"}},
		&onnxpb.NodeProto{OpType: proto.String("Identity"), Input: []string{"between"}, Output: []string{"end"}})
	info := proto.Clone(g.Output[0]).(*onnxpb.ValueInfoProto)
	info.Name = proto.String("between")
	g.ValueInfo = append(g.ValueInfo, info)
	end := proto.Clone(g.Output[0]).(*onnxpb.ValueInfoProto)
	end.Name = proto.String("end")
	g.Output = append(g.Output, end)
	b, _ = proto.Marshal(m)
	h, err := Decode(b, "")
	if err != nil {
		t.Fatal(err)
	}
	c, _ := h.Clone(true)
	for _, h := range []*graph.Graph{h, c} {
		b, err = Encode(h, Options{})
		if err != nil {
			t.Fatal(err)
		}
		n := &onnxpb.ModelProto{}
		if err := proto.Unmarshal(b, n); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(m.Graph, n.Graph) {
			t.Errorf("read and written, the graph is\n%v\nit was\n%v", n.Graph, m.Graph)
		}
	}
}

// 90 % zeros take at most 0.12 of the dense file and load back exactly; in half
// precision 0.07, and as float16 rounds.
func TestSparseSize(t *testing.T) {
	g, err := zoo.New("lenet-300-100", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(2, 2))
	for _, v := range g.Params() {
		if len(v.Shape) == 2 {
			for i := range v.Const.F32() {
				if r.IntN(10) > 0 {
					v.Const.F32()[i] = 0
				}
			}
		}
	}
	g.Params()[0].Const.F32()[5] = float32(math.Copysign(0, -1))
	dense, _ := Encode(g, Options{})
	sparse, err := EncodeSparse(g, false)
	if err != nil {
		t.Fatal(err)
	}
	if f := float64(len(sparse)) / float64(len(dense)); f > .12 {
		t.Errorf("the sparse form takes %.3f of the dense file", f)
	}
	half, err := EncodeSparse(g, true)
	if err != nil {
		t.Fatal(err)
	}
	if f := float64(len(half)) / float64(len(dense)); f > .07 {
		t.Errorf("the sparse form with halves takes %.3f of the dense file", f)
	}
	k, err := DecodeSparse(half)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range g.Params() {
		for j, x := range v.Const.F32() {
			if y := k.Value(v.Name).Const.F32()[j]; math.Abs(float64(x-y)) > math.Abs(float64(x))/2048+6e-8 {
				t.Fatalf("%s: %v became %v", v.Name, x, y)
			}
		}
	}
	h, err := DecodeSparse(sparse)
	if err != nil || !reflect.DeepEqual(raws(g), raws(h)) {
		t.Errorf("weights differ (%v)", err)
	}
	b, _ := Encode(g, Options{Sparse: true})
	if h, err = Decode(b, ""); err != nil {
		t.Fatal(err)
	}
	for name, x := range raws(g) {
		for i, y := range raws(h)[name] {
			if x[i] != y && !(x[i] == 0x80 && y == 0) { // -0 is a zero to ONNX
				t.Fatalf("sparse_initializer of %s differs", name)
			}
		}
	}
}

func TestBadFiles(t *testing.T) {
	good, _ := Encode(all(), Options{})
	dir := t.TempDir()
	edit := func(f func(m *onnxpb.ModelProto)) []byte {
		m := &onnxpb.ModelProto{}
		if err := proto.Unmarshal(good, m); err != nil {
			t.Fatal(err)
		}
		f(m)
		b, _ := proto.Marshal(m)
		return b
	}
	external := func(loc, off, n string) []byte {
		return edit(func(m *onnxpb.ModelProto) {
			x := m.Graph.Initializer[0]
			x.RawData, x.DataLocation = nil, onnxpb.TensorProto_EXTERNAL.Enum()
			for _, e := range [][2]string{{"location", loc}, {"offset", off}, {"length", n}} {
				x.ExternalData = append(x.ExternalData, &onnxpb.StringStringEntryProto{Key: &e[0], Value: &e[1]})
			}
		})
	}
	os.WriteFile(filepath.Join(dir, "short"), make([]byte, 8), 0o644) //nolint:errcheck // the test fails below
	os.Symlink("/etc/hostname", filepath.Join(dir, "link"))           //nolint:errcheck // the test fails below
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":       {nil, "is empty"},
		"text":        {[]byte("hello world"), "ONNX"},
		"cut":         {good[:len(good)/2], "damaged"},
		"huge dims":   {edit(func(m *onnxpb.ModelProto) { m.Graph.Initializer[0].Dims = []int64{1 << 20, 1 << 20} }), "needed"},
		"overflow":    {edit(func(m *onnxpb.ModelProto) { m.Graph.Initializer[0].Dims = []int64{1 << 32, 1 << 32, 1 << 32} }), "overflow"},
		"negative":    {edit(func(m *onnxpb.ModelProto) { m.Graph.Initializer[0].Dims[0] = -1 }), "not possible"},
		"type":        {edit(func(m *onnxpb.ModelProto) { m.Graph.Initializer[0].DataType = proto.Int32(99) }), "data type 99"},
		"twice":       {edit(func(m *onnxpb.ModelProto) { m.Graph.Node[1].Output[0] = m.Graph.Node[0].Output[0] }), "twice"},
		"undefined":   {edit(func(m *onnxpb.ModelProto) { m.Graph.Node[0].Input[0] = "nobody" }), "nobody"},
		"cycle":       {edit(func(m *onnxpb.ModelProto) { m.Graph.Node[0].Input[0] = m.Graph.Node[0].Output[0] }), "cycle"},
		"opset":       {edit(func(m *onnxpb.ModelProto) { m.OpsetImport[0].Version = proto.Int64(0) }), "not possible"},
		"no such":     {external("nosuch", "0", "24"), "nosuch"},
		"outside":     {external("../x", "0", "24"), "folder"},
		"absolute":    {external("/etc/passwd", "0", "24"), "folder"},
		"link":        {external("link", "0", "24"), "folder"},
		"short":       {external("short", "0", "24"), "outside"},
		"offset":      {external("short", "-4", "8"), "outside"},
		"sparse head": {[]byte(sparseMagic), "sparse form"},
	} {
		path := filepath.Join(dir, "m.onnx")
		if err := os.WriteFile(path, c.b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something with %q", name, err, c.want)
		}
	}
	sparse, _ := EncodeSparse(all(), false)
	for _, i := range []int{9, 25, len(sparse) / 2, len(sparse) - 1} {
		b := append([]byte{}, sparse...)
		b[i] ^= 0x55
		if _, err := DecodeSparse(b); err == nil {
			t.Errorf("byte %d of the sparse form was changed unnoticed", i)
		}
	}
}

func TestPareOpsStay(t *testing.T) {
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(2)}
	g.Inputs = []*graph.Value{x}
	g.Outputs = g.Add("OnesLike", graph.Pare, []*graph.Value{x}, []string{"y"}).Outputs
	if _, err := Encode(g, Options{}); err == nil {
		t.Error("an operator of training was written")
	}
}

// TestSparseIntegers: weights of 8 bits are stored without their zeros, and read back as they
// were.
func TestSparseIntegers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 8))
	for _, d := range []tensor.DType{tensor.Int8, tensor.Uint8} {
		sizes := map[float64]int{}
		for _, share := range []float64{0, .9, .99, 1} {
			g := graph.New("integers", 17)
			w := tensor.New(d, 100, 101)
			for i := range w.Len() {
				if r.Float64() < share {
					continue
				}
				switch x := w.Data.(type) {
				case []int8:
					x[i] = int8(1 + r.IntN(127))
				case []uint8:
					x[i] = uint8(1 + r.IntN(255))
				}
			}
			x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(2, 100)}
			g.Inputs = []*graph.Value{x}
			s := g.Const("s", tensor.Scalar(float32(.1)), graph.Frozen)
			y := g.Add("DequantizeLinear", "", []*graph.Value{g.Const("w", w, graph.Packed), s}, []string{"v"}).Outputs[0]
			g.Outputs = g.Add("MatMul", "", []*graph.Value{x, y}, []string{"y"}).Outputs
			b, err := EncodeSparse(g, false)
			if err != nil {
				t.Fatal(err)
			}
			sizes[share] = len(b)
			h, err := DecodeSparse(b)
			if err != nil {
				t.Fatal(err)
			}
			if got := h.Value("w").Const; got.DType != d || !bytes.Equal(got.Raw(), w.Raw()) {
				t.Fatalf("%v, %v zeros: not what was written", d, share)
			}
		}
		if sizes[0] < 8800 || sizes[.9] > 2700 || sizes[.99] > 1000 || sizes[1] > 700 {
			t.Errorf("%v: %v bytes of a matrix of 10100", d, sizes)
		}
	}
}
