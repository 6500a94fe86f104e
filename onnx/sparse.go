package onnx

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/bits"
	"os"
	"path/filepath"

	"pare/graph"
	"pare/onnx/onnxpb"
	"pare/tensor"

	"github.com/google/renameio/v2"
	"google.golang.org/protobuf/proto"
)

// Pare's sparse form (.pare) is the ONNX model with the zeros of its float32
// weights left out. All numbers are little-endian:
//
//	"PARE\x01\r\n\x00"
//	uint64 length, uint32 CRC-32 of what follows
//	uint32 length of the structure, deflated ModelProto whose large weights are empty
//	for each large weight, in the order of the structure's initialisers:
//	    bitmap: one bit for each entry, set where its bits are not all zero
//	    the non-zero entries, 4 bytes each
//
// A weight stays dense inside the structure where that is smaller.
const sparseMagic = "PARE\x01\r\n\x00"

// sparseMark, in a tensor's external_data, says that its entries follow the
// structure; the value is the number of non-zeros.
const sparseMark = "pare.bitmap"

// WriteSparse writes the sparse form.
func WriteSparse(path string, g *graph.Graph) error {
	b, err := EncodeSparse(g)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return renameio.WriteFile(path, b, 0o644)
}

// EncodeSparse gives the bytes of the sparse form.
func EncodeSparse(g *graph.Graph) ([]byte, error) {
	m, err := (&writer{}).model(g)
	if err != nil {
		return nil, err
	}
	var tail []byte
	for _, t := range m.Graph.Initializer {
		if tensor.DType(t.GetDataType()) != tensor.Float32 {
			continue
		}
		if enc, nnz := bitmap(t.RawData); len(enc) < len(t.RawData) {
			tail = append(tail, enc...)
			t.RawData = nil
			t.ExternalData = append(t.ExternalData, &onnxpb.StringStringEntryProto{Key: proto.String(sparseMark), Value: proto.String(fmt.Sprint(nnz))})
		}
	}
	head, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var small bytes.Buffer
	f, _ := flate.NewWriter(&small, flate.BestCompression)
	if _, err := f.Write(head); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	body := le.AppendUint32(nil, uint32(small.Len()))
	body = le.AppendUint32(body, uint32(len(head)))
	body = append(append(body, small.Bytes()...), tail...)
	out := le.AppendUint64([]byte(sparseMagic), uint64(len(body)))
	out = le.AppendUint32(out, crc32.ChecksumIEEE(body))
	return append(out, body...), nil
}

// bitmap encodes 4-byte entries.
func bitmap(raw []byte) (out []byte, nnz int) {
	n := len(raw) / 4
	out = make([]byte, (n+7)/8, (n+7)/8+len(raw)/4)
	for i := range n {
		if e := raw[4*i : 4*i+4]; e[0]|e[1]|e[2]|e[3] != 0 {
			out[i/8] |= 1 << (i % 8)
			out = append(out, e...)
			nnz++
		}
	}
	return out, nnz
}

// unbitmap decodes n entries and gives the bytes that follow.
func unbitmap(b []byte, n int) (raw, rest []byte, err error) {
	m := (n + 7) / 8
	if len(b) < m {
		return nil, nil, errors.New("the sparse weights are cut short")
	}
	nnz := 0
	for i, x := range b[:m] {
		if i == m-1 && n%8 != 0 && x>>(n%8) != 0 {
			return nil, nil, errors.New("a sparse weight has entries outside its shape")
		}
		nnz += bits.OnesCount8(x)
	}
	if (len(b)-m)/4 < nnz {
		return nil, nil, errors.New("the sparse weights are cut short")
	}
	raw = make([]byte, 4*n)
	v := b[m:]
	for i := range n {
		if b[i/8]>>(i%8)&1 != 0 {
			copy(raw[4*i:4*i+4], v)
			v = v[4:]
		}
	}
	return raw, v, nil
}

// DecodeSparse reads the sparse form.
func DecodeSparse(b []byte) (*graph.Graph, error) {
	le := binary.LittleEndian
	const head = len(sparseMagic) + 12
	if len(b) < head+8 || string(b[:len(sparseMagic)]) != sparseMagic {
		return nil, errors.New("not a model in Pare's sparse form")
	}
	body := b[head:]
	if n := le.Uint64(b[len(sparseMagic):]); n != uint64(len(body)) {
		return nil, fmt.Errorf("damaged: %d bytes of %d", len(body), n)
	}
	if crc32.ChecksumIEEE(body) != le.Uint32(b[head-4:]) {
		return nil, errors.New("damaged: its checksum is wrong")
	}
	packed, size := int(le.Uint32(body)), int(le.Uint32(body[4:]))
	body = body[8:]
	if packed > len(body) || size > 1100*packed+64 { // deflate gains at most about 1:1030
		return nil, errors.New("damaged: the structure's length is not possible")
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(flate.NewReader(bytes.NewReader(body[:packed])), raw); err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	tail := body[packed:]
	for _, t := range m.GetGraph().GetInitializer() {
		k := len(t.ExternalData) - 1
		if k < 0 || t.ExternalData[k].GetKey() != sparseMark {
			continue
		}
		_, n, err := shapeOf(t.Dims)
		if err != nil || n > math.MaxInt32*8 || tensor.DType(t.GetDataType()) != tensor.Float32 {
			return nil, fmt.Errorf("damaged: weight %q has shape %v", t.GetName(), t.Dims)
		}
		if t.RawData, tail, err = unbitmap(tail, n); err != nil {
			return nil, fmt.Errorf("weight %q: %w", t.GetName(), err)
		}
		t.ExternalData = t.ExternalData[:k]
	}
	if len(tail) != 0 {
		return nil, fmt.Errorf("damaged: %d bytes too many", len(tail))
	}
	return decodeModel(m, "")
}

// Load reads a model of either form: ONNX, or Pare's sparse form.
func Load(path string) (*graph.Graph, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var g *graph.Graph
	if bytes.HasPrefix(b, []byte("PARE\x01")) {
		g, err = DecodeSparse(b)
	} else {
		g, err = Decode(b, filepath.Dir(path))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}
