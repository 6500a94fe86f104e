package onnx

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

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
// smaller. Weights that read from a shared array are marked, and the array is one
// more initialiser.
const sparseMagic = "PARE\x02\r\n\x00"

// Marks in a tensor's external_data that its entries are in the streams.
const (
	sparseMark = "pare.sparse"
	halfMark   = "pare.sparse.half" // a float32 weight rounded to float16
)

// window of the Zstandard streams, in bytes. Reading takes no more memory than
// that before a file is known to be good.
const window = 1 << 20

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
	leaveOut(g, m)
	var streams [5][]byte
	for _, t := range m.Graph.Initializer {
		if marked(t) {
			continue
		}
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
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(window))
	if err != nil {
		return nil, err
	}
	defer z.Close() //nolint:errcheck // nothing is written
	for _, s := range streams {
		c := z.EncodeAll(s, nil)
		if len(c) >= len(s) && !isZstandard(s) {
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
