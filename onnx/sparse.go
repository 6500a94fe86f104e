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
	"github.com/klauspost/compress/zstd"
	"github.com/x448/float16"
	"google.golang.org/protobuf/proto"
)

// Pare's sparse form (.pare) is the ONNX model with the zeros of its weights
// left out. All numbers are little-endian:
//
//	"PARE\x02\r\n\x00"
//	uint64 length, uint32 CRC-32 of what follows
//	uint32 length of the structure, uint32 length of it unpacked,
//	deflated ModelProto whose large weights are empty
//	five streams, each uint32 length and bytes (Zstandard, or as they are where
//	that is not shorter):
//	    for each large weight, in the order of the structure's initialisers, one
//	    bit for each entry, set where its bits are not all zero
//	    the highest byte of every entry that is not zero, weight after weight;
//	    then the next lower bytes, of the entries that have them
//
// Bytes of one significance together, and bitmaps together, are what an entropy
// coder can shorten. A weight stays dense inside the structure where that is
// smaller.
const sparseMagic = "PARE\x02\r\n\x00"

// Marks in a tensor's external_data that its entries are in the streams.
const (
	sparseMark = "pare.sparse"
	halfMark   = "pare.sparse.half" // a float32 weight rounded to float16
)

// mostShrunk is how many times smaller than its contents a stream may be: a
// damaged file cannot ask for more memory than that.
const mostShrunk = 512

// WriteSparse writes the sparse form.
func WriteSparse(path string, g *graph.Graph, half bool) error {
	b, err := EncodeSparse(g, half)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return renameio.WriteFile(path, b, 0o644)
}

// EncodeSparse gives the bytes of the sparse form. With half, large float32
// weights are rounded to float16; reading makes them float32 again. It returns
// an error where one is too large for that.
func EncodeSparse(g *graph.Graph, half bool) ([]byte, error) {
	m, err := (&writer{}).model(g)
	if err != nil {
		return nil, err
	}
	var streams [5][]byte
	for _, t := range m.Graph.Initializer {
		size, mark, raw := 0, sparseMark, t.RawData
		switch tensor.DType(t.GetDataType()) {
		case tensor.Float32:
			if size = 4; half && len(raw) > 64 {
				if raw, err = halves(raw); err != nil {
					return nil, fmt.Errorf("weight %q: %w", t.GetName(), err)
				}
				size, mark = 2, halfMark
			}
		case tensor.Float16, tensor.BFloat16:
			size = 2
		default:
			continue
		}
		bitmap, planes := thin(raw, size)
		if mark == sparseMark && len(bitmap)+size*len(planes[0]) >= len(raw) {
			continue
		}
		streams[0] = append(streams[0], bitmap...)
		for k, p := range planes {
			streams[k+1] = append(streams[k+1], p...)
		}
		t.RawData = nil
		t.ExternalData = append(t.ExternalData, &onnxpb.StringStringEntryProto{Key: proto.String(mark), Value: proto.String(fmt.Sprint(len(planes[0])))})
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
	body = append(body, small.Bytes()...)
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		return nil, err
	}
	defer z.Close() //nolint:errcheck // nothing is written
	for _, s := range streams {
		c := z.EncodeAll(s, nil)
		if len(c) >= len(s) || len(s) > mostShrunk*len(c) {
			c = s
		}
		if uint64(len(c)) > math.MaxUint32 {
			return nil, errors.New("the weights are too large for the sparse form")
		}
		body = append(le.AppendUint32(body, uint32(len(c))), c...)
	}
	out := le.AppendUint64([]byte(sparseMagic), uint64(len(body)))
	out = le.AppendUint32(out, crc32.ChecksumIEEE(body))
	return append(out, body...), nil
}

// halves rounds float32 values to float16.
func halves(raw []byte) ([]byte, error) {
	le := binary.LittleEndian
	out := make([]byte, 0, len(raw)/2)
	for ; len(raw) >= 4; raw = raw[4:] {
		v := math.Float32frombits(le.Uint32(raw))
		h := float16.Fromfloat32(v)
		if h.IsInf(0) && !math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("%v is too large for float16", v)
		}
		out = le.AppendUint16(out, h.Bits())
	}
	return out, nil
}

// thin separates entries of size bytes into a bitmap of those that are not zero
// and the bytes of these, by significance, the highest first.
func thin(raw []byte, size int) (bitmap []byte, planes [][]byte) {
	n := len(raw) / size
	bitmap, planes = make([]byte, (n+7)/8), make([][]byte, size)
	for i := range n {
		e := raw[size*i : size*(i+1)]
		zero := true
		for _, b := range e {
			zero = zero && b == 0
		}
		if zero {
			continue
		}
		bitmap[i/8] |= 1 << (i % 8)
		for k := range planes {
			planes[k] = append(planes[k], e[size-1-k])
		}
	}
	return bitmap, planes
}

