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
	"runtime"

	"pare/graph"
	"pare/onnx/onnxpb"
	"pare/tensor"

	"github.com/klauspost/compress/zstd"
	"github.com/x448/float16"
	"golang.org/x/sync/errgroup"
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
	at      [5]int         // where its pieces of the streams begin
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
	buf := make([]byte, 1<<16)
	for _, p := range packs {
		for at := 0; at < p.n; at += 8 * len(buf) {
			b := buf[:min(len(buf), (p.n-at+7)/8)]
			if _, err := io.ReadFull(r, b); err != nil {
				return fmt.Errorf("weight %q: %w", p.name, errShort)
			}
			p.nnz += ones(b)
			if left := p.n - at; left < 8*len(b) && b[len(b)-1]>>(left%8) != 0 {
				return fmt.Errorf("damaged: weight %q has entries outside its shape", p.name)
			}
		}
		p.at[0] = streams[0].n
		streams[0].n += (p.n + 7) / 8
		for k := range p.size {
			p.at[k+1] = streams[k+1].n
			streams[k+1].n += p.nnz
		}
	}
	if _, err := io.ReadFull(r, buf[:1]); err != io.EOF {
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
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, p := range packs {
		g.Go(func() error { return p.thicken(&b) })
	}
	return g.Wait()
}

// thicken makes a weight of its pieces of the streams, the inverse of thin.
func (p *pack) thicken(streams *[5][]byte) error {
	var b [5][]byte
	for k := range p.size + 1 {
		b[k] = streams[k][p.at[k]:]
	}
	x := tensor.New(p.t.DType, p.t.Shape...)
	switch y := x.Data.(type) {
	case []float32:
		if p.half {
			each(b[0], p.n, func(i, at int) {
				y[i] = float16.Frombits(uint16(b[1][at])<<8 | uint16(b[2][at])).Float32()
			})
			break
		}
		hi, second, third, lo := b[1][:p.nnz], b[2][:p.nnz], b[3][:p.nnz], b[4][:p.nnz]
		each(b[0], p.n, func(i, at int) {
			y[i] = math.Float32frombits(uint32(hi[at])<<24 | uint32(second[at])<<16 | uint32(third[at])<<8 | uint32(lo[at]))
		})
	case []uint16:
		each(b[0], p.n, func(i, at int) { y[i] = uint16(b[1][at])<<8 | uint16(b[2][at]) })
	case []int8:
		each(b[0], p.n, func(i, at int) { y[i] = int8(b[1][at]) })
	case []uint8:
		each(b[0], p.n, func(i, at int) { y[i] = b[1][at] })
	default:
		return fmt.Errorf("weight %q is %v", p.name, p.t.DType)
	}
	p.t.Data = x.Data
	return nil
}

// each calls f with the place of every bit of the first n that is set, and how many are
// set before it.
func each(bitmap []byte, n int, f func(i, at int)) {
	at := 0
	for i := 0; i < n; i += 64 {
		for x := word(bitmap[i/8 : min(len(bitmap), (n+7)/8)]); x != 0; x &= x - 1 {
			f(i+bits.TrailingZeros64(x), at)
			at++
		}
	}
}

// ones is the number of bits that are set.
func ones(b []byte) int {
	n := 0
	for ; len(b) >= 8; b = b[8:] {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(b))
	}
	return n + bits.OnesCount64(word(b))
}

// word is the first eight bytes, the lowest first, and zeros where there are fewer.
func word(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	x := uint64(0)
	for k, v := range b {
		x |= uint64(v) << (8 * k)
	}
	return x
}
