package onnx

import (
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"pare/graph"
	"pare/onnx/onnxpb"
	"pare/tensor"

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
	var body chunks
	if err := sparse(context.Background(), g, half, &body); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f, err := openOutput(path, false)
	if err != nil {
		return err
	}
	defer f.close()
	return f.write(func(w io.Writer) error {
		for _, b := range append([][]byte{sparseHead(&body)}, body.blocks...) {
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		return nil
	})
}

// EncodeSparse gives the bytes of the sparse form. With half, large float32
// weights are rounded to float16; reading makes them float32 again. It returns
// an error where one is too large for that.
func EncodeSparse(g *graph.Graph, half bool) ([]byte, error) {
	var body chunks
	if err := sparse(context.Background(), g, half, &body); err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(sparseMagic)+12+int(body.n))
	out = append(out, sparseHead(&body)...)
	for _, b := range body.blocks {
		out = append(out, b...)
	}
	return out, nil
}

// sparseHead is what stands before the body.
func sparseHead(body *chunks) []byte {
	le, sum := binary.LittleEndian, uint32(0)
	for _, b := range body.blocks {
		sum = crc32.Update(sum, crc32.IEEETable, b)
	}
	return le.AppendUint32(le.AppendUint64([]byte(sparseMagic), uint64(body.n)), sum)
}

// SparseSize is the number of bytes of the sparse form, which it does not keep. The end
// of the context ends it.
func SparseSize(ctx context.Context, g *graph.Graph, half bool) (int64, error) {
	body := chunks{forget: true}
	err := sparse(ctx, g, half, &body)
	return int64(len(sparseMagic)+12) + body.n, err
}

// chunks holds bytes in blocks, which need not be moved to grow; or it only counts them.
type chunks struct {
	blocks [][]byte
	n      int64
	forget bool
}

const block = 1 << 20

func (c *chunks) Write(b []byte) (int, error) {
	n := len(b)
	c.n += int64(n)
	for k := len(b); k > 0 && !c.forget; k = len(b) {
		last := len(c.blocks) - 1
		if last < 0 || len(c.blocks[last]) == cap(c.blocks[last]) {
			c.blocks = append(c.blocks, make([]byte, 0, block))
			continue
		}
		to := c.blocks[last]
		k = min(k, cap(to)-len(to))
		c.blocks[last] = append(to, b[:k]...)
		b = b[k:]
	}
	return n, nil
}

// thinned is a weight whose entries go to the streams.
type thinned struct {
	t    *tensor.Tensor
	size int // bytes of an entry: 4, 2, or 1
	nnz  int // entries that are not zero
}

// raw is the weight's entries.
func (x thinned) raw() ([]byte, error) {
	b := x.t.Raw()
	if x.size < x.t.DType.Size() {
		return halves(b)
	}
	return b, nil
}

// sparse makes the body of the sparse form.
func sparse(ctx context.Context, g *graph.Graph, half bool, out *chunks) error {
	w := &writer{}
	m, err := w.model(g)
	if err != nil {
		return err
	}
	w.leaveOut(g, m)
	weights, err := w.thinned(ctx, m, half)
	if err != nil {
		return err
	}
	e, err := w.layOut(m)
	if err != nil {
		return err
	}
	small := chunks{forget: out.forget}
	f, _ := flate.NewWriter(&small, flate.BestCompression)
	if err := e.writeTo(heard{ctx, f}); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if small.n > math.MaxUint32 || e.size() > math.MaxUint32 {
		return errTooLarge
	}
	le := binary.LittleEndian
	out.Write(le.AppendUint32(le.AppendUint32(nil, uint32(small.n)), uint32(e.size()))) //nolint:errcheck // to memory
	for _, b := range small.blocks {
		out.Write(b) //nolint:errcheck // to memory
	}
	if out.forget {
		out.n += small.n
	}
	small.blocks = nil
	for k := range 5 {
		s, err := streamOf(ctx, weights, k)
		if err != nil {
			return err
		}
		c, err := packStream(ctx, s)
		if err != nil {
			return err
		}
		if uint64(len(c)) > math.MaxUint32 {
			return errTooLarge
		}
		out.Write(le.AppendUint32(nil, uint32(len(c)))) //nolint:errcheck // to memory
		out.Write(c)                                    //nolint:errcheck // to memory
	}
	return nil
}