// errShort says that a stream ends too early.
var errShort = errors.New("damaged: the sparse weights are cut short")

// thicken is the inverse of thin for n entries; it takes what it reads off the
// streams.
func thicken(streams *[5][]byte, n, size int) ([]byte, error) {
	m := (n + 7) / 8
	if len(streams[0]) < m {
		return nil, errShort
	}
	bitmap := streams[0][:m]
	streams[0] = streams[0][m:]
	nnz := 0
	for i, x := range bitmap {
		if i == m-1 && n%8 != 0 && x>>(n%8) != 0 {
			return nil, errors.New("damaged: a sparse weight has entries outside its shape")
		}
		nnz += bits.OnesCount8(x)
	}
	for k := range size {
		if len(streams[k+1]) < nnz {
			return nil, errShort
		}
	}
	raw := make([]byte, size*n)
	at := 0
	for i := range n {
		if bitmap[i/8]>>(i%8)&1 == 0 {
			continue
		}
		for k := range size {
			raw[size*i+size-1-k] = streams[k+1][at]
		}
		at++
	}
	for k := range size {
		streams[k+1] = streams[k+1][nnz:]
	}
	return raw, nil
}

// unpack reads the five streams.
func unpack(b []byte) (streams [5][]byte, err error) {
	for k := range streams {
		if len(b) < 4 {
			return streams, errShort
		}
		n := int(binary.LittleEndian.Uint32(b))
		if b = b[4:]; n > len(b) {
			return streams, errShort
		}
		streams[k], b = b[:n], b[n:]
		var h zstd.Header
		if h.Decode(streams[k]) != nil {
			continue // as it is
		}
		if h.HasFCS && h.FrameContentSize > uint64(mostShrunk*n) {
			return streams, errors.New("damaged: a stream's length is not possible")
		}
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(mostShrunk*n)+1))
		if err != nil {
			return streams, err
		}
		streams[k], err = z.DecodeAll(streams[k], nil)
		z.Close()
		if err != nil {
			return streams, fmt.Errorf("damaged: %w", err)
		}
	}
	if len(b) != 0 {
		return streams, fmt.Errorf("damaged: %d bytes too many", len(b))
	}
	return streams, nil
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
	streams, err := unpack(body[packed:])
	if err != nil {
		return nil, err
	}
	for _, t := range m.GetGraph().GetInitializer() {
		k := len(t.ExternalData) - 1
		if k < 0 {
			continue
		}
		size, mark := 4, t.ExternalData[k].GetKey()
		switch d := tensor.DType(t.GetDataType()); {
		case mark != sparseMark && mark != halfMark:
			continue
		case mark == halfMark && d == tensor.Float32, mark == sparseMark && (d == tensor.Float16 || d == tensor.BFloat16):
			size = 2
		case mark != sparseMark || d != tensor.Float32:
			return nil, fmt.Errorf("damaged: sparse weight %q is %v", t.GetName(), d)
		}
		_, n, err := shapeOf(t.Dims)
		if err != nil || n > math.MaxInt32*8 {
			return nil, fmt.Errorf("damaged: weight %q has shape %v", t.GetName(), t.Dims)
		}
		if t.RawData, err = thicken(&streams, n, size); err != nil {
			return nil, fmt.Errorf("weight %q: %w", t.GetName(), err)
		}
		if mark == halfMark {
			t.RawData = wholes(t.RawData)
		}
		t.ExternalData = t.ExternalData[:k]
	}
	for _, s := range streams {
		if len(s) != 0 {
			return nil, fmt.Errorf("damaged: %d bytes too many", len(s))
		}
	}
	return decodeModel(m, "")
}

// wholes widens float16 values to float32.
func wholes(raw []byte) []byte {
	le := binary.LittleEndian
	out := make([]byte, 0, 2*len(raw))
	for ; len(raw) >= 2; raw = raw[2:] {
		out = le.AppendUint32(out, math.Float32bits(float16.Frombits(le.Uint16(raw)).Float32()))
	}
	return out
}

// Load reads a model of either form: ONNX, or Pare's sparse form.
func Load(path string) (*graph.Graph, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var g *graph.Graph
	if bytes.HasPrefix(b, []byte(sparseMagic)) {
		g, err = DecodeSparse(b)
	} else {
		g, err = Decode(b, filepath.Dir(path))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}
