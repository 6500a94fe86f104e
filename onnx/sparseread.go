package onnx

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/bits"

	"pare/graph"
	"pare/onnx/onnxpb"
	"pare/tensor"

	"github.com/klauspost/compress/zstd"
	"github.com/x448/float16"
)

// errShort says that a stream ends too early.
var errShort = errors.New("damaged: the sparse weights are cut short")

// mostPacked bounds the structure of a sparse model once it is unpacked.
func mostPacked(file int) int { return 16<<20 + file }

// DecodeSparse reads the sparse form. All of the file is checked before memory
// is taken for its weights.
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
	if packed > len(body) || size > mostPacked(len(b)) || size > 1100*packed+64 { // deflate gains at most about 1:1030
		return nil, errors.New("damaged: the structure's length is not possible")
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(flate.NewReader(bytes.NewReader(body[:packed])), raw); err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	m := &onnxpb.ModelProto{}
	if err := unmarshal(raw, m, mostPacked(len(b))); err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	streams, err := split(body[packed:])
	if err != nil {
		return nil, err
	}
	r := &reader{spread: mostSpread(len(b)), written: mostPacked(len(b)), packed: map[*onnxpb.TensorProto]*pack{}}
	packs, err := r.packs(m)
	if err != nil {
		return nil, err
	}
	if err := check(packs, &streams); err != nil {
		return nil, err
	}
	r.late = append(r.late, func() error { return fill(packs, &streams) })
	if err := r.putBack(m); err != nil {
		return nil, err
	}
	return r.model(m)
}

// pack is a weight whose entries are in the streams.
type pack struct {
	name    string
	n, size int // entries, and bytes of each in the streams
	half    bool
	nnz     int
	t       *tensor.Tensor // to be filled
}

// packs lists the weights that are in the streams, in order.
func (r *reader) packs(m *onnxpb.ModelProto) ([]*pack, error) {
	var out []*pack
	for _, t := range m.GetGraph().GetInitializer() {
		k := len(t.ExternalData) - 1
		if k < 0 {
			continue
		}
		p := &pack{name: t.GetName(), size: 4}
		switch d, mark := tensor.DType(t.GetDataType()), t.ExternalData[k].GetKey(); {
		case mark != sparseMark && mark != halfMark:
			continue
		case mark == halfMark && d == tensor.Float32, mark == sparseMark && (d == tensor.Float16 || d == tensor.BFloat16):
			p.size, p.half = 2, mark == halfMark
		case mark == sparseMark && (d == tensor.Int8 || d == tensor.Uint8):
			p.size = 1
		case mark != sparseMark || d != tensor.Float32:
			return nil, fmt.Errorf("damaged: sparse weight %q is %v", p.name, d)
		}
		var err error
		if _, p.n, err = shapeOf(t.Dims); err == nil {
			err = r.take(p.n)
		}
		if err != nil {
			return nil, fmt.Errorf("damaged: weight %q: %w", p.name, err)
		}
		t.ExternalData = t.ExternalData[:k]
		r.packed[t] = p
		out = append(out, p)
	}
	return out, nil
}

// stream is one of the five, as it is in the file.
type stream struct {
	b []byte
	n int // its length once unpacked
}

// split finds the five streams.
func split(b []byte) (streams [5]stream, err error) {
	for k := range streams {
		if len(b) < 4 {
			return streams, errShort
		}
		n := int(binary.LittleEndian.Uint32(b))
		if b = b[4:]; n > len(b) {
			return streams, errShort
		}
		streams[k].b, b = b[:n], b[n:]
	}
	if len(b) != 0 {
		return streams, fmt.Errorf("damaged: %d bytes too many", len(b))
	}
	return streams, nil
}

// isZstandard says whether a stream is read as packed.
func isZstandard(b []byte) bool {
	var h zstd.Header
	return h.Decode(b) == nil
}

// unpacker reads streams one at a time.
type unpacker struct{ z *zstd.Decoder }

func newUnpacker() (unpacker, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8*window))
	return unpacker{z}, err
}

func (u unpacker) open(s *stream) (io.Reader, error) {
	if !isZstandard(s.b) {
		return bytes.NewReader(s.b), nil
	}
	return u.z, u.z.Reset(bytes.NewReader(s.b))
}

// check reads all streams through without keeping them: they must hold what the
// weights need, not longer. It counts the entries of each weight.
func check(packs []*pack, streams *[5]stream) error {
	u, err := newUnpacker()
	if err != nil {
		return err
	}
	defer u.z.Close()
	r, err := u.open(&streams[0])
	if err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	bitmaps := bufio.NewReaderSize(r, 1<<16)
	for _, p := range packs {
		for at := 0; at < p.n; at += 8 {
			x, err := bitmaps.ReadByte()
			if err != nil {
				return fmt.Errorf("weight %q: %w", p.name, errShort)
			}
			if left := p.n - at; left < 8 && x>>left != 0 {
				return fmt.Errorf("damaged: weight %q has entries outside its shape", p.name)
			}
			p.nnz += bits.OnesCount8(x)
		}
		streams[0].n += (p.n + 7) / 8
		for k := range p.size {
			streams[k+1].n += p.nnz
		}
	}
	if _, err := bitmaps.ReadByte(); err != io.EOF {
		return errors.New("damaged: the sparse weights are too long")
	}
	for k := 1; k < len(streams); k++ {
		r, err := u.open(&streams[k])
		if err != nil {
			return fmt.Errorf("damaged: %w", err)
		}
		n, err := io.Copy(io.Discard, io.LimitReader(r, int64(streams[k].n)+1))
		if err != nil || n != int64(streams[k].n) {
			return fmt.Errorf("damaged: %d bytes of sparse weights where %d are needed (%v)", n, streams[k].n, err)
		}
	}
	return nil
}

// fill makes the weights of streams that are known to be good.
func fill(packs []*pack, streams *[5]stream) error {
	u, err := newUnpacker()
	if err != nil {
		return err
	}
	defer u.z.Close()
	var b [5][]byte
	for k := range streams {
		r, err := u.open(&streams[k])
		if err != nil {
			return err
		}
		b[k] = make([]byte, streams[k].n)
		if _, err := io.ReadFull(r, b[k]); err != nil {
			return err
		}
	}
	for _, p := range packs {
		raw := thicken(&b, p)
		if p.half {
			raw = widened(raw)
		}
		x, err := tensor.FromRaw(raw, p.t.DType, p.t.Shape...)
		if err != nil {
			return fmt.Errorf("weight %q: %w", p.name, err)
		}
		p.t.Data = x.Data
	}
	return nil
}

// thicken is the inverse of thin; it takes what it reads off the streams.
func thicken(streams *[5][]byte, p *pack) []byte {
	bitmap := streams[0]
	raw := make([]byte, p.size*p.n)
	at := 0
	for i := range p.n {
		if bitmap[i/8]>>(i%8)&1 == 0 {
			continue
		}
		for k := range p.size {
			raw[p.size*i+p.size-1-k] = streams[k+1][at]
		}
		at++
	}
	streams[0] = streams[0][(p.n+7)/8:]
	for k := range p.size {
		streams[k+1] = streams[k+1][p.nnz:]
	}
	return raw
}

// widened widens float16 values to float32.
func widened(raw []byte) []byte {
	le := binary.LittleEndian
	out := make([]byte, 0, 2*len(raw))
	for ; len(raw) >= 2; raw = raw[2:] {
		out = le.AppendUint32(out, math.Float32bits(float16.Frombits(le.Uint16(raw)).Float32()))
	}
	return out
}
