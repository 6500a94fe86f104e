package onnx

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/internal/hostile"
	"pare/onnx/onnxpb"
	"pare/tensor"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// sealed is a file of the sparse form with this body, its length and checksum
// right.
func sealed(body []byte) []byte {
	b := binary.LittleEndian.AppendUint64([]byte(sparseMagic), uint64(len(body)))
	return append(binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(body)), body...)
}

// bytesField is a field of the wire format that holds bytes or a message.
func bytesField(n protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), b)
}

// wire is a model of a graph in the wire format.
func wire(g []byte) []byte {
	head := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 8)
	head = append(head, bytesField(8, protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 17))...)
	return append(head, bytesField(7, g)...)
}

// nested is a model of a node that holds a graph with a node, and so on.
func nested(depth int) []byte {
	var heads [][]byte // the innermost first: a length is that of all before it
	inner := 0
	for range depth {
		for _, n := range []protowire.Number{6, 5, 1} { // a graph in an attribute in a node
			h := protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.BytesType), uint64(inner))
			heads = append(heads, h)
			inner += len(h)
		}
	}
	slices.Reverse(heads)
	return wire(slices.Concat(heads...))
}

// chain is a model of n nodes, one after another.
func chain(n int) []byte {
	g := graph.New("chain", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(2)}
	g.Inputs = []*graph.Value{x}
	for range n {
		x = g.Add("Relu", "", []*graph.Value{x}, []string{"y"}).Outputs[0]
	}
	g.Outputs = []*graph.Value{x}
	b, err := Encode(g, Options{})
	if err != nil {
		panic(err)
	}
	return b
}

// modelOf encodes a graph message as a model.
func modelOf(g *onnxpb.GraphProto) []byte {
	m := &onnxpb.ModelProto{IrVersion: proto.Int64(8), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}}, Graph: g}
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// sparseOf is a sparse initialiser of one value.
func sparseOf(name string, dims ...int64) *onnxpb.SparseTensorProto {
	return &onnxpb.SparseTensorProto{Dims: dims,
		Values:  &onnxpb.TensorProto{Name: &name, DataType: proto.Int32(1), Dims: []int64{1}, FloatData: []float32{1}},
		Indices: &onnxpb.TensorProto{DataType: proto.Int32(7), Dims: []int64{1}, Int64Data: []int64{0}}}
}

// structure begins the body of a sparse model.
func structure(packed []byte, size int) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(packed)))
	return append(binary.LittleEndian.AppendUint32(b, uint32(size)), packed...)
}

func deflated(b []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestCompression)
	w.Write(b) //nolint:errcheck // a buffer takes all
	w.Close()  //nolint:errcheck // a buffer takes all
	return out.Bytes()
}

// squeezed is a Zstandard stream of n bytes: zeros, but for the last.
func squeezed(n int) []byte {
	z, _ := zstd.NewWriter(nil)
	b := make([]byte, n)
	b[n-1] = 0x80
	return z.EncodeAll(b, nil)
}