var errTooLarge = errors.New("the weights are too large for the sparse form")

// heard is a writer that ends with its context.
type heard struct {
	ctx context.Context
	w   io.Writer
}

func (h heard) Write(b []byte) (int, error) {
	if err := h.ctx.Err(); err != nil {
		return 0, err
	}
	return h.w.Write(b)
}

// thins says whether weights of a type go to the streams: numbers, and integers that
// quantised networks have.
func thins(d tensor.DType) bool {
	switch d {
	case tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Int8, tensor.Uint8:
		return true
	}
	return false
}

// thinned finds the weights that the streams hold, and marks them in the message.
func (w *writer) thinned(ctx context.Context, m *onnxpb.ModelProto, half bool) ([]thinned, error) {
	var out []thinned
	for _, p := range m.Graph.Initializer {
		t := w.raw[p]
		if t == nil || marked(p) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		x, mark := thinned{t: t, size: t.DType.Size()}, sparseMark
		switch {
		case t.DType == tensor.Float32 && half && t.Bytes() > 64:
			x.size, mark = 2, halfMark
		case !thins(t.DType):
			continue
		}
		raw, err := x.raw()
		if err != nil {
			return nil, fmt.Errorf("weight %q: %w", p.GetName(), err)
		}
		bitmap, nnz := bitmapOf(raw, x.size)
		if mark == sparseMark && len(bitmap)+x.size*nnz >= len(raw) {
			continue
		}
		x.nnz = nnz
		out = append(out, x)
		delete(w.raw, p)
		p.ExternalData = append(p.ExternalData, &onnxpb.StringStringEntryProto{Key: proto.String(mark), Value: proto.String(fmt.Sprint(nnz))})
	}
	return out, nil
}

// streamOf is one of the five: the bitmaps, or the bytes of one significance.
func streamOf(ctx context.Context, weights []thinned, k int) ([]byte, error) {
	n := 0
	for _, x := range weights {
		if k == 0 {
			n += (x.t.Len() + 7) / 8
		} else if k <= x.size {
			n += x.nnz
		}
	}
	out := make([]byte, 0, n)
	for _, x := range weights {
		if k > x.size {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		raw, err := x.raw()
		if err != nil {
			return nil, err
		}
		if k == 0 {
			bitmap, _ := bitmapOf(raw, x.size)
			out = append(out, bitmap...)
		} else {
			out = appendPlane(out, raw, x.size, k-1)
		}
	}
	return out, nil
}

// packStream is a stream as the file has it: in Zstandard where that is shorter.
func packStream(ctx context.Context, s []byte) ([]byte, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(window))
	if err != nil {
		return nil, err
	}
	done := make(chan []byte, 1)
	go func() {
		done <- z.EncodeAll(s, nil)
		z.Close() //nolint:errcheck // nothing is written
	}()
	select {
	case c := <-done:
		if len(c) >= len(s) && !isZstandard(s) {
			c = s
		}
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
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

// bitmapOf has a bit for each entry of size bytes, set where it is not zero, and their
// number.
func bitmapOf(raw []byte, size int) (bitmap []byte, nnz int) {
	n := len(raw) / size
	bitmap = make([]byte, (n+7)/8)
	for i := range n {
		if !zero(raw[size*i : size*(i+1)]) {
			bitmap[i/8] |= 1 << (i % 8)
			nnz++
		}
	}
	return bitmap, nnz
}

// appendPlane appends the bytes of significance k, from the highest, of the entries that
// are not zero.
func appendPlane(out, raw []byte, size, k int) []byte {
	for ; len(raw) >= size; raw = raw[size:] {
		if !zero(raw[:size]) {
			out = append(out, raw[size-1-k])
		}
	}
	return out
}

func zero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