// packed is a sparse model with a weight of n entries whose bitmap is given,
// and no entries.
func packed(n int64, bitmap []byte) []byte {
	m := modelOf(&onnxpb.GraphProto{Initializer: []*onnxpb.TensorProto{{Name: proto.String("w"), DataType: proto.Int32(1), Dims: []int64{n},
		ExternalData: []*onnxpb.StringStringEntryProto{{Key: proto.String(sparseMark), Value: proto.String("")}}}}})
	b := structure(deflated(m), len(m))
	for _, s := range [][]byte{bitmap, nil, nil, nil, nil} {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	return sealed(b)
}

// laughs is a model of a function that calls another twice, which calls
// another twice, and so on.
func laughs(depth int) []byte {
	m := &onnxpb.ModelProto{IrVersion: proto.Int64(8), Graph: &onnxpb.GraphProto{}}
	for _, d := range []string{"", "f"} {
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String(d), Version: proto.Int64(17)})
	}
	call := func(to int, in, out string) *onnxpb.NodeProto {
		n := &onnxpb.NodeProto{OpType: proto.String(fmt.Sprint("f", to)), Domain: proto.String("f"), Input: []string{in}, Output: []string{out}}
		if to == depth {
			n.OpType, n.Domain = proto.String("Relu"), nil
		}
		return n
	}
	for i := range depth {
		m.Functions = append(m.Functions, &onnxpb.FunctionProto{Name: proto.String(fmt.Sprint("f", i)), Domain: proto.String("f"), Input: []string{"x"}, Output: []string{"z"},
			Node: []*onnxpb.NodeProto{call(i+1, "x", "y"), call(i+1, "y", "z")}})
	}
	m.Graph.Input = []*onnxpb.ValueInfoProto{{Name: proto.String("x")}}
	m.Graph.Node = []*onnxpb.NodeProto{call(0, "x", "z")}
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// crowd is a model of n Ifs, each with another inside and a constant that all
// call the same.
func crowd(n int) []byte {
	g := &onnxpb.GraphProto{Input: []*onnxpb.ValueInfoProto{{Name: proto.String("x")}}}
	body := func(inside ...*onnxpb.NodeProto) []*onnxpb.AttributeProto {
		c := &onnxpb.TensorProto{Name: proto.String("c"), DataType: proto.Int32(1), FloatData: []float32{1}}
		return []*onnxpb.AttributeProto{{Name: proto.String("then_branch"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: &onnxpb.GraphProto{Initializer: []*onnxpb.TensorProto{c}, Node: inside}}}
	}
	for i := range n {
		g.Node = append(g.Node, &onnxpb.NodeProto{OpType: proto.String("If"), Input: []string{"x"}, Output: []string{fmt.Sprint("y", i)},
			Attribute: body(&onnxpb.NodeProto{OpType: proto.String("If"), Input: []string{"x"}, Output: []string{"z"}, Attribute: body()})})
	}
	g.Output = []*onnxpb.ValueInfoProto{{Name: proto.String("nobody")}}
	return modelOf(g)
}

// Files that mean harm are refused soon and without much memory.
func TestHostile(t *testing.T) {
	var many []*onnxpb.SparseTensorProto
	for i := range 1000 {
		many = append(many, sparseOf(fmt.Sprint("s", i), 1<<20))
	}
	undefined := []*onnxpb.NodeProto{{OpType: proto.String("Relu"), Input: []string{"nobody"}, Output: []string{"y"}}}
	dims := func(d ...int64) []byte {
		return modelOf(&onnxpb.GraphProto{Initializer: []*onnxpb.TensorProto{{Name: proto.String("w"), DataType: proto.Int32(1), Dims: d, RawData: make([]byte, 4)}}})
	}
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"nested":             {nested(100_000), "nested"},
		"nested, a little":   {nested(maxDepth + 1), "nested"},
		"empty nodes":        {wire(bytes.Repeat(bytesField(1, nil), 5<<20)), "too much"},
		"empty attributes":   {wire(bytesField(1, bytes.Repeat(bytesField(5, nil), 5<<20))), "too much"},
		"varints":            {wire(bytesField(5, bytesField(7, make([]byte, 20<<20)))), "too much"},
		"functions":          {laughs(30), "too much"},
		"crowd":              {crowd(10_000), "nobody"},
		"huge dims":          {dims(1 << 36), "needed"},
		"overflow":           {dims(1<<20, 1<<20, 1<<24), "overflow"},
		"overflow to 1":      {dims(1<<33, 1<<33), "overflow"},
		"negative":           {dims(-1), "not possible"},
		"negative twice":     {dims(-1, -1), "not possible"},
		"many dims":          {dims(make([]int64, 1<<20)...), "needed"},
		"sparse, too large":  {modelOf(&onnxpb.GraphProto{SparseInitializer: []*onnxpb.SparseTensorProto{sparseOf("s", 1<<30)}}), "too large"},
		"sparse, many":       {modelOf(&onnxpb.GraphProto{SparseInitializer: many}), "too large"},
		"sparse, undefined":  {modelOf(&onnxpb.GraphProto{SparseInitializer: many[:16], Node: undefined}), "nobody"},
		"packed, too large":  {packed(1<<33, nil), "too large"},
		"packed, bomb":       {packed(8<<20, squeezed(64<<20)), "too long"},
		"packed, late":       {packed(16<<20, squeezed(2<<20)), "0 bytes of sparse weights where 1 are needed"},
		"structure, bomb":    {sealed(structure(make([]byte, 1<<20), 1<<30)), "not possible"},
		"structure, as said": {sealed(structure(deflated(make([]byte, 15<<20)), 15<<20)), "damaged"},
	} {
		err := hostile.Read(t, len(c.b), func() error {
			_, err := Decode(c.b, "")
			if bytes.HasPrefix(c.b, []byte(sparseMagic)) {
				_, err = DecodeSparse(c.b)
			}
			return err
		})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something with %q", name, err, c.want)
		}
	}
}

// A long chain of nodes reads, sorts and infers as a short one does.
func TestChain(t *testing.T) {
	b := chain(100_000)
	if err := hostile.Read(t, len(b), func() error {
		g, err := Decode(b, "")
		if err == nil && len(g.Nodes) != 100_000 {
			t.Errorf("%d nodes", len(g.Nodes))
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// A stream that happens to begin as a packed one does is read as it was.
func TestMagicBytes(t *testing.T) {
	g := graph.New("g", 17)
	w := tensor.New(tensor.Float32, 4096)
	for i := range w.F32() { // the first bytes of the entries' highest bytes
		if i < 6 {
			w.F32()[i] = math.Float32frombits(uint32([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x01}[i]) << 24)
		}
	}
	c := g.Const("w", w, graph.Auto)
	g.Outputs = g.Add("Identity", "", []*graph.Value{c}, []string{"y"}).Outputs
	b, err := EncodeSparse(g, false)
	if err != nil {
		t.Fatal(err)
	}
	h, err := DecodeSparse(b)
	if err != nil || !reflect.DeepEqual(raws(g), raws(h)) {
		t.Errorf("weights differ (%v)", err)
	}
}

// Every change of one byte of a sparse model is noticed.
func TestChecksum(t *testing.T) {
	b, err := EncodeSparse(all(), false)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] ^= 0x55
		if _, err := DecodeSparse(b); err == nil {
			t.Errorf("byte %d of %d was changed unnoticed", i, len(b))
		}
		b[i] ^= 0x55
	}
}

func seeds(f *testing.F) {
	b, err := Encode(all(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	s, err := Encode(captures(), Options{Sparse: true})
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range [][]byte{b, s, b[:len(b)/3], nested(40), chain(3), modelOf(&onnxpb.GraphProto{SparseInitializer: []*onnxpb.SparseTensorProto{sparseOf("s", 2, 3)}})} {
		f.Add(b)
	}
}

// captures is a graph with a subgraph that reads a value from outside, and a
// sparse weight.
func captures() *graph.Graph {
	g := graph.New("branches", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(64)}}
	c := &graph.Value{Name: "c", DType: tensor.Bool, Shape: graph.Dims()}
	g.Inputs = []*graph.Value{x, c}
	w := tensor.New(tensor.Float32, 64)
	w.F32()[7] = 1
	y := g.Add("Mul", "", []*graph.Value{x, g.Const("w", w, graph.Param)}, []string{"y"}).Outputs[0]
	body := func(op string) *graph.Graph {
		s := graph.New("body", 17)
		s.Outputs = s.Add(op, "", []*graph.Value{y}, []string{"z_" + op}).Outputs
		return s
	}
	n := g.Add("If", "", []*graph.Value{c}, []string{"out"})
	n.Set("then_branch", body("Relu")).Set("else_branch", body("Neg"))
	g.Outputs = n.Outputs
	return g
}

// What is read can be written, and reads the same again.
func again(t *testing.T, g *graph.Graph) {
	b, err := Encode(g, Options{})
	if err != nil {
		return // operators of training do not go to files
	}
	h, err := Decode(b, "")
	if err != nil {
		t.Fatalf("written again it does not read: %v\n%v", err, g)
	}
	if c, err := Encode(h, Options{}); err != nil || !bytes.Equal(b, c) {
		t.Errorf("written twice it differs (%v):\n%v\n%v", err, g, h)
	}
}

// External data comes from a file of 100 bytes in the model's folder.
func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Add(modelOf(&onnxpb.GraphProto{Initializer: []*onnxpb.TensorProto{{Name: proto.String("w"), DataType: proto.Int32(1), Dims: []int64{2}, DataLocation: onnxpb.TensorProto_EXTERNAL.Enum(),
		ExternalData: []*onnxpb.StringStringEntryProto{{Key: proto.String("location"), Value: proto.String("w.bin")}, {Key: proto.String("offset"), Value: proto.String("8")}, {Key: proto.String("length"), Value: proto.String("8")}}}}}))
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "w.bin"), make([]byte, 100), 0o644); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var g *graph.Graph
		if hostile.Read(t, len(b)+100, func() (err error) { g, err = Decode(b, dir); return err }) == nil {
			again(t, g)
		}
	})
}

// FuzzSparse gives the sparse form's body, after its length and checksum, the
// structure unpacked: what is mutated is not refused at once.
func FuzzSparse(f *testing.F) {
	for _, g := range []*graph.Graph{all(), captures(), sharedNet(300)} {
		for _, half := range []bool{false, true} {
			b, err := EncodeSparse(g, half)
			if err != nil {
				f.Fatal(err)
			}
			body := b[len(sparseMagic)+12:]
			n := int(binary.LittleEndian.Uint32(body))
			m, err := io.ReadAll(flate.NewReader(bytes.NewReader(body[8 : 8+n])))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(m, body[8+n:])
		}
	}
	f.Fuzz(func(t *testing.T, m, streams []byte) {
		b := sealed(append(structure(deflated(m), len(m)), streams...))
		var g *graph.Graph
		if hostile.Read(t, len(b), func() (err error) { g, err = DecodeSparse(b); return err }) == nil {
			again(t, g)
		}
	})
}
